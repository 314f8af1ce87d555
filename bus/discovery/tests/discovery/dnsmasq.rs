//! A name server of the test's own, whose records it changes.

use crate::world::Process;
use bus_discovery::{Dns, DnsSettings};
use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::PathBuf,
    time::Duration,
};
use tempfile::TempDir;

pub(crate) struct Dnsmasq {
    directory: TempDir,
    pub(crate) address: SocketAddr,
    process: Option<Process>,
}

impl Dnsmasq {
    /// A server that knows these hosts (lines of `/etc/hosts`) and options.
    pub(crate) fn start(hosts: &str, options: &[&str]) -> Self {
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = Self { directory, address: free.expect("a free port"), process: None };
        server.write_hosts(hosts);
        server.restart(options);
        server
    }

    /// Starts anew on the same port, with other options.
    pub(crate) fn restart(&mut self, options: &[&str]) {
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
        self.process = Some(Process::start("dnsmasq", "dnsmasq-base", &arguments));
    }

    /// Changes the hosts while it runs, and has answered: until then the signal would end it.
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
