//! A shop in another process, the faults on the way there, and what it has seen.

use async_trait::async_trait;
use bus::{
    Bus, BusError, Context, Direct, Endpoints, ErrorKind, Policies, PortError, PortStatus, Resilience,
    Served, Transport,
};
use bus_testkit::{Faults, Faulty};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

bus::port! {
    /// Looks and takes.
    "shop" pub(crate) trait ShopPort {
        #[query]
        /// How much there is.
        async fn look(&self, request: Look) -> Result<u32, ShopError>;
        #[command]
        /// Takes one away.
        async fn take(&self, request: Take) -> Result<u32, ShopError>;
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Look {}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Take {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum ShopError {
    #[error("sold out")]
    SoldOut,
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for ShopError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::SoldOut => ErrorKind::Conflict,
            Self::Unavailable(error) => error.kind(),
        }
    }

    fn bus(&self) -> Option<&BusError> {
        match self {
            Self::SoldOut => None,
            Self::Unavailable(error) => Some(error),
        }
    }
}

/// Answers with what it was given, then with zero; writes down which attempt each call was, and under which key.
#[derive(Default)]
pub(crate) struct Shop {
    answers: Mutex<VecDeque<Result<u32, ShopError>>>,
    seen: Mutex<Vec<(u32, Option<String>)>>,
}

impl Shop {
    pub(crate) fn will_answer(&self, answers: impl IntoIterator<Item = Result<u32, ShopError>>) {
        self.answers.lock().expect("not poisoned").extend(answers);
    }

    /// The attempts that have arrived since this was last asked.
    pub(crate) fn attempts(&self) -> Vec<u32> {
        self.seen.lock().expect("not poisoned").drain(..).map(|(attempt, _)| attempt).collect()
    }

    pub(crate) fn keys(&self) -> Vec<Option<String>> {
        self.seen.lock().expect("not poisoned").drain(..).map(|(_, key)| key).collect()
    }

    fn answer(&self) -> Result<u32, ShopError> {
        let context = Context::current();
        self.seen
            .lock()
            .expect("not poisoned")
            .push((context.attempt, context.key.map(|key| key.to_string())));
        self.answers.lock().expect("not poisoned").pop_front().unwrap_or(Ok(0))
    }
}

#[async_trait]
impl ShopPort for Shop {
    async fn look(&self, _: Look) -> Result<u32, ShopError> {
        self.answer()
    }

    async fn take(&self, _: Take) -> Result<u32, ShopError> {
        self.answer()
    }
}

/// A bus that calls the shop as if it were in another process.
pub(crate) struct World {
    pub(crate) bus: Bus,
    pub(crate) shop: Arc<Shop>,
    pub(crate) faults: Arc<Faults>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Resilience)) -> Self {
        let mut resilience = Resilience::default();
        change(&mut resilience);
        Self::under(Policies::default().with_resilience(resilience).expect("sound"))
    }

    pub(crate) fn under(policies: Policies) -> Self {
        let (shop, faults) = (Arc::new(Shop::default()), Faults::none());
        let bus = Bus::new(policies);
        let there = Arc::new(served(&shop));
        bus.connect("shop", Arc::new(Faulty::new(there, Arc::clone(&faults))));
        Self { bus, shop, faults }
    }

    /// A bus on which the only instance is a transport.
    pub(crate) fn bus_to(transport: Arc<dyn Transport>) -> Bus {
        let bus = Bus::new(Policies::default());
        bus.connect("shop", transport);
        bus
    }

    pub(crate) async fn look(&self) -> Result<u32, ShopError> {
        self.bus.look(Look {}).await
    }

    /// A look with so much time for all of it.
    pub(crate) async fn look_within(&self, millis: u64) -> Result<u32, ShopError> {
        bus::within(Duration::from_millis(millis), self.bus.look(Look {})).await
    }

    pub(crate) fn status(&self) -> PortStatus {
        self.bus.status().into_iter().find(|it| it.port == "shop").expect("it is linked")
    }
}

/// The shop's serving half.
pub(crate) fn served(shop: &Arc<Shop>) -> Endpoints {
    let service = Arc::clone(shop) as Arc<dyn ShopPort>;
    Endpoints::default().with_port(&Served::new(service, Arc::new(Direct), &Policies::default()))
}

pub(crate) fn unavailable() -> ShopError {
    BusError::Unavailable { port: "shop".into() }.into()
}

pub(crate) fn late() -> ShopError {
    BusError::DeadlineExceeded { name: "shop.look".into() }.into()
}
