//! A RabbitMQ of one's own, to be killed.

use crate::SOON;
use bus_testkit::{eventually, free_address};
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// A node starts in six seconds where nothing else runs.
const STARTS: Duration = Duration::from_secs(120);

/// A node with its own data, on ports of its own.
pub(crate) struct Node {
    directory: TempDir,
    port: u16,
    distribution: u16,
    configuration: String,
    server: Option<Child>,
}

impl Node {
    pub(crate) async fn start() -> Self {
        Self::start_with(|port| format!("listeners.tcp.1 = 127.0.0.1:{port}\n")).await
    }

    /// With what it says for its port in place of the listener.
    pub(crate) async fn start_with(configuration: impl FnOnce(u16) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let configuration = configuration(port);
        let mut node = Self { directory, port, distribution: free_port(), configuration, server: None };
        node.restart().await;
        node
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Starts it, with what it has on disk.
    pub(crate) async fn restart(&mut self) {
        let at = |name: &str| self.directory.path().join(name);
        let _ = std::fs::remove_file(at("pid"));
        std::fs::write(at("rabbitmq.conf"), &self.configuration).expect("it is written");
        // The script behind the wrapper: that one changes the user.
        let server = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server")
            .env("HOME", self.directory.path())
            .env("RABBITMQ_NODENAME", format!("test{}@localhost", self.port))
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", at("mnesia"))
            .env("RABBITMQ_LOG_BASE", at("log"))
            .env("RABBITMQ_LOGS", at("log/node.log"))
            .env("RABBITMQ_PID_FILE", at("pid"))
            .env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.server = Some(server.expect("rabbitmq-server is installed"));
        let port = self.port;
        let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        eventually("the node listens", STARTS, listens).await;
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.end();
        let port = self.port;
        let gone = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err();
        eventually("the node is gone", SOON, gone).await;
    }

    /// Stops it as an operator would.
    pub(crate) async fn stop(&mut self) {
        self.signal("-TERM");
        if let Some(mut server) = self.server.take() {
            let ended = async || server.try_wait().is_ok_and(|status| status.is_some());
            eventually("the node has stopped", STARTS, ended).await;
        }
    }

    /// All that it had on disk.
    pub(crate) fn wipe(&self) {
        std::fs::remove_dir_all(self.directory.path().join("mnesia")).expect("it was there");
    }

    fn end(&mut self) {
        self.signal("-KILL");
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// To the node itself, not to the script that started it.
    fn signal(&self, signal: &str) {
        if self.server.is_some()
            && let Ok(pid) = std::fs::read_to_string(self.directory.path().join("pid"))
        {
            let _ = Command::new("kill").args([signal, pid.trim()]).status();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

fn free_port() -> u16 {
    free_address().expect("a free port").port()
}
