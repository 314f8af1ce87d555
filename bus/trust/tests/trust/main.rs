//! Calls and events between processes are taken from whom they must be taken, and from nobody else.

mod answers;
mod clocks;
mod conformance;
mod events;
mod garbage;
mod identity;
mod keys;
mod log;
mod permissions;
mod seals;
mod tampering;
mod world;
