//! A client that is none of ours: it sends what a test tells it to, byte for byte. And what it finds.

use async_trait::async_trait;
use bus::{BusError, Headers, Listener, Transport};
use bus_http::{HttpListener, ListenerSettings};
use bytes::Bytes;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Raw {
    stream: TcpStream,
    arrived: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    head: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = |line: &'_ str| line.split_once(": ").is_some_and(|(found, _)| found == name);
        let line = self.head.lines().find(|line| found(line))?;
        line.split_once(": ").map(|(_, value)| value)
    }
}

/// A whole request.
pub(crate) fn request(name: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /bus/{name} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, arrived: Vec::new() }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("it is open");
    }

    /// The next answer; all that is read of the body is what it says that there is.
    pub(crate) async fn answer(&mut self) -> Answer {
        loop {
            let text = String::from_utf8(self.arrived.clone()).expect("text");
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                let mut answer =
                    Answer { status: status.expect("a status"), body: String::new(), head: head.to_owned() };
                let length = answer.header("content-length").map_or(0, |n| n.parse().expect("a number"));
                if let Some(body) = rest.get(..length) {
                    answer.body = body.to_owned();
                    self.arrived.drain(..head.len() + 4 + length);
                    return answer;
                }
            }
            let read = timeout(SOON, self.stream.read_buf(&mut self.arrived)).await;
            let read = read.expect("an answer in time").expect("it is open");
            assert_ne!(read, 0, "hung up after {text:?}");
        }
    }

    /// Waits for the end of the connection; whether nothing more came before it.
    pub(crate) async fn is_hung_up_on(&mut self) -> bool {
        let ended = timeout(SOON, self.stream.read_to_end(&mut self.arrived)).await.expect("an end in time");
        ended.is_err() || self.arrived.is_empty()
    }
}

/// What answers: `shop.echo`, `shop.headers`, `shop.gate` once it is let through, `shop.large` with more than a
/// socket holds.
pub(crate) struct Answers {
    pub(crate) gate: Semaphore,
    asked: AtomicUsize,
}

impl Answers {
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

#[async_trait]
impl Transport for Answers {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.asked.fetch_add(1, SeqCst);
        match name {
            "shop.echo" => Ok(bytes),
            "shop.headers" => Ok(serde_json::to_vec(&headers).expect("texts").into()),
            "shop.large" => Ok(vec![b'1'; 4 << 20].into()),
            "shop.gate" => {
                self.gate.acquire().await.expect("the gate is never closed").forget();
                Ok(bytes)
            }
            _ => Err(BusError::UnknownName { name: name.into() }),
        }
    }

    fn kind(&self) -> &'static str {
        "answers"
    }
}

/// A listener that is open for `shop`.
pub(crate) async fn listen(settings: ListenerSettings) -> (Arc<Answers>, HttpListener) {
    let answers = Arc::new(Answers { gate: Semaphore::new(0), asked: AtomicUsize::new(0) });
    let shared = Arc::clone(&answers) as Arc<dyn Transport>;
    let listener = HttpListener::bind(([127, 0, 0, 1], 0).into(), shared, settings).await;
    let listener = listener.expect("a free port");
    listener.open("shop").await.expect("it opens");
    (answers, listener)
}
