//! Services behind the gateway: raw ones, that answer bytes as told and write down what they were asked.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// What an upstream was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The request line and the headers, as they came.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let values: Vec<&str> = lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// A service on a port of its own.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    /// Connections whose other side has not closed.
    pub(crate) open: Arc<AtomicUsize>,
}

impl Upstream {
    /// Answers every request with these bytes, on connections that it keeps.
    pub(crate) fn saying(answer: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::answering(move |_, socket| socket.write_all(answer.as_ref()).is_ok())
    }

    /// 200 with this text.
    pub(crate) fn text(text: &str) -> Self {
        Self::saying(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()))
    }

    /// Writes down every request and does this with it; where it is not `true`, the connection closes.
    pub(crate) fn answering(answer: impl Fn(&Asked, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let mut upstream = Self::raw(move |socket| {
            let mut reader = BufReader::new(socket);
            while let Some(request) = request(&mut reader) {
                noted.lock().expect("not poisoned").push(request.clone());
                if !answer(&request, reader.get_mut()) {
                    return;
                }
            }
        });
        upstream.asked = asked;
        upstream
    }

    /// Does this with every connection.
    pub(crate) fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (connections, open) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (all, now, serve) = (Arc::clone(&connections), Arc::clone(&open), Arc::new(serve));
        thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(socket) = socket else { return };
                socket.set_nodelay(true).expect("no delay");
                all.fetch_add(1, Ordering::SeqCst);
                now.fetch_add(1, Ordering::SeqCst);
                let (serve, now) = (Arc::clone(&serve), Arc::clone(&now));
                thread::spawn(move || {
                    serve(socket);
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, asked: Arc::default(), connections, open }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }

    pub(crate) fn last(&self) -> Asked {
        self.asked().pop().expect("it was asked")
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// An address at which nobody listens: bound until the process ends, so that nobody else takes it.
pub(crate) fn nowhere() -> String {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = socket.local_addr().expect("bound");
    std::mem::forget(socket);
    format!("http://{address}")
}

/// The next request, strictly read.
fn request(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut asked = Asked { head, body: Vec::new() };
    if let Some(length) = asked.header("content-length") {
        assert_eq!(asked.header("transfer-encoding"), None, "one framing: {asked:?}");
        let length: u64 = length.parse().expect("one length");
        reader.take(length).read_to_end(&mut asked.body).ok()?;
        if asked.body.len() as u64 != length {
            return None;
        }
    } else if asked.header("transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim_end(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            asked.body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    }
    Some(asked)
}
