//! Where the broker keeps events: one stream and one durable consumer a module, made by whoever needs them.

use crate::{connection::Connection, headers, nats::Shared};
use async_nats::{
    Error, Message,
    jetstream::{
        consumer::{AckPolicy, Consumer, pull},
        publish::PublishAck,
        response::Response,
        stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
    },
};
use std::time::Duration;

/// Longer than anybody is down whose events anybody still wants by this way; the outbox has them all.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the broker knows an id. Only a publish repeated by the same sending has the same.
const DUPLICATES: Duration = Duration::from_secs(120);

/// Batches that are handed out and not acknowledged, over all processes that serve a module: one each, and those of
/// the dead.
const MAX_ACK_PENDING: i64 = 64;

/// How often a batch is handed out. One that kills whoever reads it is given up; its sender has it.
const MAX_DELIVER: i64 = 5;

/// What the broker says of a batch that was sent to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It has it, now or since an earlier try.
    Yes,
    /// Nothing keeps what is sent there.
    NoStream,
    /// It does not take it, and why.
    Refused(String),
}

impl Kept {
    pub(crate) fn read(ack: &Message) -> Self {
        if headers::is_from_nobody(ack) {
            return Self::NoStream;
        }
        match serde_json::from_slice::<Response<PublishAck>>(&ack.payload) {
            Ok(Response::Ok(_)) => Self::Yes,
            Ok(Response::Err { error }) => Self::Refused(error.to_string()),
            Err(error) => Self::Refused(error.to_string()),
        }
    }
}

/// A module's stream, made where it is not there. One that is there is taken as it is.
pub(crate) async fn stream(connection: &Connection, shared: &Shared, module: &str) -> Result<Stream, Error> {
    let config = Config {
        name: shared.subjects.stream(module),
        subjects: vec![shared.subjects.events(module).to_string()],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_age: MAX_AGE,
        max_bytes: shared.settings.stream_bytes.into(),
        duplicate_window: DUPLICATES,
        num_replicas: shared.settings.stream_replicas,
        ..Config::default()
    };
    Ok(connection.jetstream.get_or_create_stream(config).await?)
}

/// A module's consumer, which all its processes share, with its stream.
pub(crate) async fn consumer(
    connection: &Connection,
    shared: &Shared,
    module: &str,
) -> Result<Consumer<pull::Config>, Error> {
    let config = pull::Config {
        durable_name: Some(module.to_owned()),
        ack_policy: AckPolicy::Explicit,
        // Never together with `backoff`, which would take its place.
        ack_wait: shared.settings.ack_wait,
        max_ack_pending: MAX_ACK_PENDING,
        max_deliver: MAX_DELIVER,
        ..pull::Config::default()
    };
    let stream = stream(connection, shared, module).await?;
    Ok(stream.get_or_create_consumer(module, config).await?)
}
