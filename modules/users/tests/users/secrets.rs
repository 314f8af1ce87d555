//! Canaries: what must not be found, in the log or in the database's files.

use crate::world::{EMAIL, PASSWORD, Store, World, login, new_password, token};
use bus::{Command, Context};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tracing_subscriber::fmt::MakeWriter;
use users_ports::{RefreshSession, UsersPort as _};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn finds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Section 5.12: password and tokens nowhere, the address in the database only. Everything is logged, down to the
/// statements' own level.
#[tokio::test]
async fn no_secret_is_logged_or_stored() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let world = World::sqlite().await;
    let user = world.register(EMAIL).await;
    let command = Command { id: "key".into(), fingerprint: "digest".into() };
    let mut context = Context::current();
    context.command = Some(Arc::new(command));
    let signed_in =
        context.scope(world.service.create_session(login(EMAIL, PASSWORD))).await.expect("signed in");
    let exchange =
        || RefreshSession { refresh_token: signed_in.refresh_token.clone(), next_refresh_token: token() };
    let refreshed = world.service.refresh_session(exchange()).await.expect("refreshed");
    let stolen = world.service.refresh_session(exchange()).await;
    assert!(stolen.is_err());
    let wrong = world.sign_in(EMAIL, "Pw-CANARY-9c1e wrong").await;
    assert!(wrong.is_err());
    tracing::info!(?signed_in, request = ?login(EMAIL, PASSWORD).password, "what somebody might log");
    let change = new_password(user.id, PASSWORD, "Pw-CANARY-9c1e new");
    world.service.update_profile(change).await.expect("changed");
    drop(guard);
    let World { service, database, store, .. } = world;
    database.close().await;
    drop((service, database));

    let log = log.0.lock().expect("no panic").clone();
    assert!(finds(&log, "a dead refresh token was used again"), "section 5.4: the theft is logged");
    let Store::Sqlite(directory) = store else { unreachable!("opened above") };
    let mut files = Vec::new();
    for file in std::fs::read_dir(directory.path()).expect("listed") {
        files.extend(std::fs::read(file.expect("listed").path()).expect("read"));
    }
    assert!(finds(&files, EMAIL) && finds(&files, "$argon2id$"), "the search looks where the rows are");
    for (what, needle) in [
        ("the password", PASSWORD),
        ("the refresh token", signed_in.refresh_token.expose()),
        ("the next one", refreshed.refresh_token.expose()),
        ("any refresh token", "crt_"),
        ("the access token", signed_in.access_token.expose()),
    ] {
        assert!(!finds(&log, needle), "{what} is in the log");
        assert!(!finds(&files, needle), "{what} is in the database");
    }
}
