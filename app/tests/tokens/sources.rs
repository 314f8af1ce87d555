//! A process without users: keys from a URL or a file.

use crate::{
    forge::{Forge, NOW},
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
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, atomic::Ordering},
    thread,
};
use users_ports::UsersPort;

/// Answers every request with this, on a thread that ends with the process.
fn serve(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(answer.as_bytes());
        }
    }));
    format!("http://{address}/.well-known/jwks.json")
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

async fn role(source: &str, token: &str) -> Result<Role, AuthFailure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let users = Arc::new(FakeUsers::with(Vec::new()));
    users.down.store(true, Ordering::SeqCst);
    let sources = Sources::with_clock(Arc::new(ManualClock::at(NOW)));
    let source = KeySource::from_setting(Some(source)).expect("a source");
    let port = users as Arc<dyn UsersPort>;
    let authenticator = TokenAuthenticator::new("cleave", "cleave", source, port, sources);
    authenticator.authenticate(token).await.map(|caller| caller.role)
}

#[tokio::test]
async fn keys_come_from_a_url_or_a_file() {
    let forge = Forge::new("the-key");
    let others = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "other"});
    let set = json!({"keys": [others, forge.jwk()]}).to_string();
    assert_eq!(role(&serve(ok(&set)), &forge.good()).await, Ok(Role::Customer));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("jwks.json");
    std::fs::write(&file, &set).expect("written");
    assert_eq!(role(file.to_str().expect("a path"), &forge.good()).await, Ok(Role::Customer));
    let stranger = Forge::new("the-key").good();
    assert_eq!(role(&serve(ok(&set)), &stranger).await, Err(AuthFailure::Invalid));
}

/// A source that is not one leaves us without keys, never with somebody else's.
#[tokio::test]
async fn a_bad_source_gives_no_keys() {
    let forge = Forge::new("the-key");
    let set = json!({"keys": [forge.jwk()]}).to_string();
    let elsewhere = serve(ok(&set));
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
    let large = json!({"keys": [forge.jwk()], "more": "x".repeat(100_000)}).to_string();
    let mistaken = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_owned();
    for source in
        [serve(redirect), serve(ok(&large)), serve(ok("<html>")), serve(mistaken), "/no/such/file".into()]
    {
        let refused = role(&source, &forge.good()).await;
        assert!(matches!(refused, Err(AuthFailure::Unavailable(_))), "{source}: {refused:?}");
    }
    for setting in ["", "ftp://127.0.0.1/jwks.json", "file:///etc/passwd"] {
        assert!(KeySource::from_setting(Some(setting)).is_err(), "{setting}");
    }
    assert!(matches!(KeySource::from_setting(None), Ok(KeySource::Users)));
}
