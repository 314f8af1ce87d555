//! Where a port can be served, as tests need it: any service, attached to a bus in any way.

use crate::{SocketServer, SocketTransport};
use actix_rt::Arbiter;
use async_trait::async_trait;
use bus::{Bus, Direct, Endpoints, Executor, Policies, Port, Receive, Served, Transport};
use bus_actor::Mailbox;
use std::{any::Any, sync::Arc};

/// Enough for every test that serves by an actor.
const DEPTH: usize = 4096;

/// A way to attach a service to a bus. Runs inside an actix system.
#[async_trait(?Send)]
pub trait Placement {
    /// What failures call it.
    fn name(&self) -> &'static str;

    /// The bus that calls are made on.
    fn bus(&self, policies: Policies) -> Bus {
        Bus::new(policies)
    }

    /// Whether every value goes through the codec.
    fn encodes(&self) -> bool {
        true
    }

    /// Whether the bus that calls and what serves have limits of their own.
    fn is_remote(&self) -> bool {
        true
    }

    /// Attaches what `serve` makes of an executor to the bus, from the next call on.
    async fn attach(&self, bus: &Bus, serve: &dyn Fn(Arc<dyn Executor>) -> Served) -> Attachment;

    /// Attaches a module's inbox.
    async fn attach_inbox(&self, bus: &Bus, module: &str, inbox: Arc<dyn Receive>) -> Attachment;
}

/// What keeps an attached service served: dropped, it is no longer.
pub struct Attachment {
    /// The bus on the serving side; the calling one itself where that serves.
    pub serving: Bus,
    socket: Option<Arc<SocketTransport>>,
    _alive: Vec<Box<dyn Any>>,
}

impl Attachment {
    /// An attachment that lives as long as these.
    #[must_use]
    pub fn new(serving: Bus, alive: Vec<Box<dyn Any>>) -> Self {
        Self { serving, socket: None, _alive: alive }
    }

    /// Calls that run, wait, or are waited for on the serving side and on the wire.
    #[must_use]
    pub fn pending(&self) -> usize {
        let calls: usize = self.serving.status().iter().map(|port| port.in_flight + port.waiting).sum();
        calls + self.socket.as_ref().map_or(0, |socket| socket.pending())
    }
}

/// Attaches a service of any port.
pub async fn place<P: Port + ?Sized>(
    placement: &dyn Placement,
    bus: &Bus,
    service: Arc<P>,
    policies: &Policies,
) -> Attachment {
    placement.attach(bus, &|executor| Served::new(Arc::clone(&service), executor, policies)).await
}

/// The placements that need no broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standard {
    /// In this process, on tasks of the runtime.
    Direct,
    /// In this process, on an actor of the same thread.
    Actor,
    /// In this process, on an actor of another thread.
    ActorElsewhere,
    /// In this process, every call through the codec.
    Strict,
    /// In this process, on an actor, every call through the codec.
    StrictActor,
    /// As if remote: through the codec and the endpoints.
    Loopback,
    /// Over TCP, to a server in this process.
    Socket,
}

impl Standard {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Direct,
        Self::Actor,
        Self::ActorElsewhere,
        Self::Strict,
        Self::StrictActor,
        Self::Loopback,
        Self::Socket,
    ];

    async fn connect(self, endpoints: Endpoints, attachment: &mut Attachment) -> Arc<dyn Transport> {
        if self == Self::Loopback {
            return Arc::new(endpoints);
        }
        let server = SocketServer::bind(endpoints).await.expect("127.0.0.1 has a free port");
        let socket = Arc::new(SocketTransport::connect(server.address()));
        attachment.socket = Some(Arc::clone(&socket));
        attachment._alive.push(Box::new(server));
        socket
    }
}

#[async_trait(?Send)]
impl Placement for Standard {
    fn name(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Actor => "actor",
            Self::ActorElsewhere => "actor elsewhere",
            Self::Strict => "strict",
            Self::StrictActor => "strict actor",
            Self::Loopback => "loopback",
            Self::Socket => "socket",
        }
    }

    fn bus(&self, policies: Policies) -> Bus {
        match self {
            Self::Strict | Self::StrictActor => Bus::strict(policies),
            _ => Bus::new(policies),
        }
    }

    fn encodes(&self) -> bool {
        !matches!(self, Self::Direct | Self::Actor | Self::ActorElsewhere)
    }

    fn is_remote(&self) -> bool {
        matches!(self, Self::Loopback | Self::Socket)
    }

    async fn attach(&self, bus: &Bus, serve: &dyn Fn(Arc<dyn Executor>) -> Served) -> Attachment {
        let mut attachment = Attachment::new(bus.clone(), Vec::new());
        let executor: Arc<dyn Executor> = match self {
            Self::Actor | Self::StrictActor => Arc::new(Mailbox::start(DEPTH)),
            Self::ActorElsewhere => {
                let thread = Thread(Arbiter::new());
                let mailbox = Mailbox::start_on(&thread.0.handle(), DEPTH).await;
                attachment._alive.push(Box::new(thread));
                Arc::new(mailbox)
            }
            _ => Arc::new(Direct),
        };
        let served = serve(executor);
        if self.is_remote() {
            let port = served.port();
            let endpoints = Endpoints::default().with_port(&served);
            attachment.serving = Bus::new(Policies::default());
            attachment.serving.serve(served);
            let transport = self.connect(endpoints, &mut attachment).await;
            bus.connect(port, transport);
        } else {
            bus.serve(served);
        }
        attachment
    }

    async fn attach_inbox(&self, bus: &Bus, module: &str, inbox: Arc<dyn Receive>) -> Attachment {
        let mut attachment = Attachment::new(bus.clone(), Vec::new());
        if self.is_remote() {
            let endpoints = Endpoints::default().with_inbox(module, inbox);
            let transport = self.connect(endpoints, &mut attachment).await;
            bus.connect_inbox(module, transport);
        } else {
            bus.serve_inbox(module, inbox);
        }
        attachment
    }
}

/// An arbiter that ends with its owner.
struct Thread(Arbiter);

impl Drop for Thread {
    fn drop(&mut self) {
        self.0.stop();
    }
}
