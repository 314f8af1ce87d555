//! Peers that are none of ours: they say what a test tells them to, byte for byte, and remember what they heard.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// What a peer does once it has heard a whole request.
pub(crate) enum Reply {
    /// Says this and listens on.
    Say(Vec<u8>),
    /// Says this when it is let through.
    Later(Arc<Semaphore>, Vec<u8>),
    /// Says this and hangs up.
    Last(Vec<u8>),
}

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    requests: Mutex<Vec<String>>,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Peer {
    /// Answers the first request it hears with what `reply` makes of 0, and so on.
    pub(crate) async fn new(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (heard, reply) = (Arc::new(Heard::default()), Arc::new(reply));
        let accepting = Arc::clone(&heard);
        bus::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, reply) = (Arc::clone(&accepting), Arc::clone(&reply));
                heard.accepted.fetch_add(1, SeqCst);
                heard.open.fetch_add(1, SeqCst);
                bus::spawn(async move {
                    // A peer that is hung up on has heard enough.
                    let _ = converse(stream, &heard, &*reply).await;
                    heard.open.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { address, heard }
    }

    /// The same to everybody.
    pub(crate) async fn always(says: Vec<u8>) -> Self {
        Self::new(move |_| Reply::Say(says.clone())).await
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.heard.requests.lock().expect("not poisoned").clone()
    }

    /// How many connections there were, and how many there are.
    pub(crate) fn connections(&self) -> (usize, usize) {
        (self.heard.accepted.load(SeqCst), self.heard.open.load(SeqCst))
    }
}

/// A good answer.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    ok_with("", body)
}

/// A good answer with more headers, each of which ends its line.
pub(crate) fn ok_with(headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}");
    format!("{head}\r\n{body}").into()
}

async fn converse(
    mut stream: TcpStream,
    heard: &Heard,
    reply: &(impl Fn(usize) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut arrived = Vec::new();
    loop {
        let number = {
            let request = request(&mut stream, &mut arrived).await?;
            let mut requests = heard.requests.lock().expect("not poisoned");
            requests.push(request);
            requests.len() - 1
        };
        match reply(number) {
            Reply::Say(bytes) => stream.write_all(&bytes).await?,
            Reply::Later(gate, bytes) => {
                gate.acquire().await.expect("the gate is never closed").forget();
                stream.write_all(&bytes).await?;
            }
            Reply::Last(bytes) => {
                stream.write_all(&bytes).await?;
                stream.shutdown().await?;
                return stream.read_to_end(&mut arrived).await.map(drop);
            }
        }
    }
}

/// Head and body of the next request.
async fn request(stream: &mut TcpStream, arrived: &mut Vec<u8>) -> std::io::Result<String> {
    loop {
        let text = String::from_utf8_lossy(arrived).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().expect("a number"));
            if body.len() >= length {
                arrived.drain(..head.len() + 4 + length);
                return Ok(text);
            }
        }
        if stream.read_buf(arrived).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
