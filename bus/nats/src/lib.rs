//! NATS: calls by request and reply in queue groups, events through JetStream.
#![warn(missing_docs)]
