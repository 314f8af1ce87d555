//! Instances that do as they are told, and what the tests look at.

use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bus_discovery::{Instance, Member, Members, State, Watch};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    process::{Child, Command},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// Long enough for anything that comes at all.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What an instance does with a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Does {
    /// Answers with its id.
    #[default]
    Answer,
    /// Cannot be reached.
    Refuse,
    /// Takes the call and is silent.
    Hang,
    /// Answers when it is told to.
    Wait,
}

/// What stands behind the addresses: how it behaves, and what has reached it.
#[derive(Default)]
pub(crate) struct World {
    does: Mutex<BTreeMap<String, Does>>,
    heard: Mutex<Vec<String>>,
    connected: AtomicUsize,
    dropped: AtomicUsize,
    go: Notify,
}

impl World {
    pub(crate) fn set(&self, address: &str, does: Does) {
        self.does.lock().expect("not poisoned").insert(address.to_owned(), does);
    }

    /// Lets every call that waits be answered.
    pub(crate) fn go(&self) {
        self.go.notify_waiters();
    }

    /// The addresses that have got a call since this was last asked, in order.
    pub(crate) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().expect("not poisoned"))
    }

    pub(crate) fn heard_so_far(&self) -> usize {
        self.heard.lock().expect("not poisoned").len()
    }

    /// How many transports were made, and how many of these dropped.
    pub(crate) fn transports(&self) -> (usize, usize) {
        (self.connected.load(SeqCst), self.dropped.load(SeqCst))
    }

    /// A factory of transports into this world.
    pub(crate) fn connect(self: &Arc<Self>) -> impl Fn(&Instance) -> Arc<dyn Transport> + use<> {
        let world = Arc::clone(self);
        move |instance| {
            world.connected.fetch_add(1, SeqCst);
            Arc::new(Line { world: Arc::clone(&world), address: instance.address.clone() })
        }
    }
}

struct Line {
    world: Arc<World>,
    address: String,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.world.dropped.fetch_add(1, SeqCst);
    }
}

#[async_trait]
impl Transport for Line {
    async fn request(&self, name: &str, _: Headers, _: Bytes) -> Result<Bytes, BusError> {
        let told = self.world.go.notified();
        self.world.heard.lock().expect("not poisoned").push(self.address.clone());
        let does = self.world.does.lock().expect("not poisoned").get(&self.address).copied();
        match does.unwrap_or_default() {
            Does::Answer => {}
            Does::Refuse => return Err(BusError::Unavailable { port: name.to_owned() }),
            Does::Hang => std::future::pending().await,
            Does::Wait => told.await,
        }
        Ok(Bytes::from(self.address.clone()))
    }

    async fn deliver(&self, _: &str, _: Headers, _: Bytes) -> Result<Bytes, BusError> {
        Ok(Bytes::from(format!("delivered to {}", self.address)))
    }

    fn kind(&self) -> &'static str {
        "world"
    }
}

/// Letters as instances: `a` alive, `a?` suspect, `A` leaving.
pub(crate) fn members(text: &str) -> Arc<Members> {
    let mut list: Vec<Member> = Vec::new();
    for letter in text.chars() {
        if letter == '?' {
            list.last_mut().expect("a letter before it").state = State::Suspect;
            continue;
        }
        let leaving = letter.is_uppercase();
        let id = letter.to_lowercase().to_string();
        let state = if leaving { State::Leaving } else { State::Alive };
        list.push(Member { instance: Instance { leaving, ..Instance::new(id.clone(), id) }, state });
    }
    Arc::new(Members { known: true, list })
}

/// A watch that shows what the test says.
pub(crate) fn shown(text: &str) -> (watch::Sender<Arc<Members>>, Watch) {
    watch::channel(members(text))
}

/// How a watch stands: addresses, `?` behind the suspect and `!` behind those that leave.
pub(crate) fn standing(watch: &Watch) -> String {
    let one = |member: &Member| match member.state {
        State::Alive => member.instance.address.clone(),
        State::Suspect => format!("{}?", member.instance.address),
        State::Leaving => format!("{}!", member.instance.address),
    };
    watch.borrow().list.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Waits until a watch stands like this.
pub(crate) async fn stands(watch: &Watch, expected: &str) {
    let what = format!("the members are: {expected}");
    bus_testkit::eventually(&what, SOON, async || standing(watch) == expected).await;
}

/// A process that ends with the test, by its own id.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program that has to be installed.
    pub(crate) fn start(program: &str, package: &str, arguments: &[String]) -> Self {
        let found = Command::new("which").arg(program).output().expect("which runs");
        assert!(found.status.success(), "{program} is missing: apt-get install {package}");
        let path = String::from_utf8(found.stdout).expect("a path");
        let quiet = std::process::Stdio::null;
        let child = Command::new(path.trim()).args(arguments).stdout(quiet()).stderr(quiet()).spawn();
        Self(child.expect("it starts"))
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it is ours").is_some()
    }

    /// Sends a signal: `HUP`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([format!("-{signal}"), self.0.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Process {
    /// As a power cut would.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
