//! A server of the test's own, to be killed, wiped and started again.

use bus_testkit::{eventually, free_address};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::scratch::SOON;

pub(crate) struct Broker {
    pub(crate) port: u16,
    arguments: Vec<String>,
    store: TempDir,
    process: Option<Child>,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        let mut broker = Self::reserve(arguments);
        broker.restart().await;
        broker
    }

    /// A server that is not there yet.
    pub(crate) fn reserve(arguments: &[&str]) -> Self {
        let port = free_address().expect("a free port").port();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { port, arguments, store: tempfile::tempdir().expect("a directory"), process: None }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it has ended");
        }
    }

    /// Forgets all that it has kept.
    pub(crate) fn wipe(&mut self) {
        assert!(self.process.is_none(), "it is not running");
        std::fs::remove_dir_all(self.store.path()).expect("the store is there");
    }

    pub(crate) async fn restart(&mut self) {
        let process = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"])
            .arg(self.store.path())
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.expect("nats-server is installed"));
        let address = ("127.0.0.1", self.port);
        eventually("it listens", SOON, async || TcpStream::connect(address).await.is_ok()).await;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
