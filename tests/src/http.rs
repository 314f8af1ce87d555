//! A client that costs the machine little: keep-alive HTTP/1.1 over one connection, JSON in and out.

use serde_json::Value;
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// One connection to a server.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head, as it came.
    pub head: String,
    /// The body, as it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        lines
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
    }
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// `GET` unless told.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The access token.
    pub token: Option<&'a str>,
    /// The body.
    pub json: Option<&'a Value>,
    /// More headers.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream, buffer: Vec::with_capacity(8192) })
    }

    /// Asks and waits for the answer; a connection that the server closed in between is opened again.
    ///
    /// # Errors
    /// Where no whole answer came.
    pub async fn send(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        let bytes = encode(self.address, request);
        self.buffer.clear();
        self.stream.write_all(&bytes).await?;
        self.read().await
    }

    async fn read(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let mut answer = Answer { status: 0, head, body: Vec::new() };
        answer.status = answer
            .head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| io::Error::other("no status"))?;
        if answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            answer.body = self.chunks(end).await?;
            return Ok(answer);
        }
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while self.buffer.len() < end + length {
            self.fill().await?;
        }
        answer.body = self.buffer[end..end + length].to_vec();
        Ok(answer)
    }

    async fn chunks(&mut self, mut at: usize) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(end) = self.buffer[at..].windows(2).position(|window| window == b"\r\n") {
                    break at + end;
                }
                self.fill().await?;
            };
            let text = String::from_utf8_lossy(&self.buffer[at..line]).into_owned();
            let size = usize::from_str_radix(text.trim(), 16).map_err(io::Error::other)?;
            at = line + 2;
            while self.buffer.len() < at + size + 2 {
                self.fill().await?;
            }
            body.extend_from_slice(&self.buffer[at..at + size]);
            at += size + 2;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

fn encode(address: SocketAddr, request: &Request<'_>) -> Vec<u8> {
    let method = if request.method.is_empty() { "GET" } else { request.method };
    let mut text = format!("{method} {} HTTP/1.1\r\nHost: {address}\r\n", request.path);
    if let Some(token) = request.token {
        text.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    for (name, value) in request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = request.json.map(Value::to_string);
    match &body {
        Some(body) => {
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
        None if matches!(method, "GET" | "HEAD") => text.push_str("\r\n"),
        None => text.push_str("Content-Length: 0\r\n\r\n"),
    }
    text.into_bytes()
}
