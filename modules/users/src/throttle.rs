//! Counts what is tried too often: wrong passwords by account and by client address, registrations by address.
//!
//! An account that is being guessed at is not locked: its owner, from an address that has not guessed wrong, is
//! let through, and each address has one guess a minute in the meantime. The counters live in this process's
//! memory: several processes behind one address each allow as many tries.

use bus::Timestamp;
use sha2::{Digest as _, Sha256};
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use users_ports::UsersError;
use uuid::Uuid;

/// How long a try counts.
const WINDOW: Duration = Duration::from_secs(60);
/// How many counters are kept at most: a flood of addresses must not fill the memory.
const COUNTERS: usize = 50_000;

/// What somebody proves a password for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// Somebody signing in with this address, digested: there need be no such account.
    Address([u8; 16]),
    /// Somebody signed in who changes what needs the password.
    User(Uuid),
}

impl Subject {
    pub(crate) fn address(normalised: &str) -> Self {
        let digest = Sha256::digest(normalised);
        Self::Address(std::array::from_fn(|i| digest[i]))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Counter {
    Registrations(IpAddr),
    Client(IpAddr),
    Subject(Subject),
    Pair(Subject, Option<IpAddr>),
}

/// The counters.
pub(crate) struct Throttle {
    wrong_passwords: usize,
    registrations: usize,
    tries: Mutex<Tries>,
}

#[derive(Default)]
struct Tries {
    counters: HashMap<Counter, VecDeque<Timestamp>>,
    /// When what no longer counts was last thrown out.
    swept_at: Option<Timestamp>,
}

impl Throttle {
    pub(crate) fn new(wrong_passwords: usize, registrations: usize) -> Self {
        Self { wrong_passwords, registrations, tries: Mutex::default() }
    }

    /// Whether another password may be tried.
    pub(crate) fn check_password(
        &self,
        now: Timestamp,
        subject: &Subject,
        client: Option<IpAddr>,
    ) -> Result<(), UsersError> {
        let client = client.map(network);
        let tries = self.lock();
        if let Some(client) = client {
            tries.check(&Counter::Client(client), self.wrong_passwords, now)?;
        }
        if tries.check(&Counter::Subject(subject.clone()), self.wrong_passwords, now).is_err() {
            tries.check(&Counter::Pair(subject.clone(), client), 1, now)?;
        }
        Ok(())
    }

    /// A password was wrong.
    pub(crate) fn wrong_password(&self, now: Timestamp, subject: &Subject, client: Option<IpAddr>) {
        let client = client.map(network);
        let mut tries = self.lock();
        if let Some(client) = client {
            tries.note(Counter::Client(client), self.wrong_passwords, now);
        }
        tries.note(Counter::Subject(subject.clone()), self.wrong_passwords, now);
        tries.note(Counter::Pair(subject.clone(), client), 1, now);
    }

    /// Counts a registration, if it may be.
    pub(crate) fn registration(&self, now: Timestamp, client: Option<IpAddr>) -> Result<(), UsersError> {
        let Some(client) = client.map(network) else { return Ok(()) };
        let mut tries = self.lock();
        tries.check(&Counter::Registrations(client), self.registrations, now)?;
        tries.note(Counter::Registrations(client), self.registrations, now);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One customer of a provider has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

fn counts(at: Timestamp, now: Timestamp) -> bool {
    // A clock that was set back must not make a try count for ever.
    at <= now.after(WINDOW) && at.after(WINDOW) > now
}

impl Tries {
    fn check(&self, counter: &Counter, limit: usize, now: Timestamp) -> Result<(), UsersError> {
        let Some(tries) = self.counters.get(counter) else { return Ok(()) };
        let mut counting = tries.iter().filter(|at| counts(**at, now));
        // No more than `limit` are kept, so the oldest is the one whose end makes room.
        let Some(oldest) = counting.next().copied() else { return Ok(()) };
        if 1 + counting.count() < limit {
            return Ok(());
        }
        let left = now.until(oldest.after(WINDOW));
        Err(UsersError::RateLimited { retry_after: left.as_millis().div_ceil(1000).clamp(1, 60) as u64 })
    }

    fn note(&mut self, counter: Counter, limit: usize, now: Timestamp) {
        if self.counters.len() >= COUNTERS && !self.counters.contains_key(&counter) {
            self.make_room(now);
        }
        let tries = self.counters.entry(counter).or_default();
        tries.push_back(now);
        while tries.len() > limit {
            tries.pop_front();
        }
    }

    fn make_room(&mut self, now: Timestamp) {
        // Looking through all of them is for now and then, not for every try of a flood.
        let due = self.swept_at.is_none_or(|at| now < at || at.after(WINDOW / 6) <= now);
        if due {
            self.swept_at = Some(now);
            self.counters.retain(|_, tries| tries.back().is_some_and(|at| counts(*at, now)));
        }
        if self.counters.len() >= COUNTERS
            && let Some(any) = self.counters.keys().next().cloned()
        {
            self.counters.remove(&any);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

    fn ip(last: u8) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    /// Section 5.1, API2: ten wrong passwords from one address, of any accounts, and it has to wait.
    #[test]
    fn an_address_that_guesses_has_to_wait() {
        let throttle = Throttle::new(10, 10);
        for n in 0..10u8 {
            let account = Subject::address(&format!("{n}@example.test"));
            assert_eq!(throttle.check_password(START, &account, ip(1)), Ok(()));
            throttle.wrong_password(START.after(Duration::from_secs(u64::from(n))), &account, ip(1));
        }
        let account = Subject::address("other@example.test");
        let now = START.after(Duration::from_secs(9));
        let limited = throttle.check_password(now, &account, ip(1));
        assert_eq!(limited, Err(UsersError::RateLimited { retry_after: 51 }));
        assert_eq!(throttle.check_password(now, &account, ip(2)), Ok(()), "elsewhere");
        let later = START.after(Duration::from_secs(60));
        assert_eq!(throttle.check_password(later, &account, ip(1)), Ok(()), "the oldest no longer counts");
    }

    /// Section 5.1, API2: an account that many addresses guess at leaves each one guess, and its owner his way in.
    #[test]
    fn an_account_that_is_guessed_at_is_not_locked() {
        let throttle = Throttle::new(10, 10);
        let account = Subject::address("owner@example.test");
        for n in 0..10 {
            throttle.wrong_password(START, &account, ip(n));
        }
        assert_eq!(
            throttle.check_password(START, &account, ip(100)),
            Ok(()),
            "an address without a wrong guess"
        );
        throttle.wrong_password(START, &account, ip(100));
        let again = throttle.check_password(START, &account, ip(100));
        assert_eq!(again, Err(UsersError::RateLimited { retry_after: 60 }));
        let other = Subject::address("other@example.test");
        assert_eq!(throttle.check_password(START, &other, ip(100)), Ok(()), "another account");
    }

    #[test]
    fn registrations_are_counted_by_network() {
        let throttle = Throttle::new(10, 2);
        let v6 = |last| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)));
        assert_eq!(throttle.registration(START, v6(1)), Ok(()));
        assert_eq!(throttle.registration(START, v6(2)), Ok(()));
        assert!(throttle.registration(START, v6(3)).is_err(), "the same /64");
        assert_eq!(throttle.registration(START, ip(1)), Ok(()));
        assert_eq!(throttle.registration(START, None), Ok(()));
    }

    /// B23: a clock that is set back by an hour does not make anybody wait for an hour.
    #[test]
    fn a_clock_that_jumps_back_forgets() {
        let throttle = Throttle::new(1, 1);
        throttle.wrong_password(START, &Subject::User(Uuid::nil()), ip(1));
        let back = START.before(Duration::from_secs(3600));
        assert_eq!(throttle.check_password(back, &Subject::User(Uuid::nil()), ip(1)), Ok(()));
    }

    #[test]
    fn a_flood_of_addresses_does_not_fill_the_memory() {
        let throttle = Throttle::new(10, 10);
        for n in 0..60_000u32 {
            let _ = throttle.registration(START, Some(IpAddr::V4(Ipv4Addr::from(n))));
        }
        assert!(throttle.lock().counters.len() <= COUNTERS);
    }
}
