//! A broker of a shop's own, to be killed.

use super::Broker;
use crate::process::free_address;
use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::Instant};

/// How long one may take to start: RabbitMQ six seconds where nothing else runs.
const STARTS: Duration = Duration::from_secs(120);

/// A running broker, or one that was killed; its data are a directory.
#[derive(Debug)]
pub struct Node {
    broker: Broker,
    address: SocketAddr,
    /// Where RabbitMQ's nodes would find each other.
    distribution: SocketAddr,
    directory: TempDir,
    process: Option<Child>,
}

impl Node {
    /// A new one, with nothing in it.
    ///
    /// # Panics
    /// Where it is not installed, or does not start.
    pub async fn start(broker: Broker) -> Self {
        let address = || free_address().expect("an address");
        let directory = tempfile::tempdir().expect("a directory");
        let (address, distribution) = (address(), address());
        let mut node = Self { broker, address, distribution, directory, process: None };
        node.start_again().await;
        node
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        match self.broker {
            Broker::Nats => format!("nats://{}", self.address),
            Broker::Amqp => format!("amqp://guest:guest@{}/%2f", self.address),
        }
    }

    /// Starts it with what it has on the disk.
    ///
    /// # Panics
    /// Where it does not listen in time.
    pub async fn start_again(&mut self) {
        let mut command = match self.broker {
            Broker::Nats => self.nats(),
            Broker::Amqp => self.rabbitmq(),
        };
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.process = Some(started.expect("the broker is installed"));
        self.comes_to("listens", async |address| TcpStream::connect(address).await.is_ok()).await;
    }

    fn nats(&self) -> Command {
        let mut command = Command::new("/usr/sbin/nats-server");
        let (ip, port) = (self.address.ip().to_string(), self.address.port().to_string());
        command.args(["-a", &ip, "-p", &port, "-js", "-sd"]).arg(self.directory.path());
        command
    }

    fn rabbitmq(&self) -> Command {
        let at = |name: &str| self.directory.path().join(name);
        let configuration = format!("listeners.tcp.1 = {}\n", self.address);
        std::fs::write(at("rabbitmq.conf"), configuration).expect("written");
        drop(std::fs::remove_file(at("pid")));
        // The script behind the wrapper: that one changes the user.
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        command
            .env("HOME", self.directory.path())
            .env("RABBITMQ_NODENAME", format!("test{}@localhost", self.address.port()))
            .env("RABBITMQ_DIST_PORT", self.distribution.port().to_string())
            .env("RABBITMQ_MNESIA_BASE", at("mnesia"))
            .env("RABBITMQ_LOG_BASE", at("log"))
            .env("RABBITMQ_LOGS", at("log/node.log"))
            .env("RABBITMQ_PID_FILE", at("pid"))
            .env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins"));
        command
    }

    /// Sends SIGKILL, to the broker itself and not only to what started it.
    ///
    /// # Panics
    /// Where it goes on.
    pub async fn kill(&mut self) {
        self.end();
        self.comes_to("is gone", async |address| TcpStream::connect(address).await.is_err()).await;
    }

    /// Removes all that it had on the disk.
    ///
    /// # Panics
    /// Where it runs, or had nothing.
    pub fn wipe(&self) {
        assert!(self.process.is_none(), "a running broker cannot be wiped");
        let kept = match self.broker {
            Broker::Nats => "jetstream",
            Broker::Amqp => "mnesia",
        };
        std::fs::remove_dir_all(self.directory.path().join(kept)).expect("there was something");
    }

    async fn comes_to(&self, what: &str, state: impl AsyncFn(SocketAddr) -> bool) {
        let deadline = Instant::now() + STARTS;
        while !state(self.address).await {
            assert!(Instant::now() < deadline, "the {:?} of the test never {what}", self.broker);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn end(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        if let Ok(id) = std::fs::read_to_string(self.directory.path().join("pid")) {
            drop(Command::new("kill").args(["-KILL", id.trim()]).status());
        }
        drop(process.kill());
        drop(process.wait());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}
