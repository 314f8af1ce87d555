//! Sessions: refresh tokens, their theft, their end; wrong passwords and how many are too many.

use crate::world::{EMAIL, PASSWORD, World, from, login, new_password, token};
use std::{sync::Arc, time::Duration};
use users::Settings;
use users_ports::{RefreshSession, Secret, SignedIn, UsersError, UsersPort as _};

on_both!(
    one_refresh_token_used_twenty_times_at_once_is_good_once,
    a_lost_reply_costs_a_new_login,
    a_session_ends_however_often_it_is_refreshed,
    a_refresh_token_of_nobody_is_refused,
    a_login_that_races_with_a_new_password_leaves_no_session,
    an_unknown_address_costs_a_password_check,
    an_address_that_guesses_waits_and_nobody_is_locked_out,
    who_guesses_the_current_password_waits,
    dead_sessions_are_forgotten_in_time,
);

async fn refresh(world: &World, refresh_token: &Secret) -> Result<SignedIn, UsersError> {
    let request = RefreshSession { refresh_token: refresh_token.clone(), next_refresh_token: token() };
    world.service.refresh_session(request).await
}

/// Section 5.4: 20 parallel uses, exactly one good; the others are the use of a dead one, which ends the family.
async fn one_refresh_token_used_twenty_times_at_once_is_good_once(world: World) {
    world.register(EMAIL).await;
    let signed_in = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    let uses = (0..20).map(|_| refresh(&world, &signed_in.refresh_token));
    let answers = futures::future::join_all(uses).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 19));
    for refused in bad {
        assert_eq!(refused.map(|_| ()), Err(UsersError::InvalidCredentials));
    }
    assert!(!world.is_active(&signed_in).await, "the family is revoked");
    for survivor in good.into_iter().flatten() {
        let refused = refresh(&world, &survivor.refresh_token).await.map(|_| ());
        assert_eq!(refused, Err(UsersError::InvalidCredentials));
    }
}

/// Section 5.4: killed between the rotation's commit and the reply, the client has the dead token only. It signs in
/// again: that is the documented outcome, since its retry cannot be told from a thief's.
async fn a_lost_reply_costs_a_new_login(world: World) {
    world.register(EMAIL).await;
    let signed_in = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    drop(refresh(&world, &signed_in.refresh_token).await.expect("refreshed, and nobody hears of it"));
    let world = world.restart(crate::world::settings()).await.expect("started");
    let again = refresh(&world, &signed_in.refresh_token).await.map(|_| ());
    assert_eq!(again, Err(UsersError::InvalidCredentials));
    assert!(!world.is_active(&signed_in).await);
    world.sign_in(EMAIL, PASSWORD).await.expect("signed in again");
}

/// Section 5.4: the absolute lifetime.
async fn a_session_ends_however_often_it_is_refreshed(world: World) {
    world.register(EMAIL).await;
    let lifetime = Settings::default().session_lifetime;
    let mut current = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    assert_eq!(current.expires_in, 900);
    world.clock.advance(lifetime - Duration::from_secs(60));
    current = refresh(&world, &current.refresh_token).await.expect("refreshed");
    assert_eq!(current.expires_in, 60, "no access token outlives its session");
    assert!(world.is_active(&current).await);
    world.clock.advance(Duration::from_secs(60));
    assert!(!world.is_active(&current).await);
    let refused = refresh(&world, &current.refresh_token).await.map(|_| ());
    assert_eq!(refused, Err(UsersError::InvalidCredentials));
    assert_eq!(world.session_count(current.user.id).await, 0);
}

async fn a_refresh_token_of_nobody_is_refused(world: World) {
    world.register(EMAIL).await;
    let signed_in = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    for made_up in [token(), Secret::new(""), Secret::new("x"), signed_in.access_token.clone()] {
        let refused = refresh(&world, &made_up).await.map(|_| ());
        assert_eq!(refused, Err(UsersError::InvalidCredentials));
    }
    // A successor that is a token already would be good twice.
    let other = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    let request = RefreshSession {
        refresh_token: signed_in.refresh_token.clone(),
        next_refresh_token: other.refresh_token.clone(),
    };
    let refused = world.service.refresh_session(request).await.map(|_| ());
    assert_eq!(refused, Err(UsersError::InvalidCredentials));
    assert!(world.is_active(&signed_in).await && world.is_active(&other).await);
    refresh(&world, &signed_in.refresh_token).await.expect("still good");
}

/// F24, and the race behind it: whatever the order, the old password leaves no session.
async fn a_login_that_races_with_a_new_password_leaves_no_session(world: World) {
    let user = world.register(EMAIL).await;
    let before = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    let logins = futures::future::join_all((0..6).map(|_| world.sign_in(EMAIL, PASSWORD)));
    let change = world.service.update_profile(new_password(user.id, PASSWORD, "quite another password"));
    let (_, changed) = futures::join!(logins, change);
    changed.expect("changed");
    assert_eq!(world.session_count(user.id).await, 0);
    assert!(!world.is_active(&before).await);
    let refused = refresh(&world, &before.refresh_token).await.map(|_| ());
    assert_eq!(refused, Err(UsersError::InvalidCredentials));
}

/// 6.3.8: the same answer by the same path; what the path costs is asserted, not how long it took.
async fn an_unknown_address_costs_a_password_check(world: World) {
    world.register(EMAIL).await;
    let checks = |before| world.service.password_checks() - before;
    let before = world.service.password_checks();
    let wrong = world.sign_in(EMAIL, "not the password").await.map(|_| ());
    assert_eq!(checks(before), 1);
    let before = world.service.password_checks();
    let unknown = world.sign_in("nobody@example.test", "not the password").await.map(|_| ());
    assert_eq!(checks(before), 1);
    assert_eq!(wrong, unknown);
    let text = |answer: &Result<(), UsersError>| serde_json::to_string(answer).expect("serialises");
    assert_eq!(text(&wrong), text(&unknown), "to the byte");
}

/// Section 5.1, API2: by address and by account; the right password from elsewhere works all the time.
async fn an_address_that_guesses_waits_and_nobody_is_locked_out(world: World) {
    world.register(EMAIL).await;
    let guess = |last| from([192, 0, 2, last], login(EMAIL, "not the password"));
    let guesses = futures::future::join_all((0..30).map(|_| world.service.create_session(guess(1)))).await;
    let refused =
        guesses.iter().filter(|answer| matches!(answer, Err(UsersError::InvalidCredentials))).count();
    // As many more as can be hashed at once may have been under way.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert!((10..10 + cores).contains(&refused), "{refused} passwords were tried");
    let right_here = world.service.create_session(from([192, 0, 2, 1], login(EMAIL, PASSWORD))).await;
    assert!(matches!(right_here.map(|_| ()), Err(UsersError::RateLimited { retry_after: 60 })));
    let elsewhere = from([192, 0, 2, 2], login(EMAIL, PASSWORD));
    world.service.create_session(elsewhere).await.expect("no lockout");
    let wrong_elsewhere = world.service.create_session(guess(3)).await.map(|_| ());
    assert_eq!(wrong_elsewhere, Err(UsersError::InvalidCredentials));
    let again = world.service.create_session(guess(3)).await.map(|_| ());
    assert!(matches!(again, Err(UsersError::RateLimited { .. })), "one guess a minute and address");
    world.clock.advance(Duration::from_secs(60));
    let later = world.service.create_session(from([192, 0, 2, 1], login(EMAIL, PASSWORD))).await;
    later.expect("the minute has passed");
}

/// A stolen access token must not become the password.
async fn who_guesses_the_current_password_waits(world: World) {
    let user = world.register(EMAIL).await;
    let guess =
        || world.service.update_profile(new_password(user.id, "a guess at it", "quite another password"));
    for _ in 0..10 {
        assert_eq!(guess().await, Err(UsersError::WrongPassword));
    }
    assert!(matches!(guess().await, Err(UsersError::RateLimited { .. })));
}

async fn dead_sessions_are_forgotten_in_time(world: World) {
    let user = world.register(EMAIL).await;
    let signed_in = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    refresh(&world, &signed_in.refresh_token).await.expect("refreshed");
    world.service.end_sessions(users_ports::EndSessions { user_id: user.id }).await.expect("ended");
    let rows = async || {
        let sql = "SELECT (SELECT COUNT(*) FROM session) + (SELECT COUNT(*) FROM refresh_token) AS n";
        let row = world.database.reader().row(sql, []).await.expect("read").expect("a row");
        row.get::<i64>("n").expect("a number")
    };
    world.clock.advance(Duration::from_secs(6 * 24 * 3600));
    world.service.sweep().await.expect("swept");
    assert_eq!(rows().await, 3, "a stolen token is still known");
    world.clock.advance(Duration::from_secs(2 * 24 * 3600));
    world.service.sweep().await.expect("swept");
    assert_eq!(rows().await, 0);
}

/// The workers end when they are told to.
#[tokio::test]
async fn the_workers_stop() {
    let world = World::sqlite().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let workers = Arc::clone(&world.service).workers(stopped);
    stop.send_replace(true);
    for worker in workers {
        tokio::time::timeout(Duration::from_secs(5), worker).await.expect("ended").expect("no panic");
    }
}
