//! A proxied route beside HAProxy: the same upstream, the same client, one thread each, in turns. `cargo bench -p cleave
//! --bench proxy`.
//!
//! Client and upstream are threads of this process and take their share of the machine, the same from both. Figures
//! are for reading and for ratios within one run; nothing fails on them. Without HAProxy there are no ratios.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]

use hdrhistogram::Histogram;
use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 32;
const LARGE: usize = 64 << 20;

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let upstream = upstream();
    let cleave = Proxy::cleave(directory.path(), upstream);
    let haproxy = Proxy::haproxy(directory.path(), upstream);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut rounds = Vec::new();
        let direct = load(upstream).await;
        println!("without a proxy: {direct}");
        for _ in 0..ROUNDS {
            let ours = load(cleave.address).await;
            let theirs = match &haproxy {
                Some(haproxy) => Some(load(haproxy.address).await),
                None => None,
            };
            match &theirs {
                Some(theirs) => println!(
                    "cleave {ours} | haproxy {theirs} | rate {:.2}, p99 {:.2}",
                    ours.rate / theirs.rate,
                    ours.p99 / theirs.p99
                ),
                None => println!("cleave {ours}"),
            }
            rounds.push((ours, theirs));
        }
        let ratio = |of: fn(&Figures) -> f64| {
            let mut ratios: Vec<f64> =
                rounds.iter().filter_map(|(ours, theirs)| Some(of(ours) / of(theirs.as_ref()?))).collect();
            ratios.sort_by(f64::total_cmp);
            ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
        };
        println!(
            "median of {ROUNDS} rounds: rate {:.2} of HAProxy's (at least 0.5 is wanted), p99 {:.2} times HAProxy's (at most 2)",
            ratio(|figures| figures.rate),
            ratio(|figures| figures.p99)
        );
        for (name, proxy) in [("cleave", Some(&cleave)), ("haproxy", haproxy.as_ref())] {
            let Some(proxy) = proxy else { continue };
            let (down, up) = (large(proxy.address, false).await, large(proxy.address, true).await);
            println!("{name}: {} MiB down at {down:.0} MiB/s, up at {up:.0} MiB/s", LARGE >> 20);
        }
    });
}

/// A started proxy, ended with this.
struct Proxy {
    address: SocketAddr,
    child: Child,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    fn cleave(directory: &Path, upstream: SocketAddr) -> Self {
        let file = directory.join("settings.toml");
        let settings = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[log]\nlevel = \"warn\"\n[[gateway.routes]]\npath = \"/up/{{*rest}}\"\n\
             auth = \"none\"\nupstream = [\"http://{upstream}\"]\nmax_body = {LARGE}\n"
        );
        std::fs::write(&file, settings).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_cleave"))
            .arg("--config")
            .arg(&file)
            .current_dir(directory)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let address = lines
            .filter_map(|line| line.strip_prefix("Cleave listens on http://")?.parse().ok())
            .next()
            .expect("it starts");
        Self { address, child }
    }

    fn haproxy(directory: &Path, upstream: SocketAddr) -> Option<Self> {
        let free =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let file = directory.join("haproxy.cfg");
        let settings = format!(
            "global\n    nbthread 1\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n    \
             option forwardfor\nfrontend front\n    bind {free}\n    default_backend back\nbackend back\n    http-reuse always\n    server one {upstream}\n"
        );
        std::fs::write(&file, settings).expect("written");
        let child = Command::new("haproxy").arg("-db").arg("-f").arg(&file).spawn();
        let Ok(child) = child else {
            println!("haproxy is not installed");
            return None;
        };
        let proxy = Self { address: free, child };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(free).is_err() {
            assert!(Instant::now() < deadline, "haproxy does not start");
            thread::yield_now();
        }
        Some(proxy)
    }
}

/// What a load gave.
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms", self.rate, self.p50, self.p99)
    }
}

/// As many requests as go, over connections that are kept.
async fn load(address: SocketAddr) -> Figures {
    let began = Instant::now();
    let clients = (0..CONNECTIONS).map(|_| async move {
        let mut times = Histogram::<u64>::new(3).expect("a histogram");
        let mut socket = connect(address).await;
        let request = format!(
            "GET /up/items/17?page=2 HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bench\r\nAccept: application/json\r\n\
             Accept-Encoding: gzip\r\nCookie: a=0123456789abcdef\r\n\r\n"
        );
        let mut buffer = Vec::with_capacity(4096);
        while began.elapsed() < ROUND {
            let sent = Instant::now();
            socket.write_all(request.as_bytes()).await.expect("sent");
            buffer.clear();
            while !is_whole(&buffer) {
                assert!(socket.read_buf(&mut buffer).await.expect("an answer") > 0, "closed");
            }
            assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer));
            times.saturating_record(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        times
    });
    let mut all = Histogram::<u64>::new(3).expect("a histogram");
    for times in futures::future::join_all(clients).await {
        all.add(times).expect("the same kind");
    }
    let millis = |quantile| all.value_at_quantile(quantile) as f64 / 1000.0;
    Figures { rate: all.len() as f64 / began.elapsed().as_secs_f64(), p50: millis(0.5), p99: millis(0.99) }
}

/// Every answer ends like this one: the body is ours.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(END)
}

const END: &[u8] = b"\"end\":true}";

/// How fast one large body is, in MiB a second.
async fn large(address: SocketAddr, up: bool) -> f64 {
    let mut socket = connect(address).await;
    let began = Instant::now();
    let mut buffer = vec![0; 1 << 18];
    if up {
        let head = format!("POST /up/large HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.expect("sent");
        for _ in 0..LARGE / buffer.len() {
            socket.write_all(&buffer).await.expect("sent");
        }
        assert!(socket.read(&mut buffer).await.expect("an answer") > 0);
    } else {
        socket.write_all(b"GET /up/large HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
        let mut read = 0;
        while read < LARGE {
            let length = socket.read(&mut buffer).await.expect("more");
            assert!(length > 0, "closed");
            read += length;
        }
    }
    (LARGE >> 20) as f64 / began.elapsed().as_secs_f64()
}

async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).await.expect("connects");
    socket.set_nodelay(true).expect("no delay");
    socket
}

/// A service that costs the machine little.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("not blocking");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let tasks = tokio::task::LocalSet::new();
        tasks.block_on(&runtime, async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((socket, _)) = listener.accept().await {
                tokio::task::spawn_local(answer(socket));
            }
        });
    });
    address
}

async fn answer(mut socket: TcpStream) {
    let body = format!("{{\"id\":17,\"title\":\"{}\",{}", "t".repeat(120), String::from_utf8_lossy(END));
    let small = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: bench\r\nETag: \"abc\"\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut buffer = Vec::with_capacity(1 << 18);
    let _ = socket.set_nodelay(true);
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            match socket.read_buf(&mut buffer).await {
                Ok(1..) => {}
                _ => return,
            }
        };
        let (upload, download) = (buffer.starts_with(b"POST"), buffer.starts_with(b"GET /up/large"));
        let mut rest = buffer.len() - end;
        buffer.clear();
        while upload && rest < LARGE {
            buffer.clear();
            match socket.read_buf(&mut buffer).await {
                Ok(length @ 1..) => rest += length,
                _ => return,
            }
        }
        buffer.clear();
        let sent = if download {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
            let piece = vec![b'x'; 1 << 18];
            let mut sent = socket.write_all(head.as_bytes()).await;
            for _ in 0..LARGE / piece.len() {
                sent = sent.and(socket.write_all(&piece).await);
            }
            sent
        } else {
            socket.write_all(small.as_bytes()).await
        };
        if sent.is_err() {
            return;
        }
    }
}
