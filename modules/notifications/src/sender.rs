//! The sender: claims what is due, sends it, marks it, a batch at a time; safe in several processes at once.

use crate::{
    address::{self, Addressee},
    journal::Entry,
    post::{Letter, Undelivered},
    service::Service,
    store::{self, Claimed, Outcome},
    templates::Rendered,
};
use bus::BusError;
use bus_durable::Decision;
use futures::StreamExt as _;
use kernel::NotificationId;
use notifications_ports::{NotificationStatus, Recipient};
use std::time::Duration;
use tokio::{sync::watch, time::Instant};

/// How much longer a claim holds than its slowest letter can take: time for the others of its batch.
const SLACK: Duration = Duration::from_secs(20);

/// Sends until the end.
pub(crate) async fn run(service: &Service, mut stop: watch::Receiver<bool>) {
    let mut rung = true;
    while !*stop.borrow() {
        let more = match round(service, rung, &stop).await {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(%error, "notifications could not be claimed or marked; they are sent again");
                false
            }
        };
        if more {
            continue;
        }
        tokio::select! {
            () = service.bell().notified() => rung = true,
            () = tokio::time::sleep(service.settings().poll) => rung = false,
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// One batch; whether there may be more.
async fn round(service: &Service, rung: bool, stop: &watch::Receiver<bool>) -> Result<bool, BusError> {
    let database = service.database();
    // Whoever rings does it inside a unit of work. A claim runs behind that unit in the same writer, so it sees its
    // row although a reader would not yet.
    if !rung && !store::is_due(database).await? {
        return Ok(false);
    }
    let lease = service.post().patience().saturating_add(SLACK);
    let last_start = Instant::now() + SLACK;
    let until = database.sources().now().after(lease);
    let batch = service.settings().batch.clamp(1, 1000);
    let claimed = store::claim(database, batch, until).await?;
    if claimed.is_empty() {
        return Ok(false);
    }
    let full = u32::try_from(claimed.len()).is_ok_and(|count| count == batch);
    let outcomes: Vec<(NotificationId, Outcome)> = futures::stream::iter(claimed)
        .map(|claimed| async move {
            let in_time = Instant::now() < last_start && !*stop.borrow();
            let outcome = if in_time { send(service, &claimed).await } else { Outcome::Untouched };
            (claimed.id, outcome)
        })
        .buffer_unordered(service.post().concurrency())
        .collect()
        .await;
    store::settle(database, service.post().channel(), until, outcomes).await?;
    Ok(full)
}

async fn send(service: &Service, claimed: &Claimed) -> Outcome {
    let outcome = match &claimed.addressed {
        Some((recipient, rendered)) => deliver(service, claimed, recipient, rendered).await.map(|()| None),
        None => match addressed(service, claimed).await {
            Ok(Some((recipient, rendered))) => {
                deliver(service, claimed, &recipient, &rendered).await.map(|()| Some((recipient, rendered)))
            }
            Ok(None) => return note(service, claimed, Outcome::Skipped),
            Err(undelivered) => Err(undelivered),
        },
    };
    let outcome = match outcome {
        Ok(found) => Outcome::Sent(found),
        Err(undelivered) => failed(service, claimed, undelivered),
    };
    note(service, claimed, outcome)
}

/// Asks once more for an address that could not be had when the event came; `None` where the user is gone.
async fn addressed(
    service: &Service,
    claimed: &Claimed,
) -> Result<Option<(Recipient, Rendered)>, Undelivered> {
    let patience = service.settings().address_timeout;
    match address::ask(service.users(), claimed.user, patience).await {
        Addressee::Known { email, name } => {
            let rendered = service.templates().render(claimed.template, &claimed.facts, &name);
            let reason = "the text could not be made";
            let rendered = rendered.map_err(|error| Undelivered {
                forever: false,
                reason: reason.into(),
                detail: error.to_string(),
            })?;
            Ok(Some((Recipient(email), rendered)))
        }
        Addressee::Gone => Ok(None),
        Addressee::Unknown(detail) => Err(Undelivered {
            forever: false,
            reason: "users cannot be asked for the address".into(),
            detail,
        }),
    }
}

async fn deliver(
    service: &Service,
    claimed: &Claimed,
    recipient: &Recipient,
    rendered: &Rendered,
) -> Result<(), Undelivered> {
    service.post().send(Letter { about: claimed, recipient, rendered }).await
}

fn failed(service: &Service, claimed: &Claimed, undelivered: Undelivered) -> Outcome {
    let Undelivered { forever, reason, detail } = undelivered;
    let decision = match forever {
        true => Decision::GiveUp,
        false => service.settings().retry().decide(claimed.tries, service.random()),
    };
    let (id, tries) = (claimed.id, claimed.tries);
    match decision {
        Decision::Again(after) => {
            tracing::warn!(notification = %id, tries, reason, "a notification is sent later");
            Outcome::Again { error: detail, after }
        }
        Decision::GiveUp => {
            tracing::error!(notification = %id, tries, reason, "a notification was given up");
            Outcome::Failed { error: detail }
        }
    }
}

/// Says in the log what was reached.
fn note(service: &Service, claimed: &Claimed, outcome: Outcome) -> Outcome {
    let status = match outcome {
        Outcome::Sent(_) => NotificationStatus::Sent,
        Outcome::Skipped => NotificationStatus::Skipped,
        _ => return outcome,
    };
    let Claimed { id, template, order, message_id, .. } = claimed;
    let (message_id, channel) = (message_id.clone(), service.post().channel());
    Entry { id: *id, template: *template, order: *order, message_id, channel, status }.write();
    outcome
}
