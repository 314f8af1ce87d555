//! Idempotency keys where requests and answers hold secrets.

use crate::world::{EMAIL, PASSWORD, World, login, new_password, registration, token};
use bus::{BusError, Command, Context};
use std::sync::Arc;
use users_ports::{RefreshSession, RegisterUser, Secret, UsersError, UsersPort as _};

on_both!(
    a_registration_under_a_key_is_one,
    a_login_under_a_key_is_one,
    a_refresh_under_a_key_is_one,
    a_new_password_under_a_key_is_one,
);

/// Runs `work` under a key; its answer, and whether that was a replay.
async fn under<T>(key: &str, work: impl Future<Output = T>) -> (T, bool) {
    let mut context = Context::current();
    // As the edge makes it: a fast digest of the body, which must not be what is stored.
    context.command = Some(Arc::new(Command { id: key.into(), fingerprint: "plain-digest".into() }));
    let inside = context.clone();
    let answer = inside.scope(work).await;
    (answer, context.replayed())
}

async fn stored(world: &World) -> String {
    let rows = world.database.reader().rows("SELECT id, fingerprint, outcome FROM idempotency", []).await;
    let text =
        |row: &bus_durable::Row, column| row.get::<Option<String>>(column).expect("text").unwrap_or_default();
    rows.expect("read").iter().map(|row| text(row, "fingerprint") + &text(row, "outcome")).collect()
}

const REUSED: UsersError = UsersError::Unavailable(BusError::KeyReused);

/// B19, B20: the same key and request, another id drawn at the edge: the first account. What is stored tells nothing
/// about the password that could be guessed faster than the password's own hash.
async fn a_registration_under_a_key_is_one(world: World) {
    let (first, replayed) = under("a", world.service.register(registration(EMAIL))).await;
    let first = first.expect("registered");
    assert!(!replayed);
    let (again, replayed) = under("a", world.service.register(registration(EMAIL))).await;
    assert_eq!((again, replayed), (Ok(first), true));
    let password = Secret::new("quite another password");
    let other = RegisterUser { password, ..registration(EMAIL) };
    assert_eq!(under("a", world.service.register(other)).await.0, Err(REUSED));
    assert_eq!(under("b", world.service.register(registration(EMAIL))).await.0, Err(UsersError::EmailTaken));
    let (refusal, replayed) = under("b", world.service.register(registration(EMAIL))).await;
    assert_eq!((refusal, replayed), (Err(UsersError::EmailTaken), true), "a conflict is kept");
    assert!(!stored(&world).await.contains("plain-digest"));
}

async fn a_login_under_a_key_is_one(world: World) {
    let user = world.register(EMAIL).await;
    let (first, replayed) = under("a", world.service.create_session(login(EMAIL, PASSWORD))).await;
    let first = first.expect("signed in");
    assert!(!replayed);
    let (again, replayed) = under("a", world.service.create_session(login(EMAIL, PASSWORD))).await;
    let again = again.expect("signed in");
    assert!(replayed);
    let text = |answer| serde_json::to_string(answer).expect("serialises");
    assert_eq!(text(&again), text(&first), "the stored answer, to the byte");
    assert_eq!(world.session_count(user.id).await, 1);
    let wrong = under("a", world.service.create_session(login(EMAIL, "not the password"))).await.0;
    assert_eq!(wrong.map(|_| ()), Err(UsersError::InvalidCredentials));
    world.register("other@example.test").await;
    let other = under("a", world.service.create_session(login("other@example.test", PASSWORD))).await.0;
    assert_eq!(other.map(|_| ()), Err(REUSED));
    let stored = stored(&world).await;
    for secret in ["crt_", first.access_token.expose(), "canary", "plain-digest"] {
        assert!(!stored.contains(secret), "{secret} is stored in clear");
    }
}

/// With a key, a client that lost the reply gets it again, in place of the end of its session.
async fn a_refresh_under_a_key_is_one(world: World) {
    world.register(EMAIL).await;
    let signed_in = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    let request =
        || RefreshSession { refresh_token: signed_in.refresh_token.clone(), next_refresh_token: token() };
    let (first, replayed) = under("a", world.service.refresh_session(request())).await;
    assert!(!replayed);
    let (again, replayed) = under("a", world.service.refresh_session(request())).await;
    assert!(replayed);
    let (first, again) = (first.expect("refreshed"), again.expect("refreshed"));
    assert_eq!(again.refresh_token.expose(), first.refresh_token.expose());
    assert!(world.is_active(&first).await);
    assert!(!stored(&world).await.contains("crt_"));
    let (refused, _) = under("b", world.service.refresh_session(request())).await;
    assert_eq!(refused.map(|_| ()), Err(UsersError::InvalidCredentials));
    assert!(!world.is_active(&first).await, "under another key it is a dead token used again");
    let (refused, replayed) = under("b", world.service.refresh_session(request())).await;
    assert_eq!(
        (refused.map(|_| ()), replayed),
        (Err(UsersError::InvalidCredentials), false),
        "a 401 is not kept"
    );
}

async fn a_new_password_under_a_key_is_one(world: World) {
    let user = world.register(EMAIL).await;
    let change = || new_password(user.id, PASSWORD, "quite another password");
    let (first, _) = under("a", world.service.update_profile(change())).await;
    assert_eq!(first.expect("changed").version, 2);
    // The current password is another by now, so the repetition cannot prove itself: it changes nothing.
    let (again, _) = under("a", world.service.update_profile(change())).await;
    assert_eq!(again, Err(UsersError::WrongPassword));
    assert!(!stored(&world).await.contains("plain-digest"));
}
