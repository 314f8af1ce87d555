//! Whose events a batch tells: the `source` of each, and nothing else of it.

use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Sourced<'a> {
    /// Twice in one event, it is refused: two readers might take another one each.
    #[serde(borrow)]
    source: Cow<'a, str>,
}

/// The modules that a CloudEvents batch (`application/cloudevents-batch+json`) names as sources, in order; `None` where
/// it cannot be read. `/orders` is `orders`.
pub(crate) fn sources(batch: &[u8]) -> Option<Vec<Cow<'_, str>>> {
    let events: Vec<Sourced<'_>> = serde_json::from_slice(batch).ok()?;
    Some(events.into_iter().map(module).collect())
}

fn module(event: Sourced<'_>) -> Cow<'_, str> {
    match event.source {
        Cow::Borrowed(source) => Cow::Borrowed(source.strip_prefix('/').unwrap_or(source)),
        Cow::Owned(source) => Cow::Owned(source.strip_prefix('/').map(str::to_owned).unwrap_or(source)),
    }
}
