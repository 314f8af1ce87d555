//! Section 5.12, I17: addresses and passwords are where they belong, and nowhere else.

use crate::{
    smtp::{Act, MailServer},
    world::{Backend, CANARY, PASSWORD, World, log, new_id, placed, quick},
};
use kernel::OrderId;
use notifications::Settings;
use notifications_ports::{NotificationsPort as _, ORDER_PLACED, ResendNotification, USER_REGISTERED};
use users_ports::UserRegistered;

/// Every test of this binary logs, at every level, into what is looked at here; all their addresses are canaries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_and_no_password_gets_into_the_log() {
    // Servers like to repeat the address that they refuse.
    let acts = ["451 {to} later", "550 {to} unknown"].map(|answer| Act::Refuse(answer.into()));
    let refused = Act::RefuseSignIn("535 wrong password".into());
    let server = MailServer::start([refused].into_iter().chain(acts)).await;
    let smtp = Some(server.settings_with_password(PASSWORD));
    let by_mail = World::start(Backend::Sqlite, Settings { smtp, ..quick() }).await;
    let by_log = World::start(Backend::Sqlite, quick()).await;
    let mut rows = Vec::new();
    for world in [&by_mail, &by_log] {
        let (order, user) = (OrderId(new_id()), world.users.register(CANARY));
        world.tell(ORDER_PLACED, &placed(order, user)).await;
        world.settled().await;
        let user_id = world.users.register_at(CANARY, &format!("{CANARY} is no address"));
        world.tell(USER_REGISTERED, &UserRegistered { user_id, version: 1 }).await;
        world.settled().await;
        let row = world.of(order).await.remove(0);
        world.service.resend(ResendNotification { notification_id: row.id }).await.unwrap();
        world.settled().await;
        let debug = format!("{:?} {:?}", world.all().await, world.settings);
        assert!(!debug.contains(CANARY) && !debug.contains(PASSWORD), "{debug}");
        rows.push(row);
    }
    assert_eq!(server.mails().len(), 1, "the letter that was sent again after its refusal");
    let mut by_log = by_log;
    by_log.stop().await;
    let log = log();
    for row in rows {
        assert!(log.contains(&row.message_id), "the log says what there is to say: {}", row.message_id);
        assert!(log.contains(&format!("order={}", row.order_id.expect("of an order"))));
    }
    for secret in [CANARY, PASSWORD] {
        let found = log.lines().find(|line| line.contains(secret));
        assert_eq!(found, None, "{secret} is in the log");
    }
    let base64 = "AHNob3AAUHctQ0FOQVJZLTljMWU"; // \0shop\0 and the password, as AUTH PLAIN sends it
    assert!(server.signed_in().iter().any(|line| line.contains(base64)));
    assert!(!log.contains(base64));
}
