//! Large bodies both ways: no more of them is in memory than is under way.

use crate::{
    fixture::{Server, eventually, route},
    upstream::Upstream,
};
use serde_json::json;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::Shutdown,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

const SIZE: u64 = 100 << 20;

/// What this process has in memory, in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("there");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number")
        << 10
}

fn skip_head(reader: &mut impl std::io::BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a line") > 0, "{head}");
    }
    head
}

/// CALL-15, C23: a hundred megabytes there and a hundred back, and memory stays flat, with a length and without.
#[test]
fn large_bodies_are_streamed() {
    let upstream = Upstream::raw(|socket| {
        let mut reader = BufReader::with_capacity(1 << 16, socket);
        let head = skip_head(&mut reader);
        let chunked = head.contains("transfer-encoding");
        let sent = if chunked { SIZE + SIZE / (1 << 16) * 9 + 5 } else { SIZE };
        // Chunks are framed anew on the way, so their number is the gateway's: read to the last of them.
        if chunked {
            let mut body = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a size");
                let size = u64::from_str_radix(line.trim_end(), 16).expect("a size");
                body += size;
                std::io::copy(&mut reader.by_ref().take(size + 2), &mut std::io::sink()).expect("read");
                if size == 0 {
                    break;
                }
            }
            assert_eq!(body, SIZE);
        } else {
            let read = std::io::copy(&mut reader.by_ref().take(sent), &mut std::io::sink()).expect("read");
            assert_eq!(read, SIZE);
        }
        let mut socket = reader.into_inner();
        let _ = match chunked {
            true => socket.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
            false => write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"),
        };
        let piece = vec![b'y'; 1 << 16];
        for _ in 0..SIZE / (1 << 16) {
            socket.write_all(&piece).expect("taken");
        }
    });
    let server = Server::to(&upstream.url(), json!({"max_body": SIZE, "timeout": "5m"}));
    let before = memory();
    let mut most = before;
    for chunked in [false, true] {
        let mut client = server.connect();
        client.say(match chunked {
            true => "POST /up/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            false => format!("POST /up/x HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"),
        });
        let mut piece = vec![b'x'; 1 << 16];
        if chunked {
            piece.splice(0..0, *b"10000\r\n");
            piece.extend_from_slice(b"\r\n");
        }
        for i in 0..SIZE / (1 << 16) {
            client.reader.get_mut().write_all(&piece).expect("taken");
            if i % 64 == 0 {
                most = most.max(memory());
            }
        }
        if chunked {
            client.say("0\r\n\r\n");
        }
        let head = skip_head(&mut client.reader).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert_eq!(head.contains("transfer-encoding: chunked"), chunked, "{head}");
        let mut read = 0;
        let mut buffer = vec![0; 1 << 20];
        while read < SIZE {
            let length = client.reader.read(&mut buffer).expect("more");
            assert!(length > 0, "after {read} bytes");
            read += length as u64;
            most = most.max(memory());
        }
    }
    let grown = most.saturating_sub(before) >> 20;
    // The tests beside this one take some too; a body that is kept would take all of its size.
    assert!(grown < 80, "{grown} MiB more for {} MiB in one go", SIZE >> 20);
}

/// CALL-15: who does not read is not sent for: the upstream is held up, and nothing is kept for the client.
#[test]
fn a_slow_reader_holds_up_the_upstream() {
    let written = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&written);
    let upstream = Upstream::answering(move |_, socket| {
        let _ = write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        let piece = vec![b'y'; 1 << 16];
        for _ in 0..SIZE / (1 << 16) {
            if socket.write_all(&piece).is_err() {
                return false;
            }
            counted.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        true
    });
    let server = Server::with(json!([route("/up", &upstream.url(), json!({"timeout": "5m"}))]), |_| {});
    let mut client = server.connect();
    client.say("GET /up HTTP/1.1\r\nHost: a\r\n\r\n");
    skip_head(&mut client.reader);
    // It goes on until everything between is full, and then no more.
    let (mut last, mut same) = (0, 0);
    eventually("it is held up", || {
        let now = written.load(Ordering::SeqCst);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        std::thread::park_timeout(std::time::Duration::from_millis(10));
        same > 50
    });
    assert!(last < SIZE / 2, "{} MiB were taken for nobody", last >> 20);
    let mut rest = vec![0; 1 << 20];
    let mut read = 0;
    while read < SIZE {
        let length = client.reader.read(&mut rest).expect("more");
        assert!(length > 0, "after {read} bytes");
        read += length as u64;
    }
    client.socket().shutdown(Shutdown::Both).expect("closed");
}

/// An upstream may answer before it has read all: the answer is passed on, and the connection ends with it.
#[test]
fn an_early_answer_is_passed_on() {
    let upstream = Upstream::raw(|socket| {
        let mut reader = BufReader::new(socket);
        skip_head(&mut reader);
        let _ = reader
            .get_mut()
            .write_all(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        drop(std::io::copy(&mut reader, &mut std::io::sink()));
    });
    let server = Server::to(&upstream.url(), json!({"max_body": SIZE}));
    let mut client = server.connect();
    let answer =
        client.ask(format!("POST /up/x HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\nsome of it"));
    assert_eq!((answer.status, answer.text().as_str()), (413, "no"));
    client.say(vec![b'x'; 1 << 20]);
    assert!(client.read_all().is_empty());
}
