//! What is declared at the broker. Both sides declare, so whoever comes first finds it, and a wiped broker is filled again.

use crate::names::Names;
use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

/// How long a queue of calls outlives its last consumer, in milliseconds. Not auto-delete, which would take the calls
/// along that a leaving process had been handed and not begun (C17); a server that is back in time finds them.
const CALLS_EXPIRE: i32 = 5_000;

/// How many calls wait at most; one more is refused.
const CALLS_WAIT: i32 = 10_000;

/// How many batches wait at most for a module that is away: its producers repeat theirs, each time another copy.
pub(crate) const BATCHES_WAIT: i32 = 64;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// How long a batch waits: as long as delivered rows stay in an outbox.
const BATCHES_EXPIRE: i64 = 7 * DAY;

/// How often a batch is handed over before it goes aside: to processes that died with it in their hands. Errors are
/// answered, not handed back. A broker would count to 20 and drop it (4.0), or to no end (3.10).
const HANDED_OVER: i32 = 10;

const DEAD_EXPIRE: i64 = 30 * DAY;
const DEAD_WAIT: i32 = 10_000;

/// Every broker has it, so nothing that a caller sends on its way out can close a channel.
pub(crate) const NOTICES: &str = "amq.direct";

/// Declares a queue of one's own in which those who serve a module hear of calls that are called off.
pub(crate) async fn declare_notices(
    channel: &Channel,
    names: &Names,
    module: &str,
) -> lapin::Result<ShortString> {
    let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), own, FieldTable::default()).await?.name().clone();
    let (route, options) = (names.notices(module), QueueBindOptions::default());
    channel.queue_bind(queue.clone(), NOTICES.into(), route, options, FieldTable::default()).await?;
    Ok(queue)
}

/// Declares a module's queue of calls. Lost with the broker's node, as its callers' patience is.
pub(crate) async fn declare_calls(
    channel: &Channel,
    names: &Names,
    module: &str,
) -> lapin::Result<ShortString> {
    let arguments = table([
        ("x-expires", AMQPValue::LongInt(CALLS_EXPIRE)),
        ("x-max-length", AMQPValue::LongInt(CALLS_WAIT)),
        ("x-overflow", text("reject-publish")),
    ]);
    channel.queue_declare(names.calls(module), QueueDeclareOptions::default(), arguments).await?;
    Ok(names.calls(module))
}

/// Declares the exchange, a module's queue of events, and where a batch goes that no inbox has had. Never dropped in
/// silence, though it would not matter: the producer's outbox has the batch, and repeats it until the inbox answers.
pub(crate) async fn declare_events(
    channel: &Channel,
    names: &Names,
    module: &str,
) -> lapin::Result<ShortString> {
    let lasting = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(names.dead(), ExchangeKind::Fanout, lasting, FieldTable::default()).await?;
    let dead = table([
        ("x-queue-type", text("quorum")),
        ("x-message-ttl", AMQPValue::LongLongInt(DEAD_EXPIRE)),
        ("x-max-length", AMQPValue::LongInt(DEAD_WAIT)),
    ]);
    queue(channel, names.dead(), dead, names.dead(), "").await?;

    channel.exchange_declare(names.exchange(), ExchangeKind::Topic, lasting, FieldTable::default()).await?;
    let events = table([
        ("x-queue-type", text("quorum")),
        ("x-message-ttl", AMQPValue::LongLongInt(BATCHES_EXPIRE)),
        ("x-max-length", AMQPValue::LongInt(BATCHES_WAIT)),
        ("x-delivery-limit", AMQPValue::LongInt(HANDED_OVER)),
        ("x-dead-letter-exchange", text(names.dead().as_str())),
        // These two belong together: a batch leaves its queue when the other one has it.
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]);
    queue(channel, names.events(module), events, names.exchange(), module).await?;
    Ok(names.events(module))
}

async fn queue(
    channel: &Channel,
    name: ShortString,
    arguments: FieldTable,
    exchange: ShortString,
    route: &str,
) -> lapin::Result<()> {
    let lasting = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.clone(), lasting, arguments).await?;
    let options = QueueBindOptions::default();
    channel.queue_bind(name, exchange, route.into(), options, FieldTable::default()).await
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(key.into(), value);
    }
    table
}
