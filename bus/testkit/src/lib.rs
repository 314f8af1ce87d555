//! What tests of the bus and of modules are made of: the suite that every placement passes, a socket
//! transport, TLS before a server, faults, a clock to set, and waiting for a state. [`mod@wire`] is what every remote
//! adapter passes too.

mod address;
mod clock;
pub mod conformance;
mod encrypted;
mod faults;
mod placement;
pub mod postgres;
mod socket;
mod twice;
mod wait;
pub mod wire;

pub use address::{free_address, free_listener};
pub use clock::ManualClock;
pub use encrypted::Encrypted;
pub use faults::{Fault, Faults, Faulty, FaultyInbox};
pub use placement::{Attachment, Placement, Standard, place};
pub use socket::{SocketServer, SocketTransport};
pub use twice::{Twice, each_request_twice};
pub use wait::eventually;
