//! A namespace on a shared broker, of which nothing is left when its shop has ended.

use super::MODULES;
use futures::TryStreamExt as _;
use std::{error::Error, thread};

/// A broker of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broker {
    /// NATS with JetStream.
    Nats,
    /// RabbitMQ.
    Amqp,
}

impl Broker {
    /// The one that all tests share.
    pub(super) fn shared(self) -> String {
        let variable = match self {
            Self::Nats => "TEST_NATS_URL",
            Self::Amqp => "TEST_AMQP_URL",
        };
        std::env::var(variable).unwrap_or_else(|_| panic!("{variable} says where the broker is"))
    }
}

/// What one shop is called on a broker; dropped, its streams, queues and exchanges are removed.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    broker: Option<Broker>,
}

impl Namespace {
    /// One that nobody else has. Without a shared broker there is nothing to remove.
    #[must_use]
    pub fn new(broker: Option<Broker>) -> Self {
        Self { name: format!("tests-{:016x}", rand::random::<u64>()), broker }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let Some(broker) = self.broker else { return };
        let name = self.name.clone();
        // A thread of its own: the test's runtime may be ending, and cannot be waited on from inside.
        let removed = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                match broker {
                    Broker::Nats => remove_streams(&name).await,
                    Broker::Amqp => remove_queues(&name).await,
                }
            })
        });
        if !matches!(removed.join(), Ok(Ok(()))) {
            tracing::warn!(namespace = self.name, "a test leaves something behind on its broker");
        }
    }
}

type Removed = Result<(), Box<dyn Error + Send + Sync>>;

async fn remove_streams(namespace: &str) -> Removed {
    let jetstream = async_nats::jetstream::new(async_nats::connect(Broker::Nats.shared()).await?);
    let names: Vec<String> = jetstream.stream_names().try_collect().await?;
    for name in names.iter().filter(|name| name.starts_with(&format!("{namespace}_"))) {
        jetstream.delete_stream(name).await?;
    }
    Ok(())
}

async fn remove_queues(namespace: &str) -> Removed {
    let connection =
        lapin::Connection::connect(&Broker::Amqp.shared(), lapin::ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let calls = MODULES.iter().chain(&["sandbox"]).map(|module| format!("{namespace}.call.{module}"));
    let events = MODULES.iter().map(|module| format!("{namespace}.events.{module}"));
    for queue in calls.chain(events).chain([format!("{namespace}.dead")]) {
        channel.queue_delete(queue.into(), lapin::options::QueueDeleteOptions::default()).await?;
    }
    for exchange in [format!("{namespace}.events"), format!("{namespace}.dead")] {
        channel.exchange_delete(exchange.into(), lapin::options::ExchangeDeleteOptions::default()).await?;
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}
