//! Where the instances of a module are, and which of them takes a call.
#![warn(missing_docs)]
