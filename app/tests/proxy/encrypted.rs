//! Upstreams over TLS: whose certificates are believed, and that nothing is sent to anybody else.

use crate::{
    fixture::{Server, route, text},
    upstream::Upstream,
};
use bus_testkit::Encrypted;
use serde_json::json;
use std::io::{BufReader, Read as _, Write as _};

fn url(of: &Encrypted, host: &str) -> String {
    format!("https://{host}:{}", of.address().port())
}

#[test]
fn an_upstream_is_spoken_to_over_tls_on_connections_that_are_kept() {
    let upstream = Upstream::text("over TLS");
    let encrypted = Encrypted::before(upstream.address);
    let base = url(&encrypted, "localhost") + "/base";
    let server = Server::to(&base, json!({"ca": encrypted.ca()}));
    let mut client = server.connect();
    for body in ["one", "two"] {
        let answer = client.ask(text("POST", "/up/thing?a=1", &[], body));
        assert_eq!((answer.status, answer.text()), (200, "over TLS".into()));
        let asked = upstream.last();
        assert_eq!((asked.path(), &*asked.body), ("/base/up/thing?a=1", body.as_bytes()));
        assert_eq!(asked.header("host"), Some(format!("localhost:{}", encrypted.address().port())));
    }
    // What has no body may take one that has waited for long.
    let before = upstream.connections();
    for _ in 0..2 {
        assert_eq!(client.ask(text("GET", "/up/thing", &[], "")).status, 200);
    }
    assert_eq!(upstream.connections(), before);
}

#[test]
fn nothing_is_sent_to_whom_nobody_vouches_for() {
    let upstream = Upstream::text("not to be seen");
    let encrypted = Encrypted::before(upstream.address);
    let refused = [
        // Its certificate is its own.
        route("/unknown", &url(&encrypted, "localhost"), json!({})),
        // It is another's.
        route("/named/{*rest}", &url(&encrypted, "127.0.0.1"), json!({"ca": encrypted.ca()})),
    ];
    let believed = route("/good", &url(&encrypted, "localhost"), json!({"ca": encrypted.ca()}));
    let server = Server::with(json!([refused[0], refused[1], believed]), |_| {});
    assert_eq!(server.get("/good").status, 200);
    // Also while there is a connection to the same port that is believed.
    for path in ["/unknown", "/named/x"] {
        assert_eq!(server.get(path).problem(), (503, "dependency_unavailable".into()), "{path}");
    }
    assert_eq!(upstream.asked().len(), 1);
    // And in the clear it is no HTTP.
    let clear = format!("http://{}", encrypted.address());
    assert_eq!(Server::to(&clear, json!({})).get("/up/x").status, 502);
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
    let encrypted = Encrypted::before(upstream.address);
    let more = json!({"ca": encrypted.ca(), "upgrade": ["websocket"]});
    let server = Server::to(&url(&encrypted, "localhost"), more);
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
