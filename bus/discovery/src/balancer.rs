//! Keeps something for each instance, a transport or a client, and picks one at each call.

use crate::{
    Ejection, Instance, Members, State, Strategy, Watch,
    choice::{self, Candidate},
    health::{Health, Heard},
};
use arc_swap::ArcSwap;
use serde::Serialize;
use std::{
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::{task::AbortHandle, time::Instant};

/// How calls are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// How an instance is chosen.
    pub strategy: Strategy,
    /// When an instance is left alone that calls could not reach.
    pub ejection: Ejection,
    /// All instances are used when fewer than so many per cent are alive. Envoy's default of 50 is made for large
    /// clusters; with 25 the one of three that is left still takes every call.
    pub panic_below: u8,
}

impl Default for Balance {
    fn default() -> Self {
        Self { strategy: Strategy::default(), ejection: Ejection::default(), panic_below: 25 }
    }
}

/// How an instance stands, for the admin API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceStatus {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub address: String,
    /// How it stands, by its discovery and by what calls have heard of it.
    pub state: State,
    /// Calls from here that it is busy with.
    pub in_flight: usize,
}

/// Picks one of a target's instances at each call.
///
/// What is kept for an instance stays as long as it is a member, however it stands, and after that until the last
/// call that uses it has ended.
pub struct Balancer<T> {
    inner: Arc<Inner<T>>,
    following: AbortHandle,
}

struct Inner<T> {
    target: String,
    balance: Balance,
    make: Box<dyn Fn(&Instance) -> T + Send + Sync>,
    table: ArcSwap<Table<T>>,
    panics: AtomicBool,
}

struct Table<T> {
    members: Arc<Members>,
    /// One for each member, in the same order.
    seats: Vec<Arc<Seat<T>>>,
    turns: Mutex<Vec<i64>>,
}

struct Seat<T> {
    id: String,
    address: String,
    hash: u64,
    held: T,
    in_flight: AtomicUsize,
    health: Mutex<Health>,
}

impl<T: Send + Sync + 'static> Balancer<T> {
    /// Balances over the members that `watch` shows, each with what `make` makes of it.
    #[must_use]
    pub fn new(
        target: &str,
        mut watch: Watch,
        balance: Balance,
        make: impl Fn(&Instance) -> T + Send + Sync + 'static,
    ) -> Self {
        let nobody = Table { members: Arc::default(), seats: Vec::new(), turns: Mutex::default() };
        let inner = Arc::new(Inner {
            target: target.to_owned(),
            balance,
            make: Box::new(make),
            table: ArcSwap::from_pointee(nobody),
            panics: AtomicBool::new(false),
        });
        inner.seat(Arc::clone(&watch.borrow_and_update()));
        let follower = Arc::clone(&inner);
        let following = bus::spawn(async move {
            while watch.changed().await.is_ok() {
                follower.seat(Arc::clone(&watch.borrow_and_update()));
            }
        });
        Self { inner, following: following.abort_handle() }
    }

    /// Picks an instance; `None` where there is none. `key` is what [`Strategy::ByKey`] goes by; `deadline` is when
    /// whoever asks stops waiting: an instance that was silent until then is thought the worse of.
    #[must_use]
    pub fn pick(&self, key: Option<&str>, deadline: Option<Instant>) -> Option<Picked<T>> {
        let (table, now) = (self.inner.table.load(), Instant::now());
        let candidates = table.candidates(now);
        let eligible = choice::eligible(&candidates, self.inner.balance.panic_below);
        self.inner.note_panic(eligible.panic);
        let from = &eligible.positions;
        let chosen = match (self.inner.balance.strategy, key) {
            (Strategy::RoundRobin, _) => choice::round_robin(&candidates, from, &mut lock(&table.turns)),
            (Strategy::ByKey, Some(key)) => choice::by_key(&candidates, from, choice::hash(key)),
            (Strategy::ByKey | Strategy::LeastInFlight, _) => {
                choice::least_in_flight(&candidates, from, rand::random())
            }
        }?;
        let seat = Arc::clone(&table.seats[chosen]);
        seat.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Picked { balancer: Arc::clone(&self.inner), seat, began: now, deadline, heard: None })
    }

    /// How every instance stands.
    #[must_use]
    pub fn instances(&self) -> Vec<InstanceStatus> {
        let (table, now) = (self.inner.table.load(), Instant::now());
        let status = |(seat, candidate): (&Arc<Seat<T>>, Candidate)| InstanceStatus {
            id: seat.id.clone(),
            address: seat.address.clone(),
            state: candidate.state,
            in_flight: candidate.in_flight,
        };
        table.seats.iter().zip(table.candidates(now)).map(status).collect()
    }
}

impl<T> Drop for Balancer<T> {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl<T> Inner<T> {
    /// Gives each member a seat: its old one where it had one.
    fn seat(&self, members: Arc<Members>) {
        let before = self.table.load();
        let seat_of = |instance: &Instance| {
            let old = before.seats.iter().find(|it| it.id == instance.id && it.address == instance.address);
            old.cloned().unwrap_or_else(|| Arc::new(self.new_seat(instance)))
        };
        let seats: Vec<_> = members.list.iter().map(|member| seat_of(&member.instance)).collect();
        let turns = Mutex::new(vec![0; seats.len()]);
        self.table.store(Arc::new(Table { members, seats, turns }));
    }

    fn new_seat(&self, instance: &Instance) -> Seat<T> {
        Seat {
            id: instance.id.clone(),
            address: instance.address.clone(),
            hash: choice::hash(&instance.id),
            held: (self.make)(instance),
            in_flight: AtomicUsize::new(0),
            health: Mutex::default(),
        }
    }

    fn note_panic(&self, panic: bool) {
        if panic {
            metrics::counter!("bus_panic_choices_total", "target" => self.target.clone()).increment(1);
        }
        if self.panics.swap(panic, Ordering::Relaxed) != panic {
            metrics::gauge!("bus_panic", "target" => self.target.clone()).set(f64::from(u8::from(panic)));
            tracing::warn!(target = self.target, panic, "too few instances are alive, or enough again");
        }
    }
}

impl<T> Table<T> {
    fn candidates(&self, now: Instant) -> Vec<Candidate> {
        let candidate = |(seat, member): (&Arc<Seat<T>>, &crate::Member)| Candidate {
            state: match member.state {
                State::Alive if lock(&seat.health).is_suspect(now) => State::Suspect,
                state => state,
            },
            weight: member.instance.weight,
            priority: member.instance.priority,
            in_flight: seat.in_flight.load(Ordering::Relaxed),
            hash: seat.hash,
        };
        self.seats.iter().zip(&self.members.list).map(candidate).collect()
    }
}

/// What is kept for the picked instance, for one call. Tell it how the call ended; dropped without a word it tells
/// by itself whether the deadline has passed in silence.
pub struct Picked<T> {
    balancer: Arc<Inner<T>>,
    seat: Arc<Seat<T>>,
    began: Instant,
    deadline: Option<Instant>,
    heard: Option<Heard>,
}

impl<T> Picked<T> {
    /// The picked instance's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.seat.id
    }

    /// It has answered, whatever it was.
    pub fn answered(mut self) {
        self.heard = Some(Heard::Answer);
    }

    /// It could not be reached: others are picked for a while.
    pub fn unreachable(mut self) {
        self.heard = Some(Heard::Unreachable);
    }

    /// It was silent until the deadline; after a few of these others are picked for a while.
    pub fn silent(mut self) {
        self.heard = Some(Heard::Nothing);
    }
}

impl<T> Deref for Picked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.seat.held
    }
}

impl<T> Drop for Picked<T> {
    fn drop(&mut self) {
        self.seat.in_flight.fetch_sub(1, Ordering::Relaxed);
        let now = Instant::now();
        let waited_for_nothing = self.deadline.is_some_and(|deadline| deadline <= now);
        let Some(heard) = self.heard.or(waited_for_nothing.then_some(Heard::Nothing)) else { return };
        let mut health = lock(&self.seat.health);
        if heard == Heard::Answer && health.is_spotless() {
            return;
        }
        let (was_suspect, before) = (health.is_suspect(now), *health);
        *health = before.after(heard, self.began, now, &self.balancer.balance.ejection);
        if health.is_suspect(now) && !was_suspect {
            let target = &self.balancer.target;
            metrics::counter!("bus_ejections_total", "target" => target.clone()).increment(1);
            tracing::warn!(
                target,
                instance = self.seat.id,
                address = self.seat.address,
                "left alone for a while"
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
