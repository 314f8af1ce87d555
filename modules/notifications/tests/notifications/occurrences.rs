//! One row for each occurrence, and what the port says of it.

use crate::world::{Backend, World, cancelled, eur, new_id, placed, quick, refunded};
use bus::{Command, Context};
use bus_durable::Catalogue;
use bus_testkit::eventually;
use kernel::{NotificationId, OrderId, PageLimit, PageRequest, RefundId};
use notifications_ports::{
    CheckNotifications, ListNotifications, NotificationStatus, NotificationsError, NotificationsPort as _,
    ORDER_CANCELLED, ORDER_EXPIRED, ORDER_PLACED, PAYMENT_REFUNDED, ResendNotification, SUBSCRIPTIONS,
    Template, USER_REGISTERED,
};
use orders_ports::OrderExpired;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use users_ports::UserRegistered;
use uuid::Uuid;

crate::on_both! {
    /// F25, EVT-13, B9: the same message, and the same occurrence under other message ids.
    repeated_events_make_one_row;
    every_event_has_its_notification;
    /// The table's rows of a user who is gone say so, and hold nothing to send.
    a_user_who_is_gone_is_told_nothing;
    /// F25: users that are away turn no confirmation into a dead letter.
    users_that_are_away_delay_and_lose_nothing;
    sending_again_keeps_the_row_and_its_message_id;
    /// 5.5: the key's first outcome is the answer.
    sending_again_under_one_key_happens_once;
    /// B24: rows are added while the list is walked.
    a_walk_through_the_list_meets_every_earlier_row_once;
    a_notification_that_waits_too_long_is_a_violation;
}

async fn repeated_events_make_one_row(backend: Backend) {
    let world = World::start(backend, quick()).await;
    let (order, user) = (OrderId(new_id()), world.users.register("Ada"));
    let (event, message) = (placed(order, user), new_id());
    for _ in 0..3 {
        world.deliver(ORDER_PLACED, message, &event).await;
    }
    let others = (0..10).map(|_| world.tell(ORDER_PLACED, &event));
    futures::future::join_all(others).await;
    world.handled().await;
    let first = world.of(order).await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].status, first[0].attempts), (NotificationStatus::Sent, 1));
    assert_eq!(first[0].message_id, format!("<{}@shop.test>", first[0].id));
    // Much later, from a backup of the queue: still the same row.
    world.clock.forward(Duration::from_secs(8 * 24 * 3600));
    world.tell(ORDER_PLACED, &event).await;
    world.handled().await;
    assert_eq!(world.of(order).await, first);
}

async fn every_event_has_its_notification(backend: Backend) {
    let world = World::start(backend, quick()).await;
    let (order, lost, user) = (OrderId(new_id()), OrderId(new_id()), world.users.register("Ada"));
    world.tell(USER_REGISTERED, &UserRegistered { user_id: user, version: 1 }).await;
    world.tell(ORDER_PLACED, &placed(order, user)).await;
    world.tell(ORDER_CANCELLED, &cancelled(order, user)).await;
    let expired = OrderExpired { order_id: lost, user_id: user, total: eur(5), version: 2 };
    world.tell(ORDER_EXPIRED, &expired).await;
    for refund in [RefundId(new_id()), RefundId(new_id())] {
        for _ in 0..2 {
            world.tell(PAYMENT_REFUNDED, &refunded(order, user, refund)).await;
        }
    }
    world.handled().await;
    let mut told: Vec<Template> = world.of(order).await.iter().map(|one| one.template).collect();
    told.sort();
    let both = [Template::RefundIssued, Template::RefundIssued];
    assert_eq!(told, [&[Template::OrderConfirmation, Template::OrderCancelled], &both[..]].concat());
    assert_eq!(world.of(lost).await[0].template, Template::OrderExpired);
    let all = world.all().await;
    assert_eq!(all.len(), 6);
    let welcome = all.iter().find(|one| one.template == Template::Welcome).expect("a welcome");
    assert_eq!((welcome.order_id, welcome.user_id), (None, user));
    let email = world.users.email(user);
    assert!(all.iter().all(|one| one.recipient.as_ref().is_some_and(|recipient| recipient.0 == email)));
    let sql = "SELECT COUNT(*) AS n FROM notification WHERE subject = 'Your order 17 is confirmed' \
               AND body_text LIKE '%2 × Cup & saucer: 39.98 EUR%' AND body_html IS NULL";
    assert_eq!(world.count(sql).await, 1, "the text is kept; nobody looks at HTML in a log");
}

async fn a_user_who_is_gone_is_told_nothing(backend: Backend) {
    let world = World::start(backend, quick()).await;
    let (order, user) = (OrderId(new_id()), world.users.register("Ada"));
    world.users.forget(user);
    world.tell(ORDER_PLACED, &placed(order, user)).await;
    world.handled().await;
    let row = world.of(order).await.remove(0);
    assert_eq!((row.status, row.recipient, row.attempts), (NotificationStatus::Skipped, None, 0));
    let sql = "SELECT COUNT(*) AS n FROM notification WHERE body_text IS NULL AND facts IS NULL";
    assert_eq!(world.count(sql).await, 1);
    let resent = world.service.resend(ResendNotification { notification_id: row.id }).await;
    assert_eq!(resent, Err(NotificationsError::NobodyToTell));
}

async fn users_that_are_away_delay_and_lose_nothing(backend: Backend) {
    let world = World::start(backend, quick()).await;
    let (order, user) = (OrderId(new_id()), world.users.register("Ada"));
    let (later_gone, gone) = (OrderId(new_id()), world.users.register("Bob"));
    world.users.set_away(true);
    world.tell(ORDER_PLACED, &placed(order, user)).await;
    world.tell(ORDER_PLACED, &placed(later_gone, gone)).await;
    world.handled().await;
    eventually("it was tried in vain", Duration::from_secs(20), async || {
        let row = world.of(order).await.remove(0);
        assert_eq!((row.status, row.recipient), (NotificationStatus::Pending, None));
        row.attempts >= 2
    })
    .await;
    world.users.forget(gone);
    world.users.set_away(false);
    world.settled().await;
    let row = world.of(order).await.remove(0);
    assert_eq!(row.status, NotificationStatus::Sent);
    assert_eq!(row.recipient.expect("known by now").0, world.users.email(user));
    assert_eq!(world.of(later_gone).await[0].status, NotificationStatus::Skipped);
    let sql = "SELECT COUNT(*) AS n FROM notification WHERE body_text LIKE '%Hello Ada%' AND facts IS NULL";
    assert_eq!(world.count(sql).await, 1, "the text was made when the name was known");
    assert_eq!(world.count("SELECT COUNT(*) AS n FROM inbox WHERE state = 'dead'").await, 0);
}

async fn sending_again_keeps_the_row_and_its_message_id(backend: Backend) {
    let world = World::start(backend, quick()).await;
    let (order, user) = (OrderId(new_id()), world.users.register("Ada"));
    world.tell(ORDER_PLACED, &placed(order, user)).await;
    world.handled().await;
    let first = world.of(order).await.remove(0);
    let again = world.service.resend(ResendNotification { notification_id: first.id }).await.unwrap();
    assert_eq!((again.attempts, again.status), (2, NotificationStatus::Sent));
    assert_eq!((again.id, &again.message_id, again.at), (first.id, &first.message_id, first.at));
    assert_eq!(world.of(order).await, [again]);
    let unknown = ResendNotification { notification_id: NotificationId(new_id()) };
    assert_eq!(world.service.resend(unknown).await, Err(NotificationsError::NotFound));
}

async fn sending_again_under_one_key_happens_once(backend: Backend) {
    let world = World::start(backend, quick()).await;
    let (order, user) = (OrderId(new_id()), world.users.register("Ada"));
    world.tell(ORDER_PLACED, &placed(order, user)).await;
    world.handled().await;
    let notification_id = world.of(order).await[0].id;
    let resend = |fingerprint: &str| {
        let mut context = Context::default();
        context.command = Some(Arc::new(Command { id: "staff:k".into(), fingerprint: fingerprint.into() }));
        context.scope(world.service.resend(ResendNotification { notification_id }))
    };
    let answers = futures::future::join_all((0..8).map(|_| resend("f"))).await;
    assert!(answers.iter().all(|answer| answer == &answers[0] && answer.is_ok()));
    assert_eq!(world.of(order).await[0].attempts, 2);
    assert!(resend("another").await.is_err(), "another request under the same key");
}

async fn a_walk_through_the_list_meets_every_earlier_row_once(backend: Backend) {
    let world = World::start(backend, quick()).await;
    let user = world.users.register("Ada");
    for _ in 0..7 {
        world.tell(ORDER_PLACED, &placed(OrderId(new_id()), user)).await;
    }
    world.handled().await;
    let before: BTreeSet<NotificationId> = world.all().await.iter().map(|one| one.id).collect();
    assert_eq!(before.len(), 7);
    let (mut met, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest { limit: PageLimit::try_from(2).unwrap(), cursor };
        let page = world.service.list(ListNotifications { order_id: None, page }).await.unwrap();
        met.extend(page.data.iter().map(|one| one.id));
        world.tell(ORDER_PLACED, &placed(OrderId(new_id()), user)).await;
        world.handled().await;
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert!(met.is_sorted_by(|newer, older| newer > older), "the newest first, none twice");
    assert_eq!(met.into_iter().collect::<BTreeSet<_>>(), before);
}

async fn a_notification_that_waits_too_long_is_a_violation(backend: Backend) {
    let world = World::start(backend, quick()).await;
    let (order, user) = (OrderId(new_id()), world.users.register("Ada"));
    world.users.set_away(true);
    world.tell(ORDER_PLACED, &placed(order, user)).await;
    world.handled().await;
    let violations = async || {
        let checks = world.service.check(CheckNotifications {}).await.unwrap();
        checks.into_iter().filter(|check| check.violations > 0).collect::<Vec<_>>()
    };
    assert_eq!(violations().await, []);
    world.clock.forward(world.settings.waiting_at_most + Duration::from_secs(1));
    let found = violations().await;
    let id = world.of(order).await[0].id.to_string();
    assert_eq!((found.len(), found[0].violations, &found[0].sample), (1, 1, &vec![id]));
}

/// C2: every subscription names an event that its module declares.
#[test]
fn the_subscriptions_fit_the_events() {
    let events = [orders_ports::EVENTS, payments_ports::EVENTS, users_ports::EVENTS].concat();
    let catalogue = Catalogue::new(events, SUBSCRIPTIONS.iter().copied()).expect("they fit");
    assert_eq!(catalogue.of_module("notifications").count(), 5);
    assert!(Uuid::max() > new_id(), "lists begin above every id");
}
