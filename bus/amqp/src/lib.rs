//! RabbitMQ: calls by direct reply-to, events through quorum queues.
#![warn(missing_docs)]
