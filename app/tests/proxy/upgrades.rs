//! Connections whose protocol changes: bytes both ways, ends of one side, silence, and how many there may be.

use crate::{
    client::Client,
    fixture::{Server, eventually, route},
    upstream::{Upstream, nowhere},
};
use serde_json::json;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Reads a head; `None` where there is none.
fn head(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// An upstream that takes every offer, and then this; what it was asked is in the list.
fn taking(
    then: impl Fn(BufReader<TcpStream>) + Send + Sync + 'static,
) -> (Upstream, Arc<Mutex<Vec<String>>>) {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&heads);
    let upstream = Upstream::raw(move |socket| {
        let mut reader = BufReader::new(socket);
        let Some(head) = head(&mut reader) else { return };
        let protocol = if head.contains("upgrade: chat") { "chat" } else { "websocket" };
        noted.lock().expect("not poisoned").push(head);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello"
        );
        reader.get_mut().write_all(answer.as_bytes()).expect("taken");
        then(reader);
    });
    (upstream, heads)
}

fn echo(mut reader: BufReader<TcpStream>) {
    let mut socket = reader.get_ref().try_clone().expect("a clone");
    drop(std::io::copy(&mut reader, &mut socket));
    drop(socket.shutdown(Shutdown::Write));
}

const OFFER: &str = "GET /up/chat?room=1 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://a\r\n\r\n";

fn websockets(upstream: &Upstream, more: serde_json::Value) -> Server {
    let mut route = route("/up/{*rest}", &upstream.url(), json!({"upgrade": ["websocket"]}));
    route.as_object_mut().expect("a route").extend(more.as_object().expect("more").clone());
    Server::with(json!([route]), |settings| {
        // Longer than any client here waits: what ends when the server stops is not cut off by this.
        settings.shutdown_timeout = Duration::from_secs(90);
    })
}

/// Offers and reads what the upstream says first.
fn open(server: &Server) -> Client {
    let mut client = server.connect();
    let answer = client.ask(OFFER);
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.header("upgrade").as_deref(), Some("websocket"));
    assert_eq!(answer.header("connection").as_deref(), Some("upgrade"));
    assert_eq!(answer.header("sec-websocket-accept").as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let mut hello = [0; 5];
    client.reader.read_exact(&mut hello).expect("what came with the answer");
    assert_eq!(&hello, b"hello");
    client
}

/// RFC 6455: frames pass both ways, large ones too, and the end of one side is the end of that side only.
#[test]
fn frames_pass_both_ways() {
    let (upstream, heads) = taking(echo);
    let server = websockets(&upstream, json!({}));
    let mut client = open(&server);
    let asked = heads.lock().expect("not poisoned")[0].to_ascii_lowercase();
    assert!(asked.starts_with("get /up/chat?room=1 http/1.1\r\n"), "{asked}");
    for line in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-key: dghlihnhbxbszsbub25jzq==",
        "origin: http://a",
        "via: 1.1 cleave-test",
        "x-forwarded-for: 127.0.0.1",
    ] {
        assert!(asked.contains(line), "{line}: {asked}");
    }
    // A masked text frame, "Hello" (RFC 6455, section 5.7).
    let frame = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    let mut back = [0; 11];
    for _ in 0..3 {
        client.say(frame);
        client.reader.read_exact(&mut back).expect("echoed");
        assert_eq!(back, frame);
    }
    let large = vec![7; 4 << 20];
    let mut writer = client.socket().try_clone().expect("a clone");
    let sent = large.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).expect("taken");
        writer.shutdown(Shutdown::Write).expect("ended");
    });
    let mut echoed = Vec::new();
    client.reader.read_to_end(&mut echoed).expect("to the end");
    writing.join().expect("written");
    assert!(echoed == large, "{} bytes came back", echoed.len());
    eventually("the upstream is let go", || upstream.open.load(Ordering::SeqCst) == 0);
}

/// The other half: the upstream ends first and still hears the client.
#[test]
fn an_upstream_may_end_its_side_first() {
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let noted = Arc::clone(&heard);
    let (upstream, _) = taking(move |mut reader| {
        reader.get_ref().shutdown(Shutdown::Write).expect("ended");
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).expect("to the end");
        noted.lock().expect("not poisoned").extend(bytes);
    });
    let server = websockets(&upstream, json!({}));
    let mut client = open(&server);
    let mut rest = Vec::new();
    client.reader.read_to_end(&mut rest).expect("to the end");
    assert!(rest.is_empty());
    client.say("last words");
    client.socket().shutdown(Shutdown::Write).expect("ended");
    eventually("the upstream hears them", || *heard.lock().expect("not poisoned") == b"last words");
}

/// Section 5.9: nothing reaches an upstream behind an offer that it does not take; the answer is passed on and the
/// connection ends.
#[test]
fn a_declined_offer_lets_nothing_through() {
    let canary = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&canary);
    let upstream = Upstream::answering(move |asked, socket| {
        counted.fetch_add(1, Ordering::SeqCst);
        let answer: &[u8] = match asked.path() {
            "/up/length" => b"HTTP/1.1 403 No\r\nX-A: b\r\nContent-Length: 2\r\n\r\nno",
            "/up/chunks" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            "/up/nothing" => b"HTTP/1.1 204 No Content\r\n\r\n",
            "/up/other" => b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
            "/up/cut" => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nno",
            _ => b"garbage\r\n\r\n",
        };
        socket.write_all(answer).is_ok() && !asked.path().ends_with("cut")
    });
    let server = websockets(&upstream, json!({}));
    for (path, status, body, whole) in [
        ("length", 403, Some("no"), true),
        ("chunks", 200, Some("no"), true),
        ("nothing", 204, Some(""), true),
        ("cut", 200, Some("no"), false),
        ("other", 502, None, true),
        ("garbage", 502, None, true),
    ] {
        let mut client = server.connect();
        let offer = OFFER.replace("chat?room=1", path);
        client.say(format!("{offer}GET /up/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answers = client.read_all();
        assert_eq!(answers.len(), 1, "{path}: {answers:?}");
        assert_eq!((answers[0].status, answers[0].whole), (status, whole), "{path}");
        if let Some(body) = body {
            assert_eq!(answers[0].text(), body, "{path}");
        }
    }
    assert_eq!(canary.load(Ordering::SeqCst), 6, "one request each");
}

/// Section 5.9: offers that a route does not want are not passed on, and the request is an ordinary one.
#[test]
fn unwanted_offers_are_not_passed_on() {
    let upstream = Upstream::text("plain");
    let server = Server::with(
        json!([
            route("/up/{*rest}", &upstream.url(), json!({"upgrade": ["chat/1.0"]})),
            route("/none/{*rest}", &upstream.url(), json!({})),
        ]),
        |_| {},
    );
    for offer in [
        OFFER.to_owned(),
        OFFER.replace("websocket", "h2c"),
        OFFER.replace("/up/", "/none/"),
        OFFER.replace("Upgrade: websocket", "Upgrade: chat/1.0, websocket"),
        OFFER.replace("GET", "POST").replace("Upgrade: websocket", "Upgrade: chat/1.0"),
        OFFER.replace("keep-alive, Upgrade", "keep-alive").replace("Upgrade: websocket", "Upgrade: chat/1.0"),
    ] {
        let answer = server.connect().ask(&offer);
        assert_eq!((answer.status, answer.text().as_str()), (200, "plain"), "{offer}");
        assert_eq!(upstream.last().header("upgrade"), None, "{offer}");
    }
}

/// Any protocol that a route names passes.
#[test]
fn other_protocols_pass_too() {
    let (upstream, heads) = taking(echo);
    let server = websockets(&upstream, json!({"upgrade": ["Chat"]}));
    let mut client = server.connect();
    // What comes with the offer waits until it is taken.
    let answer = client.ask(OFFER.replace("websocket", "chat") + "early");
    assert_eq!((answer.status, answer.header("upgrade").as_deref()), (101, Some("chat")));
    let mut bytes = [0; 10];
    client.reader.read_exact(&mut bytes).expect("both");
    assert_eq!(&bytes, b"helloearly");
    assert!(heads.lock().expect("not poisoned")[0].contains("upgrade: chat"));
}

/// Silence ends an upgraded connection, and only silence does: it is not bound by the time of a request, or of a head.
#[test]
fn silence_ends_an_upgraded_connection() {
    let (upstream, _) = taking(echo);
    let more = json!({"upgrade": ["websocket"], "idle_timeout": "1500ms", "timeout": "1s"});
    let server = Server::with(json!([route("/up/{*rest}", &upstream.url(), more)]), |settings| {
        settings.head_timeout = Duration::from_secs(1);
    });
    let mut client = open(&server);
    client.socket().set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out");
    let mut byte = [0];
    for _ in 0..10 {
        client.say("x");
        client.reader.read_exact(&mut byte).expect("echoed");
        assert!(client.reader.read(&mut byte).is_err(), "it stays open");
    }
    client.socket().set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    assert!(client.reader.read(&mut byte).is_ok_and(|length| length == 0), "until nothing moves");
    eventually("the upstream is let go", || upstream.open.load(Ordering::SeqCst) == 0);
}

/// There are so many at once; one that ends makes a place, and a stop ends them all.
#[test]
fn upgraded_connections_have_so_many_places() {
    let (upstream, _) = taking(echo);
    let mut server = websockets(&upstream, json!({"max_upgrades": 2, "idle_timeout": "1h"}));
    let one = open(&server);
    let mut two = open(&server);
    let mut third = server.connect();
    third.say(OFFER);
    assert_eq!(third.read_all()[0].problem(), (503, "overloaded".into()));
    drop(one);
    eventually("there is a place again", || server.connect().ask(OFFER).status == 101);
    server.begin_stop();
    let mut byte = [0];
    assert!(two.reader.read(&mut byte).is_ok_and(|length| length == 0), "a stop does not wait for them");
    drop(server);
    eventually("the upstream is let go", || upstream.open.load(Ordering::SeqCst) == 0);
}

/// Who may call is asked before anything is offered; where nobody is there, or nobody answers, that is told.
#[test]
fn an_offer_is_a_request_like_others() {
    let (upstream, _) = taking(echo);
    let server = websockets(&upstream, json!({"auth": "user"}));
    assert_eq!(server.connect().ask(OFFER).problem(), (401, "unauthenticated".into()));
    let signed_in = OFFER.replace("Origin:", "Authorization: Bearer customer\r\nOrigin:");
    assert_eq!(server.connect().ask(&signed_in).status, 101);
    assert_eq!(upstream.connections(), 1);
    let nobody = Server::to(&nowhere(), json!({"upgrade": ["websocket"]}));
    assert_eq!(nobody.connect().ask(OFFER).problem(), (503, "dependency_unavailable".into()));
    let silent = Upstream::raw(|mut socket| drop(socket.read_to_end(&mut Vec::new())));
    let server = websockets(&silent, json!({"timeout": "300ms"}));
    let began = Instant::now();
    assert_eq!(server.connect().ask(OFFER).problem(), (504, "deadline_exceeded".into()));
    assert!(began.elapsed() < Duration::from_secs(5));
    let server = websockets(&silent, json!({"timeout": "1h"}));
    let mut client = server.connect();
    client.say(OFFER);
    eventually("it is offered", || silent.open.load(Ordering::SeqCst) == 1);
    drop(client);
    eventually("the upstream is let go", || silent.open.load(Ordering::SeqCst) == 0);
}
