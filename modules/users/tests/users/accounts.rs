//! Accounts: one per address, an admin at all times, and nothing left of who leaves.

use crate::world::{ADMIN, ADMIN_PASSWORD, EMAIL, PASSWORD, Store, World, id, login, registration, settings};
use bus::Role;
use kernel::{PageLimit, PageRequest, UserId};
use std::net::IpAddr;
use users::{AdminSettings, Settings, StartError};
use users_ports::{
    ChangeRole, CreateSession, EraseUser, ListUsers, RegisterUser, Secret, User, UserRegistered, UsersError,
    UsersPort as _,
};

on_both!(
    one_address_is_registered_once,
    registrations_are_throttled_by_address,
    a_registration_is_told_without_the_address,
    a_list_walked_while_rows_are_added_gives_each_earlier_row_once,
    two_admins_cannot_demote_each_other,
    nothing_of_an_erased_user_is_left,
    a_hash_with_less_effort_is_renewed_at_login,
);

/// Ten at once: one account, whoever wins.
async fn one_address_is_registered_once(world: World) {
    let tries = (0..10).map(|n| {
        let email = if n % 2 == 0 { EMAIL.to_owned() } else { EMAIL.to_uppercase() };
        let world = &world;
        async move { world.service.register(registration(&email)).await }
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let taken = answers.iter().filter(|answer| **answer == Err(UsersError::EmailTaken)).count();
    assert_eq!(taken, 9);
}

async fn registrations_are_throttled_by_address(world: World) {
    let client = Some(IpAddr::from([192, 0, 2, 9]));
    let limit = Settings::default().registrations_per_minute;
    for n in 0..limit {
        // Taken addresses count as well: they tell who is registered. And they cost nothing to test.
        let request = RegisterUser { client, ..registration(ADMIN) };
        assert_eq!(world.service.register(request).await, Err(UsersError::EmailTaken), "{n}");
    }
    let request = RegisterUser { client, ..registration(EMAIL) };
    let refused = world.service.register(request.clone()).await;
    assert!(matches!(refused, Err(UsersError::RateLimited { .. })), "{refused:?}");
    let elsewhere = RegisterUser { client: Some(IpAddr::from([192, 0, 2, 10])), ..request };
    world.service.register(elsewhere).await.expect("registered");
}

/// Section 5.12: the address is in the users' database only, so no event carries it.
async fn a_registration_is_told_without_the_address(world: World) {
    let user = world.register(EMAIL).await;
    let sql = "SELECT name, key, data FROM outbox";
    let rows = world.database.reader().rows(sql, []).await.expect("read");
    assert_eq!(rows.len(), 1);
    let data: String = rows[0].get("data").expect("there");
    let event: UserRegistered = serde_json::from_str(&data).expect("the event");
    assert_eq!(event, UserRegistered { user_id: user.id, version: 1 });
    assert!(!data.contains("canary"));
}

async fn a_list_walked_while_rows_are_added_gives_each_earlier_row_once(world: World) {
    let mut earlier = vec![world.sign_in(ADMIN, ADMIN_PASSWORD).await.expect("signed in").user.id];
    for n in 0..4 {
        earlier.push(world.register(&format!("{n}@example.test")).await.id);
    }
    let limit = PageLimit::try_from(2).expect("in range");
    let (mut seen, mut cursor, mut added) = (Vec::new(), None, 4);
    loop {
        let page = world
            .service
            .list_users(ListUsers { page: PageRequest { limit, cursor } })
            .await
            .expect("a page");
        seen.extend(page.data.iter().map(|user| user.id));
        cursor = page.next_cursor;
        if cursor.is_none() || added > 6 {
            break;
        }
        world.register(&format!("{added}@example.test")).await;
        added += 1;
    }
    for id in earlier {
        assert_eq!(seen.iter().filter(|seen| **seen == id).count(), 1);
    }
}

fn role(user_id: UserId, role: Role) -> ChangeRole {
    ChangeRole { user_id, change_id: id(), role, expected_version: None }
}

async fn two_admins(world: &World) -> (User, User) {
    let first = world.sign_in(ADMIN, ADMIN_PASSWORD).await.expect("signed in").user;
    let second = world.register(EMAIL).await;
    let second = world.service.change_role(role(second.id, Role::Admin)).await.expect("promoted");
    (first, second)
}

async fn two_admins_cannot_demote_each_other(world: World) {
    let (first, second) = two_admins(&world).await;
    // Where processes share the database, another one is asked as well.
    let other = match world.store {
        Store::Sqlite(_) => world.service.clone(),
        Store::Postgres { .. } => world.other_process().await,
    };
    let (a, b) = futures::join!(
        world.service.change_role(role(first.id, Role::Customer)),
        other.erase(EraseUser { user_id: second.id, expected_version: None }),
    );
    assert!(a.is_ok() != b.is_ok(), "one of them stays: {a:?} {b:?}");
    assert!(a == Err(UsersError::LastAdmin) || b == Err(UsersError::LastAdmin));
}

/// DELETE /users/me: what is left is an id, which orders refer to.
async fn nothing_of_an_erased_user_is_left(world: World) {
    let user = world.register(EMAIL).await;
    let login = CreateSession { device: Some("canary browser".into()), ..login(EMAIL, PASSWORD) };
    world.service.create_session(login).await.expect("signed in");
    let erase = EraseUser { user_id: user.id, expected_version: Some(user.version) };
    world.service.erase(erase).await.expect("erased");
    let sql = "SELECT a.email, a.name, a.password, s.device, s.ended_at FROM account a \
               JOIN session s ON s.account_id = a.id WHERE a.id = $1";
    let row = world.database.reader().row(sql, [user.id.0.into()]).await.expect("read").expect("a row");
    assert_eq!(row.get::<Option<String>>("email"), Ok(None));
    assert_eq!(row.get::<String>("name"), Ok(String::new()));
    assert_eq!(row.get::<String>("password"), Ok(String::new()));
    assert_eq!(row.get::<Option<String>>("device"), Ok(None));
    assert_eq!(row.get::<Option<i64>>("ended_at"), Ok(Some(world.now().micros())));
    world.service.erase(EraseUser { user_id: user.id, expected_version: None }).await.expect("erased before");
    world.register(EMAIL).await;
}

async fn stored_hash(world: &World) -> String {
    let sql = "SELECT password FROM account WHERE email = $1";
    let row = world.database.reader().row(sql, [EMAIL.into()]).await.expect("read").expect("a row");
    row.get("password").expect("there")
}

/// Section 5.12: old parameters are renewed at login, and the password stays good.
async fn a_hash_with_less_effort_is_renewed_at_login(world: World) {
    world.register(EMAIL).await;
    assert!(stored_hash(&world).await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    let world = world.restart(Settings { hash_passes: 3, ..settings() }).await.expect("started");
    world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    let renewed = stored_hash(&world).await;
    assert!(renewed.starts_with("$argon2id$v=19$m=19456,t=3,p=1$"), "{renewed}");
    world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    assert_eq!(stored_hash(&world).await, renewed, "once");
}

/// 6.3.2: no default account: a password that is made up is told once, and is nobody else's.
#[tokio::test]
async fn the_first_start_makes_the_admin_and_the_second_does_not() {
    let store = || Store::Sqlite(tempfile::tempdir().expect("a directory"));
    let none = Settings { admin: AdminSettings::default(), ..settings() };
    let world = World::start(store(), none.clone()).await.expect("started");
    let admin = world.first_admin.clone().expect("made");
    let password = admin.password.clone().expect("made up");
    assert!(!format!("{admin:?}").contains(password.expose()), "it cannot slip into a log");
    let signed_in = world.sign_in(&admin.email, password.expose()).await.expect("signed in");
    assert_eq!(signed_in.user.role, Role::Admin);
    let world = world.restart(settings()).await.expect("started");
    assert!(world.first_admin.is_none());
    world.sign_in(&admin.email, password.expose()).await.expect("as before");
    let other = World::start(store(), none).await.expect("started").first_admin.expect("made");
    assert_ne!(other.password.expect("made up").expose(), password.expose());

    let named = World::start(store(), settings()).await.expect("started").first_admin.expect("made");
    assert_eq!((named.email.as_str(), named.password.is_none()), (ADMIN, true));
}

#[tokio::test]
async fn settings_that_make_no_sense_refuse_to_start() {
    let store = || Store::Sqlite(tempfile::tempdir().expect("a directory"));
    let admin = AdminSettings { email: None, password: Some(Secret::new("password1234")) };
    let common = World::start(store(), Settings { admin, ..settings() }).await;
    assert!(matches!(common.map(|_| ()), Err(StartError::Admin(UsersError::Invalid { .. }))));
    let weak = World::start(store(), Settings { hash_memory_kib: 8, ..settings() }).await;
    assert!(matches!(weak.map(|_| ()), Err(StartError::Settings(_))));
}
