//! The bus: ports written once, called the same way wherever they are served.
//!
//! A module declares its port with [`port!`] and hands its implementation to [`Bus::serve`] (in this
//! process) or to [`Endpoints`] (for other processes). A caller holds the port's trait and cannot tell
//! what stands behind it: every placement keeps the same semantics, listed in ARCHITECTURE.md.
#![warn(missing_docs)]

mod answers;
mod breaker;
mod bulkhead;
mod bus;
mod call;
mod clock;
mod context;
mod endpoints;
mod envelope;
mod error;
mod event;
mod fallback;
mod moving;
mod operations;
mod patient;
mod policy;
mod port;
mod resilience;
mod retry;
mod serve;
mod shadow;
mod site;
mod transport;

pub use self::bus::{Bus, PortStatus};
pub use breaker::{BreakerRule, BreakerState, BreakerStatus, Forced};
pub use bulkhead::{Bulkhead, Permit};
pub use clock::{Clock, Ids, Sources, SystemClock, Timestamp, V7Ids};
pub use context::{Caller, Command, Context, Headers, Role, TraceContext, keyed, spawn, within};
pub use endpoints::Endpoints;
pub use error::{BusError, ErrorKind, Incident, PortError};
pub use event::{Delivery, Event, Message, OnDeadLetter, Receipt, Receive, Subscription};
pub use fallback::answered_or;
pub use moving::{Held, Left};
pub use operations::{DeadLetter, DeadLetterId, Operation, Operations, Outcome, Phase, SagaEntry, SagaView};
pub use patient::Patient;
pub use policy::{Explained, InvalidPolicy, Policies, Policy, Resilience, Scope};
pub use port::{CallKind, Exporter, Handler, Port, Request, RequestInfo};
pub use retry::RetryRule;
pub use serve::{Direct, Executor, Job, Served};
pub use shadow::ShadowReport;
pub use transport::{Listener, Transport};

#[doc(hidden)]
pub mod __macro {
    //! What the expansion of [`port!`](crate::port) names.
    pub use async_trait::async_trait;
}
