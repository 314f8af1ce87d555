//! What only a wire does, on NATS. Nobody tells a caller that the other end has gone, but it finds out by asking, so this
//! wire claims to see it.

use crate::scratch::Scratch;
use async_trait::async_trait;
use bus::{Listener, Transport};
use bus_nats::Nats;
use bus_testkit::wire::{Line, MODULE, Wire};
use std::sync::Arc;

struct OverNats;

struct NatsLine {
    serving: Option<(Nats, Arc<dyn Listener>)>,
    answers: Arc<dyn Transport>,
    transport: Arc<dyn Transport>,
    calling: Nats,
    scratch: Scratch,
}

#[async_trait(?Send)]
impl Wire for OverNats {
    fn name(&self) -> &'static str {
        "nats"
    }

    async fn serve(&self, answers: Arc<dyn Transport>) -> Box<dyn Line> {
        let scratch = Scratch::new();
        let calling = scratch.connect().await;
        let transport = calling.transport();
        let mut line = NatsLine { serving: None, answers, transport, calling, scratch };
        line.restore().await;
        Box::new(line)
    }
}

#[async_trait(?Send)]
impl Line for NatsLine {
    fn client(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.transport)
    }

    fn pending(&self) -> usize {
        self.calling.pending()
    }

    async fn cut(&mut self) {
        drop(self.serving.take().expect("it serves"));
    }

    async fn restore(&mut self) {
        let nats = self.scratch.connect().await;
        let listener = nats.listener(Arc::clone(&self.answers));
        listener.open(MODULE).await.expect("the broker takes it up");
        self.serving = Some((nats, listener));
    }

    fn listener(&self) -> Option<Arc<dyn Listener>> {
        self.serving.as_ref().map(|(_, listener)| Arc::clone(listener))
    }
}

bus_testkit::wire! {
    #[ignore = "needs NATS"]
    wire: super::OverNats,
}

bus_testkit::listener! {
    #[ignore = "needs NATS"]
    listener: super::OverNats,
}
