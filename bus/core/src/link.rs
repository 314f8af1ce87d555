//! Links: where each port and each inbox is, looked up at every call, swapped while calls run.

use crate::{
    Bulkhead, BusError, Context, Delivery, Operation, Operations, Outcome, Policies, Receipt, Receive,
    Request, Transport,
    endpoints::{inbox_name, operations_name, receive},
    serve::{Answer, Reply, Served, admit, decode, encode},
};
use arc_swap::ArcSwap;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Calls ports and delivers events, wherever they are served. Cheap to clone; every clone is the same bus.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    links: ArcSwap<Links>,
    policies: Policies,
    strict: bool,
}

#[derive(Clone, Default)]
struct Links {
    ports: BTreeMap<String, Link>,
    inboxes: BTreeMap<String, Reach<dyn Receive>>,
    operations: BTreeMap<String, Reach<dyn Operations>>,
}

#[derive(Clone)]
enum Link {
    Local(Arc<Served>),
    Remote { transport: Arc<dyn Transport>, bulkhead: Arc<Bulkhead> },
}

/// Where one of a module's own endpoints is.
enum Reach<T: ?Sized> {
    Local(Arc<T>),
    Remote(Arc<dyn Transport>),
}

impl<T: ?Sized> Clone for Reach<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Local(here) => Self::Local(Arc::clone(here)),
            Self::Remote(transport) => Self::Remote(Arc::clone(transport)),
        }
    }
}

/// How a port stands, for the admin API and the metrics.
#[derive(Debug, Clone, Serialize)]
pub struct PortStatus {
    /// The port's name.
    pub port: String,
    /// `local` or `remote`.
    pub placement: &'static str,
    /// What carries the calls: `in_process`, or the transport's kind.
    pub transport: &'static str,
    /// Calls that run now.
    pub in_flight: usize,
    /// Calls that wait now.
    pub waiting: usize,
    /// How many may run at once.
    pub concurrency: usize,
}

impl Bus {
    /// A bus without links.
    #[must_use]
    pub fn new(policies: Policies) -> Self {
        Self::build(policies, false)
    }

    /// A bus on which every call in this process goes through the codec, as it will after a split.
    #[must_use]
    pub fn strict(policies: Policies) -> Self {
        Self::build(policies, true)
    }

    fn build(policies: Policies, strict: bool) -> Self {
        Self(Arc::new(Inner { links: ArcSwap::default(), policies, strict }))
    }

    /// The limits in force.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.0.policies
    }

    /// Serves a port in this process, from the next call on.
    pub fn serve(&self, served: Served) {
        self.relink(served.port, Link::Local(Arc::new(served)));
    }

    /// Sends a port's calls to another process, from the next call on.
    pub fn connect(&self, port: &str, transport: Arc<dyn Transport>) {
        let policy = self.0.policies.port(port);
        let bulkhead = Bulkhead::new(policy.concurrency, policy.queue);
        self.relink(port, Link::Remote { transport, bulkhead });
    }

    /// Receives a module's events in this process.
    pub fn serve_inbox(&self, module: &str, inbox: Arc<dyn Receive>) {
        self.relink_inbox(module, Reach::Local(inbox));
    }

    /// Sends a module's events to another process.
    pub fn connect_inbox(&self, module: &str, transport: Arc<dyn Transport>) {
        self.relink_inbox(module, Reach::Remote(transport));
    }

    /// Operates a module in this process.
    pub fn serve_operations(&self, module: &str, operations: Arc<dyn Operations>) {
        self.relink_operations(module, Reach::Local(operations));
    }

    /// Operates a module in another process.
    pub fn connect_operations(&self, module: &str, transport: Arc<dyn Transport>) {
        self.relink_operations(module, Reach::Remote(transport));
    }

    fn relink_operations(&self, module: &str, reach: Reach<dyn Operations>) {
        self.0.links.rcu(|links| {
            let mut links = Links::clone(links);
            links.operations.insert(module.to_owned(), reach.clone());
            links
        });
    }

    /// The modules that can be operated from here.
    #[must_use]
    pub fn operated(&self) -> Vec<String> {
        self.0.links.load().operations.keys().cloned().collect()
    }

    /// Asks a module, wherever it is, for what an operator wants.
    ///
    /// # Errors
    /// [`BusError`] where no answer came.
    pub async fn operate(&self, module: &str, operation: Operation) -> Result<Outcome, BusError> {
        let name = operations_name(module);
        let context = Context::current().for_call(&name, self.0.policies.port(module).deadline)?;
        let reach = self.0.links.load().operations.get(module).cloned();
        let (deadline, headers) = (context.deadline(), context.to_headers());
        let asked = context.scope(async {
            match reach {
                None => Err(BusError::Unavailable { port: module.into() }),
                Some(Reach::Local(operations)) => operations.operate(operation).await,
                Some(Reach::Remote(transport)) => {
                    let answer = transport.request(&name, headers, encode(&name, &operation)?).await?;
                    decode(&name, &answer)
                }
            }
        });
        let deadline = deadline.unwrap_or_else(Instant::now);
        timeout_at(deadline, asked).await.map_err(|_| BusError::DeadlineExceeded { name: name.clone() })?
    }

    fn relink(&self, port: &str, link: Link) {
        self.0.links.rcu(|links| {
            let mut links = Links::clone(links);
            links.ports.insert(port.to_owned(), link.clone());
            links
        });
    }

    fn relink_inbox(&self, module: &str, inbox: Reach<dyn Receive>) {
        self.0.links.rcu(|links| {
            let mut links = Links::clone(links);
            links.inboxes.insert(module.to_owned(), inbox.clone());
            links
        });
    }

    /// Whether anything serves this port.
    #[must_use]
    pub fn has(&self, port: &str) -> bool {
        self.0.links.load().ports.contains_key(port)
    }

    /// How every port stands.
    #[must_use]
    pub fn status(&self) -> Vec<PortStatus> {
        let links = self.0.links.load();
        let describe = |(port, link): (&String, &Link)| {
            let (placement, transport, bulkhead) = match link {
                Link::Local(served) => ("local", "in_process", &served.runner.bulkhead),
                Link::Remote { transport, bulkhead } => ("remote", transport.kind(), bulkhead),
            };
            PortStatus {
                port: port.clone(),
                placement,
                transport,
                in_flight: bulkhead.in_flight(),
                waiting: bulkhead.waiting(),
                concurrency: bulkhead.capacity(),
            }
        };
        links.ports.iter().map(describe).collect()
    }

    /// Changes how many of a port's calls run at once, also while calls run and wait; zero refuses every
    /// call. `false` where nothing serves the port.
    pub fn set_concurrency(&self, port: &str, concurrency: usize) -> bool {
        let links = self.0.links.load();
        let link = links.ports.get(port);
        if let Some(Link::Local(served)) = link {
            served.runner.bulkhead.resize(concurrency);
        } else if let Some(Link::Remote { bulkhead, .. }) = link {
            bulkhead.resize(concurrency);
        }
        link.is_some()
    }

    /// Calls whatever serves the request's port.
    ///
    /// # Errors
    /// The port's error; a [`BusError`] inside where no answer came, which does not say that the request
    /// was not carried out.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Response, R::Error> {
        let default = self.0.policies.deadline(R::PORT, R::NAME);
        let context = Context::current().for_call(R::NAME, default)?;
        let link = self.0.links.load().ports.get(R::PORT).cloned();
        match link {
            None => Err(BusError::Unavailable { port: R::PORT.into() }.into()),
            Some(Link::Local(served)) if !self.0.strict => match served.handler::<R>() {
                Some(handler) => served.runner.run(context, handler, request).await,
                None => Err(BusError::UnknownName { name: R::NAME.into() }.into()),
            },
            // Boxed, so that a local call does not carry the size of a remote one around.
            Some(Link::Local(served)) => Box::pin(strict(&served, context, request)).await,
            Some(Link::Remote { transport, bulkhead }) => {
                Box::pin(remote(&*transport, &bulkhead, context, request)).await
            }
        }
    }

    /// Hands deliveries to a module's inbox and waits until they are committed there.
    ///
    /// # Errors
    /// [`BusError`] where that is not known: send all of them again.
    pub async fn deliver(
        &self,
        module: &str,
        deliveries: Vec<Delivery>,
        patience: Duration,
    ) -> Result<Vec<Receipt>, BusError> {
        let name = inbox_name(module);
        let context = Context::default().for_call(&name, patience)?;
        let inbox = self.0.links.load().inboxes.get(module).cloned();
        let deadline = context.deadline().unwrap_or_else(|| Instant::now() + patience);
        let headers = context.to_headers();
        let received = context.scope(async {
            match inbox {
                None => Err(BusError::Unavailable { port: module.into() }),
                Some(Reach::Local(inbox)) => {
                    let deliveries =
                        if self.0.strict { decode(&name, &encode(&name, &deliveries)?)? } else { deliveries };
                    receive(inbox, deliveries).await
                }
                Some(Reach::Remote(transport)) => {
                    let answer = transport.request(&name, headers, encode(&name, &deliveries)?).await?;
                    decode(&name, &answer)
                }
            }
        });
        timeout_at(deadline, received).await.map_err(|_| BusError::DeadlineExceeded { name: name.clone() })?
    }
}

/// A call in this process as if it came from elsewhere: nothing is shared but what the answer brings.
async fn strict<R: Request>(served: &Served, context: Context, request: R) -> Result<R::Response, R::Error> {
    let handler =
        served.bytes_handler(R::NAME).ok_or_else(|| BusError::UnknownName { name: R::NAME.into() })?;
    let inside = Context::from_headers(&context.to_headers());
    let answer = handler(inside, encode(R::NAME, &request)?).await?;
    unpack::<R>(&context, &answer)
}

async fn remote<R: Request>(
    transport: &dyn Transport,
    bulkhead: &Arc<Bulkhead>,
    context: Context,
    request: R,
) -> Result<R::Response, R::Error> {
    let late = || BusError::DeadlineExceeded { name: R::NAME.into() };
    // A call's context always has a deadline.
    let deadline = context.deadline().ok_or_else(late)?;
    let _permit = admit(bulkhead, R::PORT, R::NAME, deadline).await?;
    let bytes = encode(R::NAME, &request)?;
    let sent = transport.request(R::NAME, context.to_headers(), bytes);
    let answer = timeout_at(deadline, sent).await.map_err(|_| late())??;
    unpack::<R>(&context, &answer)
}

fn unpack<R: Request>(context: &Context, bytes: &[u8]) -> Result<R::Response, R::Error> {
    let answer: Answer<R::Response, R::Error> = decode(R::NAME, bytes)?;
    if answer.replayed {
        context.mark_replayed();
    }
    match answer.reply {
        Reply::Ok(response) => Ok(response),
        Reply::Error(error) => Err(error),
    }
}
