//! Reads answers byte by byte, so that a second one or a body too many is seen.

use serde_json::Value;
use std::{collections::HashMap, io::Read as _, net::TcpStream};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Every answer until the server closes, or resets.
pub(crate) fn read_all(socket: &mut TcpStream) -> Vec<Answer> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the connection stays open ({error}): {}", String::from_utf8_lossy(&bytes)),
        }
    }
    let mut answers = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (answer, left) = parse(rest, false).expect("whole answers");
        answers.push(answer);
        rest = left;
    }
    answers
}

/// One answer on a connection that stays open.
pub(crate) fn read_one(socket: &mut TcpStream, head_only: bool) -> Answer {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some((answer, _)) = parse(&bytes, head_only) {
            return answer;
        }
        let length = socket.read(&mut buffer).expect("an answer");
        assert!(length > 0, "closed in the middle: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..length]);
    }
}

fn parse(bytes: &[u8], head_only: bool) -> Option<(Answer, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).expect("an ASCII head");
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers: HashMap<String, String> = HashMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header");
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        headers.entry(name).and_modify(|known| *known = format!("{known}, {value}")).or_insert(value);
    }
    let length = if head_only {
        0
    } else {
        headers.get("content-length").map_or(0, |text| text.parse().expect("a length"))
    };
    let body = bytes.get(end + 4..end + 4 + length)?.to_vec();
    Some((Answer { status, headers, body }, &bytes[end + 4 + length..]))
}
