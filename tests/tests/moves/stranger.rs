//! A process that answers, and is not what it should be.

use bus::{Bus, BusError, Direct, ErrorKind, Listener as _, Policies, PortError, Served};
use bus_http::{HttpListener, ListenerSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{net::Ipv4Addr, sync::Arc};

/// Any request, as its bytes are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Describe(Value);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
enum StrangerError {
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for StrangerError {
    fn kind(&self) -> ErrorKind {
        let Self::Unavailable(error) = self;
        error.kind()
    }

    fn bus(&self) -> Option<&BusError> {
        let Self::Unavailable(error) = self;
        Some(error)
    }
}

bus::port! {
    /// A process as another one sees it, on the wire.
    "process" trait StrangerPort {
        #[query]
        /// What it says of itself.
        async fn describe(&self, request: Describe) -> Result<Value, StrangerError>;
    }
}

struct Stranger(Value);

#[async_trait::async_trait]
impl StrangerPort for Stranger {
    async fn describe(&self, _: Describe) -> Result<Value, StrangerError> {
        Ok(self.0.clone())
    }
}

/// Listens and says this of itself; gone when dropped.
pub(crate) async fn who_says(description: Value) -> (HttpListener, String) {
    let bus = Bus::new(Policies::default());
    bus.serve(Served::new(
        Arc::new(Stranger(description)) as Arc<dyn StrangerPort>,
        Arc::new(Direct),
        bus.policies(),
    ));
    let listener =
        HttpListener::bind((Ipv4Addr::LOCALHOST, 0).into(), bus.answers(), ListenerSettings::default()).await;
    let listener = listener.expect("listens");
    listener.open("process").await.expect("opens");
    let at = format!("http://{}", listener.address());
    (listener, at)
}
