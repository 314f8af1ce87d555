//! The semantics that every placement shares, over NATS.

use crate::scratch::Scratch;
use async_trait::async_trait;
use bus::{Bus, Direct, Executor, Policies, Receive, Served, Transport};
use bus_testkit::{Attachment, Placement};
use std::{any::Any, sync::Arc};

/// Caller and server as two processes have it: a connection each.
struct OverNats;

impl OverNats {
    async fn connect(&self, serving: &Bus, module: &str) -> (Arc<dyn Transport>, Vec<Box<dyn Any>>) {
        let scratch = Scratch::new();
        let (calling, server) = (scratch.connect().await, scratch.connect().await);
        let listener = server.listener(serving.answers());
        listener.open(module).await.expect("the broker takes it up");
        (
            calling.transport(),
            vec![Box::new(listener), Box::new(server), Box::new(calling), Box::new(scratch)],
        )
    }
}

#[async_trait(?Send)]
impl Placement for OverNats {
    fn name(&self) -> &'static str {
        "nats"
    }

    async fn attach(&self, bus: &Bus, serve: &dyn Fn(Arc<dyn Executor>) -> Served) -> Attachment {
        let (served, serving) = (serve(Arc::new(Direct)), Bus::new(Policies::default()));
        let port = served.port();
        serving.serve(served);
        let (transport, alive) = self.connect(&serving, port).await;
        bus.connect(port, transport);
        Attachment::new(serving, alive)
    }

    async fn attach_inbox(&self, bus: &Bus, module: &str, inbox: Arc<dyn Receive>) -> Attachment {
        let serving = Bus::new(Policies::default());
        serving.serve_inbox(module, inbox);
        let (transport, alive) = self.connect(&serving, module).await;
        bus.connect_inbox(module, transport);
        Attachment::new(serving, alive)
    }
}

bus_testkit::conformance! {
    #[ignore = "needs NATS"]
    conformance: super::OverNats,
}
