//! A name server of the test's own, whose records it changes.

use crate::world::{Process, SOON};
use bus_discovery::{Dns, DnsSettings};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What is the address of `x.example`? (RFC 1035, section 4.1)
const QUESTION: &[u8] =
    b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x07example\x00\x00\x01\x00\x01";

pub(crate) struct Dnsmasq {
    directory: TempDir,
    pub(crate) address: SocketAddr,
    process: Option<Process>,
}

impl Dnsmasq {
    /// A server that knows these hosts (lines of `/etc/hosts`) and options.
    pub(crate) fn start(hosts: &str, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = Self { directory, address: free_address(), process: None };
        server.write_hosts(hosts);
        let deadline = Instant::now() + SOON;
        // A port that is free may be somebody's before the server has it.
        while !server.launch(options) {
            assert!(Instant::now() < deadline, "dnsmasq starts");
            server.address = free_address();
        }
        server
    }

    /// Starts anew on the same port, with other options.
    pub(crate) fn restart(&mut self, options: &[&str]) {
        let deadline = Instant::now() + SOON;
        while !self.launch(options) {
            assert!(Instant::now() < deadline, "{} stays somebody else's", self.address);
        }
    }

    /// Whether it answers; else it has ended, as it does where its port is taken. Before it answers a signal would end it.
    fn launch(&mut self, options: &[&str]) -> bool {
        self.stop();
        let mut arguments: Vec<String> = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file=",
            "--user=root",
            "--no-resolv",
            "--no-hosts",
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            "--local=/example/",
        ]
        .map(String::from)
        .to_vec();
        arguments.push(format!("--port={}", self.address.port()));
        arguments.push(format!("--addn-hosts={}", self.hosts().display()));
        arguments.extend(options.iter().map(|option| format!("--{option}")));
        let process = self.process.insert(Process::start("dnsmasq", "dnsmasq-base", &arguments));
        let asking = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        asking.set_read_timeout(Some(Duration::from_millis(5))).expect("above zero");
        while !process.has_ended() {
            // Nobody listens yet: that is an error as well.
            let _ = asking.send_to(QUESTION, self.address);
            if asking.recv_from(&mut [0; 512]).is_ok_and(|(_, from)| from == self.address) {
                // Unless that was the question, come back to where it was asked.
                return asking.local_addr().is_ok_and(|own| own != self.address);
            }
        }
        false
    }

    /// Changes the hosts while it runs.
    pub(crate) fn set_hosts(&self, hosts: &str) {
        self.write_hosts(hosts);
        self.process.as_ref().expect("it runs").signal("HUP");
    }

    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    fn hosts(&self) -> PathBuf {
        self.directory.path().join("hosts")
    }

    /// Changes the hosts for its next start.
    pub(crate) fn write_hosts(&self, hosts: &str) {
        std::fs::write(self.hosts(), hosts).expect("written");
    }

    /// A discovery that asks this server, impatiently.
    pub(crate) fn discovery(&self, change: impl FnOnce(&mut DnsSettings)) -> Dns {
        let mut settings = DnsSettings {
            servers: vec![self.address],
            timeout: Duration::from_secs(1),
            shortest: Duration::from_millis(20),
            longest: Duration::from_millis(50),
            dead_after: Duration::from_millis(500),
            ..DnsSettings::default()
        };
        change(&mut settings);
        Dns::new(settings).expect("nothing of this machine is needed")
    }
}

/// A port where somebody else takes connections is found out, and not waited for.
#[test]
#[ignore = "needs dnsmasq"]
fn a_name_server_without_its_port_is_no_server() {
    let mut server = Dnsmasq::start("127.0.0.2 inventory.example\n", &[]);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    server.address = taken.local_addr().expect("bound");
    assert!(!server.launch(&[]));
    drop(taken);
    server.restart(&[]);
}

/// Where a server can listen: for datagrams and for connections.
fn free_address() -> SocketAddr {
    let both = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        let address = listener.local_addr().ok()?;
        UdpSocket::bind(address).is_ok().then_some(address)
    };
    std::iter::repeat_with(both).take(100).flatten().next().expect("a free port")
}

/// Answers every question at this address with an error, and counts; for as long as it is not dropped.
pub(crate) struct BrokenServer(tokio::task::JoinHandle<()>, tokio::sync::watch::Receiver<usize>);

impl BrokenServer {
    /// `code` is what is answered: 2 is SERVFAIL, 5 is REFUSED; `None` is silence.
    pub(crate) async fn start(address: SocketAddr, code: Option<u8>) -> Self {
        let socket = tokio::net::UdpSocket::bind(address).await.expect("the port is free");
        let (count, counted) = tokio::sync::watch::channel(0);
        let answering = bus::spawn(async move {
            let mut question = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                if let Some(code) = code {
                    // A response (QR), with this code; the rest is as it was asked (RFC 1035, section 4.1.1).
                    question[2] |= 0x80;
                    question[3] = code;
                    let _ = socket.send_to(&question[..length], from).await;
                }
                count.send_modify(|count| *count += 1);
            }
        });
        Self(answering, counted)
    }

    /// Waits until so many questions have come.
    pub(crate) async fn has_been_asked(&mut self, times: usize) {
        let asked = tokio::time::timeout(crate::world::SOON, self.1.wait_for(|count| *count >= times));
        asked.await.expect("it is asked").expect("it listens");
    }

    /// Frees the port.
    pub(crate) async fn stop(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}
