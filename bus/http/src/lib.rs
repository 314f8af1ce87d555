//! HTTP: a client transport with pooled keep-alive connections, and the listener that answers it.
#![warn(missing_docs)]
