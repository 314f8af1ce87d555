//! What passes, what is refused, what is held back, in whatever pieces it arrives.

use super::*;

const LIMITS: HeadLimits = HeadLimits { head: 1024, target: 256, headers: 8 };

/// What is let through, fed in pieces of `step` bytes.
fn feed(text: &[u8], step: usize) -> Result<Vec<u8>, Refused> {
    let mut framing = Framing::new(LIMITS, None);
    let (mut inbox, mut outbox) = (BytesMut::new(), BytesMut::new());
    for piece in text.chunks(step) {
        inbox.extend_from_slice(piece);
        framing.advance(&mut inbox, &mut outbox)?;
    }
    Ok(outbox.to_vec())
}

fn same_in_any_pieces(text: &[u8]) -> Result<Vec<u8>, Refused> {
    let whole = feed(text, text.len());
    for step in [1, 2, 3, 7] {
        assert_eq!(feed(text, step), whole, "{}", String::from_utf8_lossy(text));
    }
    whole
}

/// Section 5.9: what is well formed passes unchanged, however it arrives.
#[test]
fn well_formed_requests_pass_unchanged() {
    for text in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a?b=c%20d HTTP/1.1\r\nhost:a:80\r\nX: \t y \r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\ncdGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\na\nb\r\n00\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ] {
        assert_eq!(same_in_any_pieces(text.as_bytes()).expect("passes"), text.as_bytes());
    }
    assert_eq!(
        same_in_any_pieces(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("passes"),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    );
}

/// Section 5.9: the smuggling table.
#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let head = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
    let chunks = |text: &str| head("Transfer-Encoding: chunked") + text;
    for text in [
        head("Content-Length: 5\r\nTransfer-Encoding: chunked"),
        head("Transfer-Encoding: chunked\r\nContent-Length: 5"),
        head("Content-Length: 5\r\nContent-Length: 5"),
        head("Content-Length: 5\r\nContent-Length: 6"),
        head("Content-Length: +5"),
        head("Content-Length:  5"),
        head("Content-Length: 5,5"),
        head("Content-Length: 0x5"),
        head("Content-Length: -1"),
        head("Content-Length: 18446744073709551616"),
        head("Content-Length: "),
        head("Content-Length : 5"),
        head("Transfer-Encoding: chunked, identity"),
        head("Transfer-Encoding: identity"),
        head("Transfer-Encoding: xchunked"),
        head("Transfer-Encoding: chunked\t"),
        head("Transfer-Encoding : chunked"),
        head("Transfer-Encoding: \x0bchunked"),
        head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        head("X: a\r\n folded"),
        head("X: a\0b"),
        head("X: a\rb"),
        head("X: a\x7f"),
        head("no colon"),
        head(": no name"),
        head("Host: b"),
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
        "POST / HTTP/1.0\r\n\r\n".into(),
        "GET / HTTP/1.1\r\n\r\n".into(),
        "GET / HTTP/1.1\nHost: a\n\n".into(),
        "GET / HTTP/1.1\r\nHost: a\n\r\n".into(),
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n".into(),
        "GET / http/1.1\r\nHost: a\r\n\r\n".into(),
        "GET /\r\n\r\n".into(),
        "G@T / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        "GET http://internal/ HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        "\x16\x03\x01\x02\0".into(),
        chunks("0x5\r\nabcde\r\n0\r\n\r\n"),
        chunks("5;ext\nabcde\r\n0\r\n\r\n"),
        chunks("5\nabcde\r\n0\r\n\r\n"),
        chunks(" 5\r\nabcde\r\n0\r\n\r\n"),
        chunks("5 \r\nabcde\r\n0\r\n\r\n"),
        chunks("-5\r\nabcde\r\n0\r\n\r\n"),
        chunks("\r\nabcde\r\n0\r\n\r\n"),
        chunks("ffffffffffffffff\r\n"),
        chunks("5\r\nabcdef\r\n0\r\n\r\n"),
        chunks("5\r\nabcde0\r\n\r\n"),
        chunks("0\r\nX: trailer\r\n\r\n"),
        chunks("0\r\n\n"),
    ] {
        let refused = same_in_any_pieces(text.as_bytes()).expect_err(&text);
        assert!(matches!(refused, Refused::Malformed(_)), "{refused:?} {text}");
    }
    let connect = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
    assert_eq!(same_in_any_pieces(connect), Err(Refused::Method));
}

/// Section 5.9: limits, also where the end never comes.
#[test]
fn a_head_has_limits() {
    let long = "a".repeat(2000);
    let many = "X: y\r\n".repeat(9);
    for (text, refused) in [
        (format!("GET /{long}"), Refused::TargetTooLong),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &long[..257]), Refused::TargetTooLong),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"), Refused::HeadTooLarge),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), Refused::HeadTooLarge),
    ] {
        assert_eq!(same_in_any_pieces(text.as_bytes()), Err(refused), "{}", &text[..20]);
    }
}

/// Section 5.9: an upgrade is not taken up, so it is not passed on (RFC 9110, section 7.8).
#[test]
fn an_upgrade_is_ignored() {
    let text = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nX: y\r\n\r\n";
    let passed = same_in_any_pieces(text).expect("passes");
    assert_eq!(passed, b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
    let text = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n";
    let passed = same_in_any_pieces(text).expect("passes");
    assert_eq!(passed, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
}

/// Section 5.9: an offer that somebody wants is passed on under the name for which actix lets go of the
/// connection, and what stands behind it waits until the offer is taken.
#[test]
fn what_follows_an_offer_is_held_back() {
    let offers: Offers = Arc::new(|path, protocol| path == "/chat" && protocol == "echo");
    let head = |path: &str, lines: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let feed = |text: &str| {
        let mut framing = Framing::new(LIMITS, Some(Arc::clone(&offers)));
        let (mut inbox, mut outbox) = (BytesMut::from(text.as_bytes()), BytesMut::new());
        framing.advance(&mut inbox, &mut outbox).expect("passes");
        (framing, inbox, outbox)
    };
    let offer = "Connection: Upgrade, X-Hop\r\nUpgrade: Echo\r\nX: y";
    let (mut framing, mut inbox, mut outbox) = feed(&(head("/chat?a=b", offer) + smuggled));
    let passed = "GET /chat?a=b HTTP/1.1\r\nHost: a\r\nX: y\r\nConnection: upgrade, X-Hop\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(outbox, passed);
    assert!(framing.is_held() && !framing.in_head() && !framing.in_body());
    assert_eq!((framing.offered(), &inbox[..]), (Some("echo"), smuggled.as_bytes()));
    outbox.clear();
    framing.open();
    framing.advance(&mut inbox, &mut outbox).expect("passes");
    assert_eq!((outbox, inbox.len()), (BytesMut::from(smuggled), 0));
    for text in [
        head("/other", offer),
        head("/chat", "Connection: Upgrade\r\nUpgrade: h2c"),
        head("/chat", "Connection: Upgrade\r\nUpgrade: echo, h2c"),
        head("/chat", "Connection: Upgrade\r\nUpgrade: echo\r\nUpgrade: echo"),
        head("/chat", "Connection: close, Upgrade\r\nUpgrade: echo"),
        head("/chat", "Upgrade: echo"),
        head("/chat", "Connection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 1") + "x",
        head("/chat", "Connection: Upgrade\r\nUpgrade: echo").replace("GET", "POST"),
    ] {
        let (framing, _, outbox) = feed(&text);
        assert!(
            !framing.is_held() && !outbox.windows(7).any(|w| w.eq_ignore_ascii_case(b"upgrade")),
            "{text}"
        );
    }
}

/// Section 5.9: behind a request that closes the connection nothing is a request.
#[test]
fn nothing_follows_the_last_request() {
    let text =
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let passed = same_in_any_pieces(text).expect("passes");
    assert!(!String::from_utf8_lossy(&passed).contains("smuggled"));
}
