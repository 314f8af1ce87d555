//! Upstreams over TLS: whose certificates are believed, and that nothing is sent to anybody else.

use crate::{
    fixture::{Server, route, text},
    upstream::Upstream,
};
use rcgen::CertifiedKey;
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use serde_json::json;
use std::{
    io::{BufReader, Read as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What takes TLS off before an upstream, and the file with the certificate that it shows, which is `localhost`'s.
struct Encrypted {
    address: SocketAddr,
    ca: PathBuf,
    _folder: tempfile::TempDir,
}

impl Encrypted {
    fn before(upstream: &Upstream) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, certified.cert.pem()).expect("written");
        let (bound, address) = mpsc::channel();
        let behind = upstream.address;
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(take_off(certified, behind, bound));
        });
        Self { address: address.recv().expect("it listens"), ca, _folder: folder }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.address.port())
    }
}

async fn take_off(
    certified: CertifiedKey<rcgen::KeyPair>,
    behind: SocketAddr,
    bound: mpsc::Sender<SocketAddr>,
) {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    bound.send(listener.local_addr().expect("bound")).expect("somebody waits");
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        bus::spawn(async move {
            // A client that does not believe the certificate leaves here.
            if let Ok(mut outside) = acceptor.accept(stream).await {
                let mut inside = TcpStream::connect(behind).await.expect("it listens");
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}

#[test]
fn an_upstream_is_spoken_to_over_tls_on_connections_that_are_kept() {
    let upstream = Upstream::text("over TLS");
    let encrypted = Encrypted::before(&upstream);
    let url = encrypted.url("localhost") + "/base";
    let server = Server::to(&url, json!({"ca": encrypted.ca}));
    let mut client = server.connect();
    for body in ["one", "two"] {
        let answer = client.ask(text("POST", "/up/thing?a=1", &[], body));
        assert_eq!((answer.status, answer.text()), (200, "over TLS".into()));
        let asked = upstream.last();
        assert_eq!((asked.path(), &*asked.body), ("/base/up/thing?a=1", body.as_bytes()));
        assert_eq!(asked.header("host"), Some(format!("localhost:{}", encrypted.address.port())));
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn nothing_is_sent_to_whom_nobody_vouches_for() {
    let upstream = Upstream::text("not to be seen");
    let encrypted = Encrypted::before(&upstream);
    let refused = [
        // Its certificate is its own.
        route("/unknown", &encrypted.url("localhost"), json!({})),
        // It is another's.
        route("/named/{*rest}", &encrypted.url("127.0.0.1"), json!({"ca": encrypted.ca})),
    ];
    let believed = route("/good", &encrypted.url("localhost"), json!({"ca": encrypted.ca}));
    let server = Server::with(json!([refused[0], refused[1], believed]), |_| {});
    assert_eq!(server.get("/good").status, 200);
    // Also while there is a connection to the same port that is believed.
    for path in ["/unknown", "/named/x"] {
        assert_eq!(server.get(path).problem(), (503, "dependency_unavailable".into()), "{path}");
    }
    assert_eq!(upstream.asked().len(), 1);
    // And in the clear it is no HTTP.
    let url = format!("http://{}", encrypted.address);
    assert_eq!(Server::to(&url, json!({})).get("/up/x").status, 502);
}

#[test]
fn a_connection_over_tls_may_change_its_protocol() {
    let upstream = Upstream::answering(|asked, socket| {
        assert!(asked.header("upgrade").is_some());
        let taken =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello";
        socket.write_all(taken.as_bytes()).expect("taken");
        let mut echoed = [0; 4];
        socket.read_exact(&mut echoed).expect("it is said something");
        socket.write_all(&echoed).expect("echoed");
        false
    });
    let encrypted = Encrypted::before(&upstream);
    let more = json!({"ca": encrypted.ca, "upgrade": ["websocket"]});
    let server = Server::to(&encrypted.url("localhost"), more);
    let mut socket = std::net::TcpStream::connect(server.address).expect("connects");
    let offer = "GET /up/chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(offer.as_bytes()).expect("said");
    let mut reader = BufReader::new(socket.try_clone().expect("a clone"));
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nhello") {
        let mut byte = [0];
        reader.read_exact(&mut byte).expect("an answer");
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    socket.write_all(b"ping").expect("said");
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("to the end");
    assert_eq!(rest, "ping");
}
