//! The shared suites on a broker: each attachment is two connections in a namespace of its own.

use crate::{
    SOON,
    namespace::{Namespace, broker},
    proxy::Proxy,
};
use async_trait::async_trait;
use bus::{Bus, Direct, Executor, Listener, Policies, Receive, Served, Transport};
use bus_amqp::{Amqp, AmqpListener, AmqpSettings, AmqpTransport};
use bus_testkit::{
    Attachment, Placement, eventually,
    wire::{Line, MODULE, Wire},
};
use std::sync::Arc;

/// RabbitMQ.
pub(crate) struct Broker;

/// Serves what is linked to `serving`, and calls it.
async fn attached(
    module: &'static str,
    modules: &'static [&'static str],
    serving: Bus,
) -> (Arc<AmqpTransport>, Attachment) {
    let namespace = Namespace::of(modules);
    let (calling, served) = (namespace.connect().await, namespace.connect().await);
    let listener = served.listener(serving.answers());
    listener.open(module).await.expect("the broker is there");
    let transport = calling.transport();
    (transport, Attachment::new(serving, vec![Box::new((calling, served, listener)), Box::new(namespace)]))
}

#[async_trait(?Send)]
impl Placement for Broker {
    fn name(&self) -> &'static str {
        "amqp"
    }

    async fn attach(&self, bus: &Bus, serve: &dyn Fn(Arc<dyn Executor>) -> Served) -> Attachment {
        let served = serve(Arc::new(Direct));
        let (port, serving) = (served.port(), Bus::new(Policies::default()));
        serving.serve(served);
        let (transport, attachment) = attached(port, &["probe"], serving).await;
        bus.connect(port, transport);
        attachment
    }

    async fn attach_inbox(&self, bus: &Bus, module: &str, inbox: Arc<dyn Receive>) -> Attachment {
        assert_eq!(module, "shop");
        let serving = Bus::new(Policies::default());
        serving.serve_inbox(module, inbox);
        let (transport, attachment) = attached("shop", &["shop"], serving).await;
        bus.connect_inbox(module, transport);
        attachment
    }
}

#[async_trait(?Send)]
impl Wire for Broker {
    fn name(&self) -> &'static str {
        "amqp"
    }

    fn sees_the_other_end(&self) -> bool {
        false
    }

    async fn serve(&self, answers: Arc<dyn Transport>) -> Box<dyn Line> {
        let namespace = Namespace::of(&["wire", "other"]);
        let proxy = Proxy::to(&broker()).await;
        let settings = AmqpSettings { url: proxy.url(), ..namespace.settings() };
        let serving = Amqp::connect(settings).expect("good settings");
        let listener = serving.listener(answers);
        listener.open(MODULE).await.expect("the broker is there");
        let client = namespace.connect().await.transport();
        Box::new(Wired { client, listener, proxy, _namespace: namespace })
    }
}

/// A serving half whose way to the broker can be cut.
struct Wired {
    client: Arc<AmqpTransport>,
    listener: Arc<AmqpListener>,
    proxy: Proxy,
    _namespace: Arc<Namespace>,
}

#[async_trait(?Send)]
impl Line for Wired {
    fn client(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.client) as Arc<dyn Transport>
    }

    fn pending(&self) -> usize {
        self.client.pending()
    }

    async fn cut(&mut self) {
        self.proxy.cut().await;
        let listener = &self.listener;
        eventually("the serving half has noticed", SOON, async || !listener.is_ready()).await;
    }

    async fn restore(&mut self) {
        self.proxy.mend().await;
        let listener = &self.listener;
        eventually("the serving half is back", SOON, async || listener.is_ready()).await;
    }

    fn listener(&self) -> Option<Arc<dyn Listener>> {
        Some(Arc::clone(&self.listener) as Arc<dyn Listener>)
    }
}
