//! What every implementation of the port does, wherever it is served; each request at least once.
//!
//! Run it directly, over an actor, and over a transport that sends each request twice.

use crate::{
    CheckNotifications, ListNotifications, Notification, NotificationStatus, NotificationsError,
    NotificationsOf, NotificationsPort, ResendNotification, Template,
};
use bus::{Command, Context};
use kernel::{Cursor, NotificationId, OrderId, PageLimit, PageRequest};
use std::sync::Arc;
use uuid::Uuid;

/// What has happened before the suite starts, by events.
#[derive(Debug, Clone, Copy)]
pub struct Happened {
    /// An order that was placed and then cancelled; both were told to its buyer.
    pub told: OrderId,
    /// An order that was placed by a user who is gone since.
    pub buyer_gone: OrderId,
    /// Sets this run's idempotency key apart from other runs' on the same database.
    pub run: Uuid,
}

/// Runs the suite.
///
/// # Panics
/// Where the port does something else.
pub async fn contract(port: Arc<dyn NotificationsPort>, happened: Happened) {
    let of = |order_id| port.of_order(NotificationsOf { order_id });
    let told = of(happened.told).await.expect("its notifications");
    let templates: Vec<Template> = told.iter().map(|notification| notification.template).collect();
    assert_eq!(templates, [Template::OrderConfirmation, Template::OrderCancelled], "the oldest first");
    assert!(told.iter().all(|one| one.order_id == Some(happened.told) && one.recipient.is_some()));
    assert!(told.iter().all(|one| one.message_id.contains(&one.id.to_string())));
    let unknown = OrderId(Uuid::from_u128(1));
    assert_eq!(of(unknown).await, Ok(Vec::new()), "nothing was told about an order that is not known");

    lists(&*port, happened, &told).await;
    resends(&*port, happened, &told[0]).await;

    let checks = port.check(CheckNotifications {}).await.expect("the checks");
    assert!(!checks.is_empty(), "there is something to promise");
    assert!(checks.iter().all(|check| check.violations == 0), "{checks:?}");
}

async fn lists(port: &dyn NotificationsPort, happened: Happened, told: &[Notification]) {
    let one = PageLimit::try_from(1).expect("in range");
    let list = |cursor| {
        let page = PageRequest { limit: one, cursor };
        port.list(ListNotifications { order_id: Some(happened.told), page })
    };
    let newest = list(None).await.expect("a page");
    assert_eq!(newest.data, told[1..], "the newest first");
    let rest = list(newest.next_cursor).await.expect("a page");
    assert_eq!((rest.data, rest.next_cursor), (told[..1].to_vec(), None));
    let foreign = Cursor::from_client("of another list".into());
    assert_eq!(list(Some(foreign)).await, Err(NotificationsError::InvalidCursor));
    let page = PageRequest { limit: PageLimit::MAX, cursor: None };
    let all = port.list(ListNotifications { order_id: None, page }).await.expect("a page");
    assert!(told.iter().all(|one| all.data.contains(one)), "all orders' are among all");
}

async fn resends(port: &dyn NotificationsPort, happened: Happened, sent: &Notification) {
    let resend = |notification_id| {
        let mut context = Context::current();
        let id = format!("contract:{}:{notification_id}", happened.run);
        context.command = Some(Arc::new(Command { id, fingerprint: "resend".into() }));
        context.scope(port.resend(ResendNotification { notification_id }))
    };
    let again = resend(sent.id).await.expect("it is sent again");
    assert_eq!((again.id, &again.message_id), (sent.id, &sent.message_id), "the same one");
    assert!(matches!(again.status, NotificationStatus::Pending | NotificationStatus::Sent));
    assert_eq!(resend(sent.id).await, Ok(again), "the same key is the same answer");
    let rows = port.of_order(NotificationsOf { order_id: happened.told }).await.expect("its notifications");
    assert_eq!(rows.len(), 2, "no row more");

    let unknown = NotificationId(Uuid::from_u128(1));
    assert_eq!(resend(unknown).await, Err(NotificationsError::NotFound));
    let skipped = port.of_order(NotificationsOf { order_id: happened.buyer_gone }).await.expect("one");
    assert_eq!((skipped.len(), skipped[0].status), (1, NotificationStatus::Skipped));
    assert_eq!(skipped[0].recipient, None);
    assert_eq!(resend(skipped[0].id).await, Err(NotificationsError::NobodyToTell));
}
