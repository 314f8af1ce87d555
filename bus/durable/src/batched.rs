//! Reads that many ask for at once, answered by few queries: what is asked while one query runs goes into the next.

use crate::unit::panic_text;
use bus::{BusError, Incident};
use futures::{FutureExt, future::BoxFuture};
use std::{collections::BTreeMap, fmt, panic::AssertUnwindSafe, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// How many keys one query asks for at most, and how many questions wait.
const KEYS: usize = 128;
const WAITING: usize = 4096;

type Found<K, V> = Result<Arc<BTreeMap<K, V>>, BusError>;

struct Question<K, V> {
    keys: Vec<K>,
    answer: oneshot::Sender<Found<K, V>>,
}

/// Reads rows by their keys, for any number of callers with one query at a time. An answer is never older than its
/// question: the query begins after it.
pub struct Batched<K, V>(mpsc::Sender<Question<K, V>>);

impl<K, V> fmt::Debug for Batched<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batched")
    }
}

impl<K: Ord + Clone + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Batched<K, V> {
    /// Reads with `load`, which is given keys without repetition and answers those that there are. Ends with its last
    /// caller.
    pub fn new<F>(load: F) -> Self
    where
        F: Fn(Vec<K>) -> BoxFuture<'static, Result<BTreeMap<K, V>, BusError>> + Send + Sync + 'static,
    {
        let (questions, mut asked) = mpsc::channel::<Question<K, V>>(WAITING);
        drop(bus::spawn(async move {
            while let Some(first) = asked.recv().await {
                let mut together = vec![first];
                let mut keys = together[0].keys.len();
                while keys < KEYS
                    && let Ok(next) = asked.try_recv()
                {
                    keys += next.keys.len();
                    together.push(next);
                }
                let mut keys: Vec<K> =
                    together.iter().flat_map(|question| question.keys.iter().cloned()).collect();
                keys.sort();
                keys.dedup();
                let loading = AssertUnwindSafe(async { load(keys).await }).catch_unwind();
                let found = loading.await.unwrap_or_else(|panic| {
                    let incident = Incident::log(&panic_text(&*panic));
                    Err(BusError::Died { name: "a read".into(), incident })
                });
                let found = found.map(Arc::new);
                for question in together {
                    // Whoever asked may have gone.
                    let _ = question.answer.send(found.clone());
                }
            }
        }));
        Self(questions)
    }

    /// What there is under this key.
    ///
    /// # Errors
    /// What the query met, or [`BusError::Overloaded`] where too many ask.
    pub async fn get(&self, key: K) -> Result<Option<V>, BusError> {
        let found = self.ask(vec![key.clone()]).await?;
        Ok(found.get(&key).cloned())
    }

    /// What there is under these keys.
    ///
    /// # Errors
    /// As [`Batched::get`].
    pub async fn get_all(&self, keys: &[K]) -> Result<BTreeMap<K, V>, BusError> {
        let found = self.ask(keys.to_vec()).await?;
        Ok(keys.iter().filter_map(|key| Some((key.clone(), found.get(key)?.clone()))).collect())
    }

    async fn ask(&self, keys: Vec<K>) -> Found<K, V> {
        let (answer, answered) = oneshot::channel();
        let overloaded = |_| BusError::Overloaded { port: "reads".into(), retry_after_ms: 1000 };
        self.0.try_send(Question { keys, answer }).map_err(overloaded)?;
        answered.await.unwrap_or_else(|_| Err(BusError::failed(&"the reads have ended")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    };
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn what_is_asked_meanwhile_goes_into_one_query() {
        let (gate, queries) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (here, seen) = (Arc::clone(&gate), Arc::clone(&queries));
        let squares = Arc::new(Batched::new(move |keys: Vec<u32>| {
            let here = Arc::clone(&here);
            seen.lock().expect("not poisoned").push(keys.clone());
            async move {
                here.acquire().await.map_err(|error| BusError::failed(&error))?.forget();
                Ok(keys.into_iter().filter(|key| *key < 100).map(|key| (key, key * key)).collect())
            }
            .boxed()
        }));
        let ask = |key: u32| {
            let squares = Arc::clone(&squares);
            bus::spawn(async move { squares.get(key).await })
        };
        let first = ask(1);
        bus_testkit::eventually("the first query", std::time::Duration::from_secs(5), async || {
            !queries.lock().expect("not poisoned").is_empty()
        })
        .await;
        let others: Vec<_> = [7, 3, 7, 200].into_iter().map(ask).collect();
        for other in &others {
            assert!(!other.is_finished());
        }
        let all = squares.get_all(&[3, 9]);
        gate.add_permits(3);
        assert_eq!(first.await.expect("ends"), Ok(Some(1)));
        assert_eq!(all.await, Ok(BTreeMap::from([(3, 9), (9, 81)])));
        let mut answers = Vec::new();
        for other in others {
            answers.push(other.await.expect("ends").expect("answered"));
        }
        assert_eq!(answers, [Some(49), Some(9), Some(49), None]);
        let queries = queries.lock().expect("not poisoned");
        assert_eq!(queries[0], [1]);
        assert!(queries.len() <= 3, "one for the first, and one or two for the rest: {queries:?}");
    }

    #[tokio::test]
    async fn a_query_that_fails_or_panics_ends_no_other() {
        let bad = Arc::new(AtomicBool::new(true));
        let seen = Arc::clone(&bad);
        let reads = Batched::new(move |keys: Vec<u8>| {
            assert!(keys != [9] || !seen.load(Ordering::SeqCst), "a bad key");
            async move { if keys == [8] { Err(BusError::KeyInUse) } else { Ok(BTreeMap::from([(keys[0], ())])) } }
                .boxed()
        });
        assert!(matches!(reads.get(9).await, Err(BusError::Died { .. })));
        assert_eq!(reads.get(8).await, Err(BusError::KeyInUse));
        bad.store(false, Ordering::SeqCst);
        assert_eq!(reads.get(9).await, Ok(Some(())));
    }
}
