//! The outbox: an event is a row of the transaction that caused it, with a delivery row per subscription.

use crate::batch::Piece;
use bus::{BusError, Context, Event, Sources, Subscription, Timestamp};
use sea_orm::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The events that exist and who subscribes to them, assembled from the ports crates of all modules, compiled
/// in or not, so that a lone producer knows its deliveries.
#[derive(Debug, Default)]
pub struct Catalogue {
    events: BTreeSet<&'static str>,
    subscriptions: BTreeMap<&'static str, Vec<Subscription>>,
}

/// Why a catalogue makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// A subscription to an event that nobody declares.
    #[error("{subscription} subscribes to {event}, which no module declares")]
    UnknownEvent {
        /// The subscription's id.
        subscription: &'static str,
        /// The event's name.
        event: &'static str,
    },
    /// Two subscriptions under one id would share one inbox.
    #[error("{0} is the id of two subscriptions")]
    Duplicate(&'static str),
}

impl Catalogue {
    /// A catalogue of these events and subscriptions.
    ///
    /// # Errors
    /// [`CatalogueError`] where an event is not declared or an id is used twice.
    pub fn new(
        events: impl IntoIterator<Item = &'static str>,
        subscriptions: impl IntoIterator<Item = Subscription>,
    ) -> Result<Self, CatalogueError> {
        let mut catalogue = Self { events: events.into_iter().collect(), ..Self::default() };
        let mut ids = BTreeSet::new();
        for subscription in subscriptions {
            if !catalogue.events.contains(subscription.event) {
                let (subscription, event) = (subscription.id, subscription.event);
                return Err(CatalogueError::UnknownEvent { subscription, event });
            }
            if !ids.insert(subscription.id) {
                return Err(CatalogueError::Duplicate(subscription.id));
            }
            catalogue.subscriptions.entry(subscription.event).or_default().push(subscription);
        }
        Ok(catalogue)
    }

    /// Who subscribes to an event; `None` for one that nobody declares.
    #[must_use]
    pub fn subscriptions(&self, event: &str) -> Option<&[Subscription]> {
        self.events.contains(event).then(|| self.subscriptions.get(event).map_or(&[][..], Vec::as_slice))
    }

    /// What a module subscribes to.
    pub fn of_module<'a>(&'a self, module: &'a str) -> impl Iterator<Item = &'a Subscription> + 'a {
        self.subscriptions.values().flatten().filter(move |subscription| subscription.module == module)
    }

    /// The modules that subscribe to anything.
    #[must_use]
    pub fn subscribers(&self) -> BTreeSet<&'static str> {
        self.subscriptions.values().flatten().map(|subscription| subscription.module).collect()
    }
}

/// The receipt of a publication: durable once the unit of work has been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The event's id.
    pub id: Uuid,
    /// How many subscriptions it is delivered to. With none, the event is parked and shows as a dead letter.
    pub subscriptions: usize,
}

/// An event on its way into the table.
pub(crate) struct OutboxRow {
    id: Uuid,
    name: &'static str,
    source: &'static str,
    key: String,
    sequence: i64,
    at: Timestamp,
    trace: String,
    data: String,
    subscriptions: Vec<Subscription>,
}

/// The subscription of an event that nobody subscribes to: parked, so that it can be seen.
pub(crate) const NOBODY: &str = "nobody";

pub(crate) fn row<E: Event>(
    event: &E,
    module: &'static str,
    catalogue: &Catalogue,
    sources: &Sources,
) -> Result<(OutboxRow, Published), BusError> {
    let subscriptions = catalogue.subscriptions(E::NAME).ok_or_else(|| {
        tracing::error!(event = E::NAME, "the catalogue does not declare this event");
        BusError::UnknownName { name: E::NAME.into() }
    })?;
    let data = serde_json::to_string(event).map_err(|error| BusError::failed(&error))?;
    let id = sources.id();
    let row = OutboxRow {
        id,
        name: E::NAME,
        source: module,
        key: event.key(),
        sequence: event.sequence(),
        at: sources.now(),
        trace: Context::current().trace.traceparent(),
        data,
        subscriptions: subscriptions.to_vec(),
    };
    Ok((row, Published { id, subscriptions: subscriptions.len() }))
}

/// What a group published: its events, then their deliveries, which have their places.
pub(crate) fn pieces(rows: &[OutboxRow]) -> [Piece; 2] {
    let mut deliveries = Vec::new();
    for row in rows {
        let delivery = |subscription: &'static str, module: &'static str, state: &'static str| {
            vec![
                row.id.into(),
                subscription.into(),
                module.into(),
                state.into(),
                row.at.micros().into(),
                row.key.as_str().into(),
            ]
        };
        if row.subscriptions.is_empty() {
            tracing::warn!(event = row.name, "nobody subscribes to this event: parked");
            metrics::counter!("outbox_unsubscribed_total", "event" => row.name).increment(1);
            deliveries.push(delivery(NOBODY, NOBODY, "parked"));
        }
        deliveries.extend(row.subscriptions.iter().map(|s| delivery(s.id, s.module, "pending")));
    }
    let events = rows.iter().map(|row| {
        vec![
            Value::from(row.id),
            row.name.into(),
            row.source.into(),
            row.key.as_str().into(),
            row.sequence.into(),
            row.at.micros().into(),
            row.trace.as_str().into(),
            row.data.as_str().into(),
        ]
    });
    [(EVENTS, events.collect()), (DELIVERIES, deliveries)].map(|(sql, rows)| Piece {
        sql: sql.into(),
        rows,
        must_match: true,
    })
}

const EVENTS: &str =
    "INSERT INTO outbox (id, name, source, key, sequence, at, trace, data) SELECT * FROM {values}";

const DELIVERIES: &str = "\
    INSERT INTO outbox_delivery (position, subscription, module, state, at, key) \
    SELECT o.position, v.column2, v.column3, v.column4, v.column5, v.column6 \
    FROM {values} JOIN {published} AS o ON o.id = v.column1";

/// `$3, $4, $5` for three binds after two others.
pub(crate) fn binds(after: usize, count: usize) -> String {
    (after + 1..=after + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}
