//! An etcd of the test's own, to be killed, restarted and wiped.

use crate::world::{Process, SOON};
use bus_discovery::{Etcd, EtcdSettings};
use serde_json::json;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) struct EtcdServer {
    directory: TempDir,
    client: u16,
    peers: u16,
    process: Option<Process>,
}

impl EtcdServer {
    pub(crate) async fn start() -> Self {
        // The crypto provider of the whole process; another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = Self { directory, client: free_port(), peers: free_port(), process: None };
        let deadline = Instant::now() + SOON;
        // A port that is free may be somebody's before the server has it.
        while !server.launch().await {
            assert!(Instant::now() < deadline, "etcd starts");
            (server.client, server.peers) = (free_port(), free_port());
        }
        server
    }

    /// Starts it (again), on the same ports and data.
    pub(crate) async fn run(&mut self) {
        let deadline = Instant::now() + SOON;
        while !self.launch().await {
            assert!(Instant::now() < deadline, "{} stays somebody else's", self.url());
        }
    }

    /// Whether it answers; else it has ended, as it does where a port is taken.
    async fn launch(&mut self) -> bool {
        self.kill();
        let (client, peers) = (self.url(), format!("http://127.0.0.1:{}", self.peers));
        let arguments = [
            format!("--data-dir={}", self.directory.path().join("data").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=default={peers}"),
            // Leases of a second need short elections.
            "--heartbeat-interval=10".into(),
            "--election-timeout=100".into(),
        ];
        let mut process = Process::start("etcd", "etcd-server", &arguments);
        let mut answers = false;
        bus_testkit::eventually("etcd answers or ends", SOON, async || {
            answers = self.ask("kv/range", &json!({ "key": "YQ==" })).await.is_some();
            answers || process.has_ended()
        })
        .await;
        // Where it has ended, whoever has its port may have answered.
        let runs = answers && !process.has_ended();
        self.process = Some(process);
        runs
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Kills it and takes its data away.
    pub(crate) fn wipe(&mut self) {
        self.kill();
        std::fs::remove_dir_all(self.directory.path().join("data")).expect("removed");
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    /// Asks it directly; `None` where it does not answer, or refuses.
    pub(crate) async fn ask(&self, what: &str, question: &serde_json::Value) -> Option<serde_json::Value> {
        let answer = client().post(format!("{}/v3/{what}", self.url())).json(question).send().await.ok()?;
        if answer.status().is_success() { answer.json().await.ok() } else { None }
    }

    /// A discovery that asks this server, impatiently.
    pub(crate) fn discovery(&self, change: impl FnOnce(&mut EtcdSettings)) -> Etcd {
        let mut settings = EtcdSettings {
            endpoints: vec![self.url()],
            prefix: "test".into(),
            lease: Duration::from_secs(2),
            interval: Duration::from_millis(20),
            dead_after: Duration::from_millis(500),
            ..EtcdSettings::default()
        };
        change(&mut settings);
        Etcd::new(settings, client())
    }
}

fn free_port() -> u16 {
    bus_testkit::free_address().expect("a free port").port()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a provider is installed")
}
