//! What was found out a moment ago. Bounded, and by a clock that nobody sets.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Values with the time of their finding.
pub(crate) struct Memory<K, V> {
    capacity: usize,
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Copy> Memory<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::default() }
    }

    /// A value no older than `age`.
    pub(crate) fn get(&self, key: &K, age: Duration) -> Option<V> {
        let (at, value) = *self.lock().get(key)?;
        (at.elapsed() < age).then_some(value)
    }

    pub(crate) fn put(&self, key: K, value: V) {
        let mut entries = self.lock();
        if entries.len() >= self.capacity && !entries.contains_key(&key) {
            // Everything in it can be found out again; keeping order would cost more at each use.
            entries.clear();
        }
        entries.insert(key, (Instant::now(), value));
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let memory = Memory::new(2);
        for n in 0..5 {
            memory.put(n, n);
            assert_eq!(memory.get(&n, Duration::from_secs(60)), Some(n));
            assert!(memory.lock().len() <= 2);
        }
        assert_eq!(memory.get(&4, Duration::ZERO), None);
        memory.clear();
        assert_eq!(memory.get(&4, Duration::MAX), None);
    }
}
