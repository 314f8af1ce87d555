//! What tests of the bus and of modules are made of: the suite that every placement passes, a socket
//! transport, faults, a clock to set, and waiting for a state. [`mod@wire`] is what every remote adapter passes too.

mod clock;
pub mod conformance;
mod faults;
mod placement;
pub mod postgres;
mod socket;
mod twice;
mod wait;
pub mod wire;

pub use clock::ManualClock;
pub use faults::{Fault, Faults, Faulty, FaultyInbox};
pub use placement::{Attachment, Placement, Standard, place};
pub use socket::{SocketServer, SocketTransport};
pub use twice::{Twice, each_request_twice};
pub use wait::eventually;
