//! The gateway over real sockets: what a client sees, whatever it sends.

mod answers;
mod client;
mod fixture;
mod framing;
mod identity;
mod limits;
mod operations;
mod problems;
mod stopping;
mod things;
mod writes;
