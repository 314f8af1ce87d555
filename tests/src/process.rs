//! The real binary as a child process: started, watched until it is ready, killed.

use crate::http::{Answer, Connection, Request};
use serde_json::{Value, json};
use std::{
    fs::File,
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The admin that every started server has.
pub const ADMIN: (&str, &str) = ("admin@example.test", "an admin of tests, 7f3a9c");

/// The password of every buyer.
pub const PASSWORD: &str = "a buyer of tests, 9c1e7f";

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The program.
    pub binary: PathBuf,
    /// Where its data are.
    pub data: PathBuf,
    /// Settings beside the usual ones: `CLEAVE__ORDERS__DATABASE_URL` and its value.
    pub settings: Vec<(String, String)>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// How long it took from its start to its first ready answer.
    pub started_in: Duration,
    /// Where its log is.
    pub log: PathBuf,
}

impl Setup {
    /// The usual settings, in this directory.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>, data: &Path) -> Self {
        Self { binary: binary.into(), data: data.to_owned(), settings: Vec::new() }
    }

    /// One more setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    /// Every module on a PostgreSQL database of its own: `{server}/{prefix}_{module}`, made by the caller.
    #[must_use]
    pub fn on_postgres(mut self, urls: &[(String, String)]) -> Self {
        for (module, url) in urls {
            self = self.with(&format!("CLEAVE__{}__DATABASE_URL", module.to_uppercase()), url);
        }
        self
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// Where it ends, or is not ready in 30 seconds; with what it said.
    pub async fn start(&self) -> io::Result<Server> {
        let address = free_address()?;
        std::fs::create_dir_all(&self.data)?;
        let log = self.data.join("server.log");
        let out = File::options().create(true).append(true).open(&log)?;
        let began = Instant::now();
        let mut child = Command::new(&self.binary)
            .arg("serve")
            .current_dir(&self.data)
            .env("CLEAVE__HTTP__LISTEN", address.to_string())
            .env("CLEAVE__DATA_DIR", &self.data)
            .env("CLEAVE__ADMIN__EMAIL", ADMIN.0)
            .env("CLEAVE__ADMIN__PASSWORD", ADMIN.1)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()?;
        loop {
            if let Some(status) = child.try_wait()? {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(io::Error::other(format!("the server ended with {status}: {said}")));
            }
            if let Ok(answer) = ask(address, "/readyz").await
                && answer.status == 200
            {
                return Ok(Server { child, address, started_in: began.elapsed(), log });
            }
            if began.elapsed() > Duration::from_secs(30) {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                drop(child.kill());
                return Err(io::Error::other(format!("the server was not ready in time: {said}")));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn ask(address: SocketAddr, path: &str) -> io::Result<Answer> {
    Connection::open(address).await?.send(&Request { path, ..Request::default() }).await
}

/// An address that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

impl Server {
    /// A connection to it.
    ///
    /// # Errors
    /// What the system says.
    pub async fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.address).await
    }

    /// Sends SIGKILL and waits for the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Sends SIGTERM and waits for the end; whether it ended well.
    ///
    /// # Errors
    /// What the system says.
    pub fn terminate(mut self) -> io::Result<bool> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        self.child.wait().map(|status| status.success())
    }

    /// Resident memory, in bytes; Linux.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// Signs in and gives back the access token.
    ///
    /// # Errors
    /// Where the server does not answer or refuses.
    pub async fn sign_in(&self, email: &str, password: &str) -> io::Result<String> {
        let credentials = json!({"email": email, "password": password});
        let answer = self.post("/api/v1/sessions", None, &credentials).await?;
        let token = answer.json()["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| io::Error::other(format!("{}: {}", answer.status, answer.json())))
    }

    /// Registers a buyer and signs in.
    ///
    /// # Errors
    /// As [`Server::sign_in`].
    pub async fn buyer(&self, email: &str) -> io::Result<String> {
        let password = PASSWORD;
        let new = json!({"email": email, "name": "A Buyer", "password": password});
        self.post("/api/v1/users", None, &new).await?;
        self.sign_in(email, password).await
    }

    /// Posts on a connection of its own.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn post(&self, path: &str, token: Option<&str>, json: &Value) -> io::Result<Answer> {
        let request = Request { method: "POST", path, token, json: Some(json), headers: &[] };
        self.connect().await?.send(&request).await
    }

    /// Gets on a connection of its own.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn get(&self, path: &str, token: Option<&str>) -> io::Result<Answer> {
        self.connect().await?.send(&Request { path, token, ..Request::default() }).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended where `kill` or `terminate` were called.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Builds the program with the features that the whole workspace is built with, so that little is built twice.
///
/// # Panics
/// Where it does not build.
#[must_use]
pub fn debug_binary() -> PathBuf {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let build = || {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--workspace", "--bin", "cleave", "--quiet"])
            .current_dir(&root)
            .status();
        assert!(status.expect("cargo runs").success(), "the program builds");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        target.join("debug/cleave").canonicalize().expect("the binary is there")
    };
    BUILT.get_or_init(build).clone()
}

/// The databases of a server on PostgreSQL, dropped with the guards.
pub async fn postgres_urls(prefix: &str) -> (Vec<(String, String)>, Vec<bus_testkit::postgres::DropGuard>) {
    let mut urls = Vec::new();
    let mut guards = Vec::new();
    for module in ["users", "inventory", "orders", "payments", "notifications", "sandbox"] {
        let (url, guard) = bus_testkit::postgres::fresh_postgres(&format!("{prefix}_{module}")).await;
        urls.push((module.to_owned(), url));
        guards.push(guard);
    }
    (urls, guards)
}
