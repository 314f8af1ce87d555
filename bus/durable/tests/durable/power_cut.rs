//! A power cut on this machine: the database lives on a file system in a file, and what that file holds while
//! everything stands still is what a disk would (section 3.6). Process kills prove nothing of this kind.

use crate::world::{Home, SHOP, catalogue, count, set};
use bus::{BusError, Sources};
use bus_durable::{Database, DatabaseSettings, OpenError, sea_orm::Value};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// What a child says: marked, since the test harness speaks too.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "\n@{text}").and_then(|()| out.flush());
    said.expect("somebody listens");
}

fn spawn_child(mode: &str, url: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "power_cut::as_a_child_of_another_test", "--ignored", "--nocapture"])
        .envs([("DURABLE_CHILD", mode), ("DURABLE_URL", url)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

/// Runs a child to its end; what it said.
pub(crate) fn child(mode: &str, url: &str) -> String {
    let output = spawn_child(mode, url).wait_with_output().expect("ends");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().filter_map(|line| line.strip_prefix('@')).map(|line| format!("{line}\n")).collect()
}

/// Not a test of its own: what other tests start as another process. Without its settings it does nothing.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn as_a_child_of_another_test() {
    let (Ok(mode), Ok(url)) = (std::env::var("DURABLE_CHILD"), std::env::var("DURABLE_URL")) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    runtime.block_on(async {
        match &*mode {
            "open" => {
                let settings = DatabaseSettings::new("shop", url);
                match Database::open(settings, catalogue(&[SHOP]), Sources::system()).await {
                    Err(OpenError::InUse { .. }) => say("in use"),
                    other => say(&format!("{other:?}")),
                }
            }
            "careless" => write_carelessly(&url).await,
            _ => write_for_ever(&url).await,
        }
    });
}

/// Says of each write when it was acknowledged; sixteen at a time, so that groups are committed.
async fn write_for_ever(url: &str) {
    let settings = DatabaseSettings::new("shop", url);
    let database = Database::open(settings, catalogue(&[SHOP]), Sources::system()).await.expect("opens");
    let writers = (0..16).map(|writer| {
        let database = database.clone();
        bus::spawn(async move {
            for i in (writer..).step_by(16) {
                set(&database, &format!("row {i}"), i).await.expect("written");
                say(&i.to_string());
            }
        })
    });
    futures::future::join_all(writers).await;
}

/// The same with the settings that are refused: they lose what they have acknowledged.
async fn write_carelessly(url: &str) {
    use sqlx::{Connection as _, Executor as _};
    const INSERT: &str = "INSERT INTO note (name, value) VALUES ($1, $2)";
    if url.starts_with("sqlite:") {
        let options: sqlx::sqlite::SqliteConnectOptions = url.parse().expect("a URL");
        let options = options
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sqlx::sqlite::SqliteSynchronous::Normal);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("opens");
        for i in 0_i64.. {
            let insert = sqlx::query(INSERT).bind(format!("row {i}")).bind(i);
            insert.execute(&mut connection).await.expect("written");
            say(&i.to_string());
        }
    } else {
        let mut connection = sqlx::PgConnection::connect(url).await.expect("connects");
        connection.execute("SET synchronous_commit = off").await.expect("set");
        for i in 0_i64.. {
            let insert = sqlx::query(INSERT).bind(format!("row {i}")).bind(i);
            insert.execute(&mut connection).await.expect("written");
            say(&i.to_string());
        }
    }
}

fn carry_out(program: &str, arguments: &[&str]) -> bool {
    let done = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

/// A file system in a file; unmounted and removed at the end.
struct Disk {
    directory: tempfile::TempDir,
}

impl Disk {
    /// `None` where this machine does not let us: no root, or no loop device.
    fn new(megabytes: u32) -> Option<Self> {
        let disk = Self { directory: tempfile::tempdir().expect("a directory") };
        std::fs::create_dir(disk.mount_point()).expect("made");
        let image = disk.image();
        let made = carry_out("truncate", &["-s", &format!("{megabytes}M"), &text(&image)])
            && carry_out("mkfs.ext4", &["-q", "-F", &text(&image)])
            && disk.mount(&image);
        made.then_some(disk)
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn mount_point(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    fn mount(&self, image: &Path) -> bool {
        // Nothing is written back but what is synced, for as long as the test takes.
        carry_out("mount", &["-o", "loop,commit=600", &text(image), &text(&self.mount_point())])
    }

    /// The power goes, while `processes` stand still; then it comes back.
    fn cut_the_power(&self, processes: &[u32], kill: impl FnOnce()) {
        for process in processes {
            assert!(carry_out("kill", &["-STOP", &process.to_string()]), "stopped");
        }
        let after = self.directory.path().join("after");
        assert!(carry_out("cp", &["--sparse=always", &text(&self.image()), &text(&after)]), "copied");
        kill();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !carry_out("umount", &[&text(&self.mount_point())]) {
            assert!(Instant::now() < deadline, "unmounted");
            std::thread::yield_now();
        }
        assert!(self.mount(&after), "mounted at the same place");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = carry_out("umount", &["-l", &text(&self.mount_point())]);
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Lets a child write until it has been told of enough, and cuts the power; what was acknowledged before.
fn acknowledged_before_the_cut(disk: &Disk, mode: &str, url: &str, server: Option<&Server>) -> Vec<i64> {
    let mut child = spawn_child(mode, url);
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (tell, told) = std::sync::mpsc::channel();
    let listening = std::thread::spawn(move || {
        let mut acknowledged = Vec::new();
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix('@').and_then(|line| line.parse::<i64>().ok()) {
                acknowledged.push(number);
                let _ = tell.send(());
            }
        }
        acknowledged
    });
    for _ in 0..600 {
        told.recv_timeout(Duration::from_secs(30)).expect("it writes");
    }
    let mut processes = vec![child.id()];
    processes.extend(server.map(Server::processes).unwrap_or_default());
    disk.cut_the_power(&processes, || {
        child.kill().expect("killed");
        child.wait().expect("gone");
        if let Some(server) = server {
            server.kill();
        }
    });
    // What was on its way to us was acknowledged as well.
    listening.join().expect("heard")
}

/// How many of these are missing.
async fn lost(database: &Database, acknowledged: &[i64]) -> usize {
    let mut lost = 0;
    for number in acknowledged {
        let sql = "SELECT value FROM note WHERE name = $1";
        let row = database.reader().row(sql, [Value::from(format!("row {number}"))]).await.expect("read");
        lost += usize::from(row.is_none_or(|row| row.get::<i64>("value").ok() != Some(*number)));
    }
    lost
}

/// B1, PC-SQLITE, I1: nothing that was acknowledged is lost in a power cut, five times over. The negative
/// control, with `synchronous=NORMAL`, does lose, or the harness would be blind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and a loop device"]
async fn a_power_cut_takes_nothing_that_sqlite_acknowledged() {
    for (mode, loses) in [("careless", true), ("safe", false), ("safe", false), ("safe", false)] {
        let Some(disk) = Disk::new(96) else { return say("skipped: needs root and a loop device") };
        let home = Home::at(format!("sqlite://{}/rows.db", text(&disk.mount_point())));
        home.open().await.close().await;
        assert!(carry_out("sync", &["-f", &text(&disk.mount_point())]));
        let acknowledged = acknowledged_before_the_cut(&disk, mode, home.url(), None);
        let database = home.open().await;
        let lost = lost(&database, &acknowledged).await;
        let integrity =
            database.reader().row("PRAGMA integrity_check", []).await.expect("read").expect("a row");
        assert_eq!(integrity.get::<String>("integrity_check").expect("text"), "ok");
        assert_eq!(lost > 0, loses, "{mode}: {lost} of {} lost", acknowledged.len());
        let after = count(&database, "note", "1 = 1").await;
        set(&database, "after", 1).await.expect("it goes on");
        assert_eq!(count(&database, "note", "1 = 1").await, after + 1);
        database.close().await;
    }
}

/// A PostgreSQL server of the test's own, with its data on a disk whose power can go.
struct Server {
    process: std::sync::Mutex<Child>,
    id: u32,
}

impl Server {
    fn binaries() -> Option<PathBuf> {
        let found = Command::new("pg_config").arg("--bindir").output().ok();
        let said = found.filter(|found| found.status.success()).map(|found| found.stdout);
        let said = said.map(|said| PathBuf::from(String::from_utf8_lossy(&said).trim()));
        let usual =
            ["/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin"];
        let mut places = said.into_iter().chain(usual.map(PathBuf::from));
        places.find(|place| place.join("initdb").exists() && place.join("postgres").exists())
    }

    fn user() -> Option<u32> {
        let id = Command::new("id").args(["-u", "postgres"]).output().ok()?;
        String::from_utf8_lossy(&id.stdout).trim().parse().ok()
    }

    fn initialize(binaries: &Path, user: u32, data: &Path) {
        std::fs::create_dir(data).expect("made");
        assert!(carry_out("chown", &[&user.to_string(), &text(data)]));
        let made = Command::new(binaries.join("initdb"))
            .args(["-A", "trust", "-U", "postgres", "-D", &text(data)])
            .uid(user)
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("initdb").success());
    }

    fn start(binaries: &Path, user: u32, data: &Path, port: u16) -> Self {
        let process = Command::new(binaries.join("postgres"))
            .args(["-D", &text(data), "-p", &port.to_string()])
            .args(["-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"])
            .uid(user)
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let id = process.id();
        Self { process: process.into(), id }
    }

    /// The server's processes: its own, and those that it has started.
    fn processes(&self) -> Vec<u32> {
        let children = Command::new("pgrep").args(["-P", &self.id.to_string()]).output().expect("pgrep");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        std::iter::once(self.id).chain(children.lines().filter_map(|line| line.parse().ok())).collect()
    }

    fn kill(&self) {
        for process in self.processes().into_iter().rev() {
            let _ = carry_out("kill", &["-KILL", &process.to_string()]);
        }
        let mut process = self.process.lock().expect("lock");
        process.wait().expect("gone");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// B1, PC-PG, I1: as on SQLite; the negative control is `synchronous_commit=off`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, a loop device and PostgreSQL's programs"]
async fn a_power_cut_takes_nothing_that_postgres_acknowledged() {
    let (Some(binaries), Some(user)) = (Server::binaries(), Server::user()) else {
        return say("skipped: needs PostgreSQL's programs");
    };
    for (mode, loses) in [("careless", true), ("safe", false)] {
        let Some(disk) = Disk::new(512) else { return say("skipped: needs root and a loop device") };
        assert!(carry_out("chmod", &["755", &text(disk.directory.path())]));
        let data = disk.mount_point().join("data");
        Server::initialize(&binaries, user, &data);
        // Not before: whoever comes meanwhile may take a port that is free.
        let port = bus_testkit::free_address().expect("a free port").port();
        let server = Server::start(&binaries, user, &data, port);
        let home = Home::at(format!("postgres://postgres@127.0.0.1:{port}/postgres"));
        answers(&home).await;
        home.open().await.close().await;
        assert!(carry_out("sync", &["-f", &text(&disk.mount_point())]));
        let acknowledged = acknowledged_before_the_cut(&disk, mode, home.url(), Some(&server));
        // The dead server's file says that it lives.
        let _ = std::fs::remove_file(data.join("postmaster.pid"));
        let again = Server::start(&binaries, user, &data, port);
        answers(&home).await;
        let database = home.open().await;
        let lost = lost(&database, &acknowledged).await;
        assert_eq!(lost > 0, loses, "{mode}: {lost} of {} lost", acknowledged.len());
        set(&database, "after", 1).await.expect("it goes on");
        database.close().await;
        drop(again);
    }
}

async fn answers(home: &Home) {
    use sqlx::Connection as _;
    bus_testkit::eventually("the server answers", Duration::from_secs(60), async || {
        sqlx::PgConnection::connect(home.url()).await.is_ok()
    })
    .await;
}

/// What the power-cut tests count on: a unit that was answered is one that was committed.
#[tokio::test]
async fn the_harness_counts_what_is_missing() {
    let home = Home::sqlite();
    let database = home.open().await;
    set(&database, "row 1", 1).await.expect("written");
    let wrong: Result<(), BusError> = set(&database, "row 2", 7).await;
    wrong.expect("written");
    assert_eq!(lost(&database, &[1, 2, 3]).await, 2);
}
