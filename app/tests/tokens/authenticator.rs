//! Sessions that end, roles that change, keys that come and go, and a users module that cannot be asked.

use crate::{
    forge::{Forge, NOW, SESSION, USER, now},
    users::FakeUsers,
};
use bus::{Role, Sources};
use bus_testkit::ManualClock;
use cleave::{
    authentication::{KeySource, TokenAuthenticator},
    gateway::{AuthFailure, Authenticator as _},
};
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use users_ports::{Jwks, SessionState, UsersPort};

struct World {
    forge: Forge,
    users: Arc<FakeUsers>,
    clock: ManualClock,
    authenticator: TokenAuthenticator,
}

fn world() -> World {
    let forge = Forge::new("the-key");
    let users = Arc::new(FakeUsers::with(vec![forge.jwk()]));
    let clock = ManualClock::at(NOW);
    let port = Arc::clone(&users) as Arc<dyn UsersPort>;
    let sources = Sources::with_clock(Arc::new(clock.clone()));
    let authenticator = TokenAuthenticator::new("cleave", "cleave", KeySource::Users, port, sources);
    World { forge, users, clock, authenticator }
}

impl World {
    async fn role(&self, token: &str) -> Result<Role, AuthFailure> {
        let caller = self.authenticator.authenticate(token).await?;
        assert_eq!((caller.user, caller.session), (USER, SESSION));
        Ok(caller.role)
    }

    /// What users says of the session from now on.
    fn set(&self, active: bool, role: Role) {
        *self.users.state.lock().expect("no panic") = SessionState { active, role };
    }

    fn down(&self, down: bool) {
        self.users.down.store(down, Ordering::SeqCst);
    }

    /// Lets time pass, on the wall and off it.
    async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
}

const INVALID: Result<Role, AuthFailure> = Err(AuthFailure::Invalid);

/// Section 5.2, 7.4.1 and 8.3.2: an ended session's access token is dead, and a role is another, within 5 s.
#[tokio::test(start_paused = true)]
async fn an_ended_session_is_out_within_seconds() {
    let world = world();
    let token = world.forge.good();
    assert_eq!(world.role(&token).await, Ok(Role::Customer));
    world.set(true, Role::Admin);
    world.pass(2).await;
    assert_eq!(world.role(&token).await, Ok(Role::Admin), "the session's role, not the token's");
    world.set(false, Role::Customer);
    world.pass(2).await;
    assert_eq!(world.role(&token).await, INVALID);
    let asked = world.users.sessions_asked.load(Ordering::SeqCst);
    for _ in 0..100 {
        assert_eq!(world.role(&token).await, INVALID);
    }
    assert_eq!(world.users.sessions_asked.load(Ordering::SeqCst), asked, "the answer is kept for a moment");
}

/// While users cannot be asked, signature and expiry are enough; what was ended stays ended.
#[tokio::test(start_paused = true)]
async fn without_users_a_token_is_good_until_it_expires() {
    let world = world();
    let token = world.forge.with(|claims| claims["role"] = json!("staff"));
    assert_eq!(world.role(&token).await, Ok(Role::Customer));
    world.down(true);
    world.pass(60).await;
    assert_eq!(world.role(&token).await, Ok(Role::Customer), "what was last known");
    let unseen = world.forge.with(|claims| {
        claims["role"] = json!("staff");
        claims["sid"] = json!(USER);
    });
    let caller = world.authenticator.authenticate(&unseen).await.expect("good");
    assert_eq!(caller.role, Role::Staff, "else what the token says");
    world.pass(900).await;
    assert_eq!(world.role(&token).await, INVALID, "expired");

    let token = world.forge.with(|claims| claims["exp"] = json!(now() + 9000));
    world.down(false);
    world.set(false, Role::Customer);
    world.pass(60).await;
    assert_eq!(world.role(&token).await, INVALID);
    world.down(true);
    for _ in 0..3 {
        world.pass(60).await;
        assert_eq!(world.role(&token).await, INVALID, "ended stays ended");
    }
    world.set(true, Role::Customer);
    world.down(false);
    world.pass(60).await;
    assert_eq!(world.role(&token).await, Ok(Role::Customer));
}

/// A token whose signature was checked a moment ago still expires.
#[tokio::test(start_paused = true)]
async fn a_remembered_token_expires() {
    let world = world();
    let token = world.forge.with(|claims| claims["exp"] = json!(now() + 2));
    assert_eq!(world.role(&token).await, Ok(Role::Customer));
    world.pass(1).await;
    assert_eq!(world.role(&token).await, Ok(Role::Customer));
    world.pass(1).await;
    assert_eq!(world.role(&token).await, INVALID);
}

/// Section 5.3: a new key is accepted at once, also while the old one is; one that is gone is refused within 60 s.
#[tokio::test(start_paused = true)]
async fn keys_come_and_go() {
    let world = world();
    let new = Forge::new("the-next-key");
    let (old_token, new_token) = (world.forge.good(), new.good());
    assert_eq!(world.role(&old_token).await, Ok(Role::Customer));
    assert_eq!(world.role(&new_token).await, INVALID);
    let publish = |keys| *world.users.keys.lock().expect("no panic") = Jwks { keys };
    publish(vec![new.jwk(), world.forge.jwk()]);
    world.pass(3).await;
    assert_eq!(world.role(&new_token).await, Ok(Role::Customer));
    assert_eq!(world.role(&old_token).await, Ok(Role::Customer));
    publish(vec![new.jwk()]);
    world.pass(30).await;
    assert_eq!(world.role(&old_token).await, INVALID);
    assert_eq!(world.role(&new_token).await, Ok(Role::Customer));
    // The same name for another key is another key.
    let impostor = Forge::new("the-next-key");
    publish(vec![impostor.jwk()]);
    world.pass(30).await;
    assert_eq!(world.role(&new_token).await, INVALID);
    assert_eq!(world.role(&impostor.good()).await, Ok(Role::Customer));
}

/// Whoever makes up names of keys does not make us ask for them each time.
#[tokio::test(start_paused = true)]
async fn unknown_keys_are_not_asked_for_each_time() {
    let world = world();
    for n in 0..50 {
        let made_up = Forge::new(&format!("made-up-{n}")).good();
        assert_eq!(world.role(&made_up).await, INVALID);
    }
    assert_eq!(world.users.keys_asked.load(Ordering::SeqCst), 1);
    world.pass(3).await;
    assert_eq!(world.role(&Forge::new("made-up").good()).await, INVALID);
    assert_eq!(world.users.keys_asked.load(Ordering::SeqCst), 2);
    assert_eq!(world.users.sessions_asked.load(Ordering::SeqCst), 0);
}

/// C24: without any key it is not the token that is at fault.
#[tokio::test(start_paused = true)]
async fn without_keys_nothing_can_be_told() {
    let world = world();
    world.down(true);
    let token = world.forge.good();
    assert!(matches!(world.role(&token).await, Err(AuthFailure::Unavailable(_))));
    assert_eq!(world.role("no token").await, INVALID);
    world.down(false);
    world.pass(3).await;
    assert_eq!(world.role(&token).await, Ok(Role::Customer));
}
