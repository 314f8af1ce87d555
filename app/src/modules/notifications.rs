//! How notifications is put together. It asks users for addresses, and waits where users cannot be asked.

use super::{Module, Schema, Stage, StartError, Started};
use bus_durable::Database;
use futures::{FutureExt as _, future::BoxFuture};
use notifications::{NAME, Service, Settings};
use notifications_ports::NotificationsPort;
use std::sync::Arc;

pub(super) const MODULE: Module = Module {
    name: NAME,
    calls: &[],
    asks: &["users"],
    check: |settings| settings.module::<Settings>(NAME).map(|_| ()),
    schema: Schema::of::<migrations::notifications::Migrator>(),
    start,
};

fn start(database: Database, stage: &Stage) -> BoxFuture<'_, Result<Started, StartError>> {
    async move {
        let settings = stage.settings.module(NAME)?;
        let users = Arc::new(stage.bus.clone());
        let service = Service::start(database.clone(), users, settings)
            .await
            .map_err(|error| StartError::module(NAME, &error))?;
        stage.serve(&database, Arc::clone(&service) as Arc<dyn NotificationsPort>).await;
        let subscribers = service.subscribers();
        Ok(Started::new(database, subscribers, Box::new(move |stop| service.workers(stop))))
    }
    .boxed()
}
