//! By e-mail: through refusals, crashes and several senders.

use crate::{
    smtp::{Act, MailServer},
    world::{Backend, PASSWORD, SOON, World, new_id, placed, quick},
};
use bus_testkit::eventually;
use kernel::OrderId;
use notifications::{Service, Settings, SmtpSettings, StartError};
use notifications_ports::{
    Channel, Notification, NotificationStatus, NotificationsPort as _, ORDER_PLACED, ResendNotification,
    USER_REGISTERED,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use users_ports::UserRegistered;

crate::on_both! {
    a_letter_says_what_happened_in_both_forms;
    /// F25: refused for now, then taken: one letter, with every attempt counted.
    a_letter_that_is_refused_for_now_is_tried_again;
    a_letter_that_is_refused_for_ever_fails_until_somebody_sends_it_again;
    tries_come_to_an_end;
    /// K-N1: it may arrive twice, under one Message-ID, which is how the receiving side can tell.
    a_crash_between_sending_and_marking_sends_the_same_message_again;
    /// K-N1 from the other side: the server took the letter and its answer was lost.
    a_lost_answer_sends_the_same_message_again;
    /// EVT-9, C4: of several senders one has a row.
    two_senders_send_nothing_twice;
    a_sign_in_that_is_refused_fails_nothing;
    a_stopped_sender_leaves_the_rest_for_the_next;
}

fn by(smtp: SmtpSettings) -> Settings {
    Settings { smtp: Some(smtp), ..quick() }
}

async fn placed_order(world: &World) -> OrderId {
    let (order, user) = (OrderId(new_id()), world.users.register("Ada"));
    world.tell(ORDER_PLACED, &placed(order, user)).await;
    world.handled().await;
    order
}

async fn only(world: &World, order: OrderId) -> Notification {
    let mut rows = world.of(order).await;
    assert_eq!(rows.len(), 1, "one row for each occurrence");
    rows.remove(0)
}

async fn a_letter_says_what_happened_in_both_forms(backend: Backend) {
    let server = MailServer::start([]).await;
    let world = World::start(backend, by(server.settings())).await;
    let order = placed_order(&world).await;
    world.settled().await;
    let row = only(&world, order).await;
    assert_eq!((row.status, row.channel, row.attempts), (NotificationStatus::Sent, Channel::Smtp, 1));
    let mail = server.mails().remove(0);
    assert_eq!(mail.message_id(), row.message_id);
    assert_eq!(mail.header("Subject"), ["Your order 17 is confirmed"]);
    assert_eq!(mail.header("To"), [row.recipient.expect("known").0]);
    assert!(mail.header("From")[0].contains("shop@shop.test"));
    assert_eq!(mail.header("Date").len(), 1);
    assert!(mail.text.contains("text/plain") && mail.text.contains("text/html"), "{}", mail.text);
    assert!(mail.text.contains("39.98 EUR") && mail.text.contains("Cup &amp; saucer"), "{}", mail.text);
}

async fn a_letter_that_is_refused_for_now_is_tried_again(backend: Backend) {
    let refusal = || Act::Refuse("451 try again later".into());
    let server = MailServer::start([refusal(), refusal(), refusal()]).await;
    let world = World::start(backend, by(server.settings())).await;
    let order = placed_order(&world).await;
    world.settled().await;
    let row = only(&world, order).await;
    assert_eq!((row.status, row.attempts), (NotificationStatus::Sent, 4));
    assert_eq!(server.mails().len(), 1);
    assert_eq!(server.mails()[0].message_id(), row.message_id);
}

async fn a_letter_that_is_refused_for_ever_fails_until_somebody_sends_it_again(backend: Backend) {
    let server = MailServer::start([Act::Refuse("550 no such user".into())]).await;
    let world = World::start(backend, by(server.settings())).await;
    let order = placed_order(&world).await;
    world.settled().await;
    let failed = only(&world, order).await;
    assert_eq!((failed.status, failed.attempts), (NotificationStatus::Failed, 1));
    assert!(server.mails().is_empty());
    let queued = world.service.resend(ResendNotification { notification_id: failed.id }).await.unwrap();
    assert_eq!((queued.status, &queued.message_id), (NotificationStatus::Pending, &failed.message_id));
    world.settled().await;
    let sent = only(&world, order).await;
    assert_eq!((sent.status, sent.attempts, sent.id), (NotificationStatus::Sent, 2, failed.id));
    // And once more, although it was sent.
    world.service.resend(ResendNotification { notification_id: failed.id }).await.unwrap();
    eventually("two letters", SOON, async || server.mails().len() == 2).await;
    world.settled().await;
    assert_eq!(only(&world, order).await.attempts, 3);
    let ids: BTreeSet<String> = server.mails().iter().map(|mail| mail.message_id()).collect();
    assert_eq!(ids, BTreeSet::from([failed.message_id]));
}

async fn tries_come_to_an_end(backend: Backend) {
    let refusals = (0..3).map(|_| Act::Refuse("451 try again later".into()));
    let server = MailServer::start(refusals).await;
    let world = World::start(backend, Settings { max_attempts: 3, ..by(server.settings()) }).await;
    let order = placed_order(&world).await;
    world.settled().await;
    let row = only(&world, order).await;
    assert_eq!((row.status, row.attempts), (NotificationStatus::Failed, 3));
    let sql = "SELECT COUNT(*) AS n FROM notification WHERE error LIKE '%451%'";
    assert_eq!(world.count(sql).await, 1, "the row says why");
}

async fn a_crash_between_sending_and_marking_sends_the_same_message_again(backend: Backend) {
    let server = MailServer::start([Act::Hold]).await;
    let world = World::start(backend, by(server.settings())).await;
    let order = placed_order(&world).await;
    eventually("the letter is out", SOON, async || server.mails().len() == 1).await;
    for worker in &world.workers {
        worker.abort();
    }
    assert_eq!(only(&world, order).await.status, NotificationStatus::Pending);
    let (_service, _workers) = world.another().await;
    // The claim of the dead is respected for as long as it holds.
    assert_eq!(server.mails().len(), 1);
    world.clock.forward(Duration::from_secs(600));
    world.settled().await;
    let row = only(&world, order).await;
    assert_eq!((row.status, row.attempts), (NotificationStatus::Sent, 2));
    let ids: Vec<String> = server.mails().iter().map(|mail| mail.message_id()).collect();
    assert_eq!(ids, [row.message_id.clone(), row.message_id]);
}

async fn a_lost_answer_sends_the_same_message_again(backend: Backend) {
    let server = MailServer::start([Act::HangUp]).await;
    let world = World::start(backend, by(server.settings())).await;
    let order = placed_order(&world).await;
    world.settled().await;
    let row = only(&world, order).await;
    assert_eq!((row.status, row.attempts), (NotificationStatus::Sent, 2));
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.message_id() == row.message_id));
    assert_eq!(mails[0].header("Date"), mails[1].header("Date"));
}

async fn two_senders_send_nothing_twice(backend: Backend) {
    let server = MailServer::start([]).await;
    let world = World::start(backend, Settings { batch: 8, ..by(server.settings()) }).await;
    let (_service, _workers) = world.another().await;
    let orders: Vec<OrderId> = (0..60).map(|_| OrderId(new_id())).collect();
    let told = orders.iter().map(|order| {
        let event = placed(*order, world.users.register("Ada"));
        let world = &world;
        async move { world.tell(ORDER_PLACED, &event).await }
    });
    futures::future::join_all(told).await;
    world.settled().await;
    let mails = server.mails();
    let ids: BTreeSet<String> = mails.iter().map(|mail| mail.message_id()).collect();
    assert_eq!((mails.len(), ids.len()), (60, 60));
    for order in orders {
        assert_eq!(only(&world, order).await.attempts, 1);
    }
}

async fn a_sign_in_that_is_refused_fails_nothing(backend: Backend) {
    let server = MailServer::start([Act::RefuseSignIn("535 wrong password".into())]).await;
    let world = World::start(backend, by(server.settings_with_password(PASSWORD))).await;
    let order = placed_order(&world).await;
    world.settled().await;
    let row = only(&world, order).await;
    assert_eq!((row.status, row.attempts), (NotificationStatus::Sent, 2));
    assert!(!server.signed_in().is_empty());
}

async fn a_stopped_sender_leaves_the_rest_for_the_next(backend: Backend) {
    let server = MailServer::start([]).await;
    let mut world = World::start(backend, by(server.settings())).await;
    world.stop().await;
    let order = placed_order(&world).await;
    assert_eq!(only(&world, order).await.status, NotificationStatus::Pending);
    let (service, _) = world.another().await;
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let _workers = service.workers(stopped);
    world.settled().await;
    assert_eq!(server.mails().len(), 1);
}

/// Section 5.12: what a user typed cannot add a header, a recipient or a line to the conversation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_user_typed_becomes_a_header() {
    let server = MailServer::start([]).await;
    let world = World::start(Backend::Sqlite, by(server.settings())).await;
    let evil = "Ada\r\nBcc: evil@example.test\r\n\r\n.\r\nMAIL FROM:<evil@example.test>";
    let user_id = world.users.register(evil);
    world.tell(USER_REGISTERED, &UserRegistered { user_id, version: 1 }).await;
    let addresses =
        ["a@b.test>\r\nRCPT TO:<evil@example.test", "a@b.test, evil@example.test", "A <a@b.test>"];
    for address in addresses {
        let user_id = world.users.register_at("Bob", &format!("canary-7f3a-{address}"));
        world.tell(USER_REGISTERED, &UserRegistered { user_id, version: 1 }).await;
    }
    world.settled().await;
    let mails = server.mails();
    assert_eq!(mails.len(), 1, "what is no address is written to nobody");
    assert!(mails[0].header("Bcc").is_empty());
    assert_eq!(mails[0].header("Subject").len(), 1);
    assert_eq!(mails[0].to, format!("RCPT TO:<{}>", world.users.email(user_id)));
    let failed = world.all().await.iter().filter(|one| one.status == NotificationStatus::Failed).count();
    assert_eq!(failed, addresses.len());
}

/// A server that cannot be reached, and settings with which nothing could be sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_a_sender_is_refused_and_one_without_a_server_is_not() {
    let server = MailServer::start([]).await;
    let world = World::start(Backend::Sqlite, quick()).await;
    let start = |settings| Service::start(world.database.clone(), Arc::new(world.bus.clone()), settings);
    let nowhere = Settings { smtp: Some(server.settings()), ..Settings::default() };
    assert!(matches!(start(nowhere).await, Err(StartError::Post(_))), "mail from cleave.invalid");
    let bad = Settings { from: "shop\r\nBcc: x".into(), ..quick() };
    assert!(matches!(start(bad).await, Err(StartError::Post(_))));
    let unreachable = SmtpSettings { port: Some(1), ..server.settings() };
    let world = World::start(Backend::Sqlite, by(unreachable)).await;
    let order = placed_order(&world).await;
    eventually("it was tried in vain", SOON, async || only(&world, order).await.attempts >= 2).await;
    assert_eq!(only(&world, order).await.status, NotificationStatus::Pending);
}
