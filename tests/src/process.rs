//! The real binary as a child process: started, watched until it is ready, stopped, killed, started again.

mod binary;
mod requests;

pub use binary::{cargo, debug_binary, release_binary};
pub use bus_testkit::free_address;

use crate::http::{Answer, Connection, Request};
use std::{
    fs::File,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The admin that every started server has.
pub const ADMIN: (&str, &str) = ("admin@example.test", "an admin of tests, 7f3a9c");

/// The password of every buyer.
pub const PASSWORD: &str = "a buyer of tests, 9c1e7f";

/// How long a server may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// A running server, or one that was stopped and can be started again.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    child: Mutex<Child>,
    /// Where it listens, after each start.
    pub address: SocketAddr,
    /// How long it took from its first start to its first ready answer.
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
        self.start_at(free_address()?).await
    }

    /// The same at an address that others know already.
    ///
    /// # Errors
    /// As [`Setup::start`].
    pub async fn start_at(&self, address: SocketAddr) -> io::Result<Server> {
        std::fs::create_dir_all(&self.data)?;
        let (began, child) = (Instant::now(), self.run(address)?);
        let log = self.log();
        let (setup, started_in) = (self.clone(), Duration::ZERO);
        let mut server = Server { setup, child: Mutex::new(child), address, started_in, log };
        server.becomes_ready().await?;
        server.started_in = began.elapsed();
        Ok(server)
    }

    fn log(&self) -> PathBuf {
        self.data.join("server.log")
    }

    fn run(&self, address: SocketAddr) -> io::Result<Child> {
        let out = File::options().create(true).append(true).open(self.log())?;
        Command::new(&self.binary)
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
            .spawn()
    }
}

impl Server {
    /// Sends SIGKILL and waits for the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&self) -> io::Result<()> {
        let mut child = self.child();
        child.kill()?;
        child.wait().map(|_| ())
    }

    /// Sends SIGTERM and waits for the end; whether it ended well.
    ///
    /// # Errors
    /// What the system says.
    pub fn terminate(&self) -> io::Result<bool> {
        self.signal("TERM")?;
        self.child().wait().map(|status| status.success())
    }

    /// The same while other tasks go on.
    ///
    /// # Errors
    /// Where it does not end in 30 seconds.
    pub async fn stop(&self) -> io::Result<bool> {
        self.signal("TERM")?;
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status.success());
            }
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("SIGTERM did not end it: {}", self.said())));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts it once more after its end, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Setup::start`].
    pub async fn start_again(&self) -> io::Result<()> {
        let child = self.setup.run(self.address)?;
        *self.child() = child;
        self.becomes_ready().await
    }

    /// Lets it do nothing until [`Server::resume`]: to others it is as if the network was cut.
    ///
    /// # Errors
    /// What the system says.
    pub fn pause(&self) -> io::Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// What the system says.
    pub fn resume(&self) -> io::Result<()> {
        self.signal("CONT")
    }

    /// What it has logged.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Resident memory, in bytes; Linux.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child().id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// How long processors have worked for it so far; Linux, which counts it in hundredths of a second (proc(5), `USER_HZ`).
    #[must_use]
    pub fn processor_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child().id())).ok()?;
        // Behind the name, which may hold anything, the 12th and 13th: in its own code and in the kernel.
        let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
        let hundredths: u64 = fields.map(|field| field.parse::<u64>().unwrap_or(0)).sum();
        Some(Duration::from_millis(hundredths * 10))
    }

    async fn becomes_ready(&self) -> io::Result<()> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Err(io::Error::other(format!("the server ended with {status}: {}", self.said())));
            }
            if let Ok(answer) = ask(self.address, "/readyz").await
                && answer.status == 200
            {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                drop(self.kill());
                return Err(io::Error::other(format!("the server was not ready in time: {}", self.said())));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn ended(&self) -> io::Result<Option<ExitStatus>> {
        self.child().try_wait()
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        let mut child = self.child();
        if let Some(status) = child.try_wait()? {
            // Its number may be somebody else's by now.
            return Err(io::Error::other(format!("the server has ended with {status}: {}", self.said())));
        }
        let id = child.id().to_string();
        Command::new("kill").args([&format!("-{name}"), &id]).status().map(|_| ())
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(address: SocketAddr, path: &str) -> io::Result<Answer> {
    Connection::open(address).await?.send(&Request { path, ..Request::default() }).await
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended where `kill` or `terminate` were called.
        drop(self.kill());
    }
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
