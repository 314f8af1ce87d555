//! Hears of calls whose callers have left. All who serve a module hear of all of them; one of them has the call.

use crate::{
    intake::Intake, message::number, names::Names, running::Running, session::Failure, subscription::Source,
    topology::declare_notices,
};
use async_trait::async_trait;
use lapin::{Channel, types::ShortString};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a module's callers call off.
pub(crate) struct Notices {
    pub(crate) module: String,
    pub(crate) names: Names,
    pub(crate) running: Arc<Running>,
}

#[async_trait]
impl Source for Notices {
    fn what(&self) -> String {
        format!("notices to {}", self.module)
    }

    fn prefetch(&self) -> Option<u16> {
        None
    }

    async fn declare(&self, channel: &Channel) -> lapin::Result<ShortString> {
        declare_notices(channel, &self.names, &self.module).await
    }

    async fn take(&self, intake: &mut Intake, stop: &CancellationToken) -> Result<(), Failure> {
        while let Some(notice) = stop.run_until_cancelled(intake.next()).await {
            if let Some(number) = number(&notice?.properties) {
                self.running.call_off(number);
            }
        }
        Ok(())
    }
}
