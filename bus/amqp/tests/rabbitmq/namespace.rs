//! A namespace at the broker that is nobody else's and is removed at the end; and a look behind the adapter's back.

use crate::SOON;
use bus_amqp::{Amqp, AmqpSettings};
use bus_testkit::eventually;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicGetOptions, BasicPublishOptions, ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
};
use std::sync::Arc;

/// Where the broker is.
pub(crate) fn broker() -> String {
    std::env::var("TEST_AMQP_URL").expect("TEST_AMQP_URL says where RabbitMQ is")
}

/// A name of its own on the shared broker.
pub(crate) struct Namespace {
    pub(crate) name: String,
    modules: &'static [&'static str],
}

impl Namespace {
    /// For these modules; what is declared for others is not removed.
    pub(crate) fn of(modules: &'static [&'static str]) -> Arc<Self> {
        Arc::new(Self { name: format!("test-{:016x}", rand::random::<u64>()), modules })
    }

    pub(crate) fn settings(&self) -> AmqpSettings {
        AmqpSettings::new(broker(), &self.name)
    }

    /// A connection of its own, as a process of its own would have.
    pub(crate) async fn connect(&self) -> Amqp {
        let amqp = Amqp::connect(self.settings()).expect("good settings");
        eventually("RabbitMQ is there", SOON, async || amqp.is_connected()).await;
        amqp
    }

    pub(crate) fn calls(&self, module: &str) -> String {
        format!("{}.call.{module}", self.name)
    }

    pub(crate) fn events(&self, module: &str) -> String {
        format!("{}.events.{module}", self.name)
    }

    pub(crate) fn exchange(&self) -> String {
        format!("{}.events", self.name)
    }

    pub(crate) fn dead(&self) -> String {
        format!("{}.dead", self.name)
    }

    async fn remove(name: String, modules: &[&str]) {
        let namespace = Self { name, modules: &[] };
        let raw = Raw::connect(&broker()).await;
        for module in modules {
            raw.delete_queue(&namespace.calls(module)).await;
            raw.delete_queue(&namespace.events(module)).await;
        }
        raw.delete_queue(&namespace.dead()).await;
        for exchange in [namespace.exchange(), namespace.dead()] {
            raw.delete_exchange(&exchange).await;
        }
        raw.connection.close(200, "OK".into()).await.expect("it closes");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.modules.is_empty() {
            return;
        }
        let (name, modules) = (self.name.clone(), self.modules);
        // A runtime of its own: the test's may be ending.
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(Self::remove(name, modules));
        });
        let removed = removing.join();
        assert!(removed.is_ok() || std::thread::panicking(), "the namespace could not be removed");
    }
}

/// A connection without the adapter.
pub(crate) struct Raw {
    connection: Connection,
    pub(crate) channel: Channel,
}

impl Raw {
    pub(crate) async fn connect(url: &str) -> Self {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(url, properties).await.expect("RabbitMQ is there");
        let channel = connection.create_channel().await.expect("a channel");
        Self { connection, channel }
    }

    pub(crate) async fn publish(
        &self,
        exchange: &str,
        route: &str,
        properties: BasicProperties,
        body: &[u8],
    ) {
        let options = BasicPublishOptions::default();
        let published = self.channel.basic_publish(exchange.into(), route.into(), options, body, properties);
        published.await.expect("it is sent");
    }

    /// How many messages wait in a queue, and how many consumers it has; `None` where there is no such queue.
    pub(crate) async fn look(&self, queue: &str) -> Option<(u32, u32)> {
        // A channel of its own, which the broker closes where the queue is not there.
        let channel = self.connection.create_channel().await.expect("a channel");
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = channel.queue_declare(queue.into(), look, FieldTable::default()).await.ok()?;
        let seen = (found.message_count(), found.consumer_count());
        channel.close(200, "OK".into()).await.expect("it closes");
        Some(seen)
    }

    /// The body of a message that waits in a queue, which is taken out.
    pub(crate) async fn get(&self, queue: &str) -> Option<Vec<u8>> {
        let options = BasicGetOptions { no_ack: true };
        let got = self.channel.basic_get(queue.into(), options).await.expect("the queue is there");
        got.map(|message| message.delivery.data)
    }

    pub(crate) async fn delete_queue(&self, queue: &str) {
        let options = QueueDeleteOptions::default();
        self.channel.queue_delete(queue.into(), options).await.expect("it is deleted");
    }

    pub(crate) async fn delete_exchange(&self, exchange: &str) {
        let options = ExchangeDeleteOptions::default();
        self.channel.exchange_delete(exchange.into(), options).await.expect("it is deleted");
    }
}
