//! A module whose thread is gone, seen through the port.

use actix_rt::Arbiter;
use async_trait::async_trait;
use bus::{Bus, BusError, ErrorKind, Policies, PortError, Served};
use bus_actor::Mailbox;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

bus::port! {
    /// Rings until the thread is gone.
    "bell" pub(crate) trait BellPort {
        #[query]
        /// Never ends.
        async fn ring(&self, request: Ring) -> Result<(), BellError>;
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ring {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum BellError {
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for BellError {
    fn kind(&self) -> ErrorKind {
        let Self::Unavailable(error) = self;
        error.kind()
    }
}

struct Bell(Notify);

#[async_trait]
impl BellPort for Bell {
    async fn ring(&self, _: Ring) -> Result<(), BellError> {
        self.0.notify_one();
        futures::future::pending().await
    }
}

/// A1, A4: calls that had begun die with a typed error, later ones find nobody; none hangs until its
/// deadline, and nothing stays pending.
#[actix_rt::test]
async fn calls_to_a_stopped_arbiter_are_answered_at_once() {
    let (arbiter, bell) = (Arbiter::new(), Arc::new(Bell(Notify::new())));
    let bus = Bus::new(Policies::default());
    let mailbox = Mailbox::start_on(&arbiter.handle(), 64).await;
    let service = Arc::clone(&bell) as Arc<dyn BellPort>;
    bus.serve(Served::new(service, Arc::new(mailbox), bus.policies()));
    let running = bus::spawn({
        let bus = bus.clone();
        async move { bus.ring(Ring {}).await }
    });
    bell.0.notified().await;
    arbiter.stop();
    arbiter.join().expect("the thread ends");
    let answers = tokio::time::timeout(Duration::from_secs(5), async {
        (running.await.expect("it does not panic"), bus.ring(Ring {}).await)
    });
    let (begun, later) = answers.await.expect("at once");
    assert!(matches!(begun, Err(BellError::Unavailable(BusError::Died { .. }))), "{begun:?}");
    assert_eq!(later, Err(BusError::Unavailable { port: "bell".into() }.into()));
    assert_eq!(bus.status()[0].in_flight, 0);
}
