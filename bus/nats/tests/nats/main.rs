//! The adapter against real brokers: the shared one at `TEST_NATS_URL` under a namespace of each test's own, and servers
//! that a test starts because it kills them.

mod batches;
mod broker;
mod cable;
mod calls;
mod credentials;
mod placement;
mod recovery;
mod scratch;
mod shop;
mod strangers;
mod wire;
