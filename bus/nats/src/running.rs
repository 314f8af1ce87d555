//! The calls of a module that run in this process, by the subject that each is answered to.

use std::{collections::HashMap, sync::Arc};
use tokio::task::{AbortHandle, JoinSet};

/// Dropped, all of them are.
#[derive(Default)]
pub(crate) struct Running {
    tasks: JoinSet<Arc<str>>,
    handles: HashMap<Arc<str>, AbortHandle>,
}

impl Running {
    pub(crate) fn begin(&mut self, reply: Arc<str>, work: impl Future<Output = ()> + Send + 'static) {
        let ended = Arc::clone(&reply);
        let handle = self.tasks.spawn(async move {
            work.await;
            ended
        });
        self.handles.insert(reply, handle);
    }

    pub(crate) fn has(&self, reply: &str) -> bool {
        self.handles.contains_key(reply)
    }

    /// Drops a call, as whoever asked has gone. What its handler has begun runs on without it.
    pub(crate) fn cancel(&mut self, reply: &str) {
        if let Some(handle) = self.handles.remove(reply) {
            handle.abort();
        }
    }

    /// How many run.
    pub(crate) fn len(&mut self) -> usize {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Ok(reply) = ended {
                self.handles.remove(&reply);
            }
        }
        self.tasks.len()
    }

    /// Returns when the next one has ended; `None` where none runs.
    pub(crate) async fn ended(&mut self) -> Option<()> {
        if let Ok(reply) = self.tasks.join_next().await? {
            self.handles.remove(&reply);
        }
        Some(())
    }

    /// Returns when all have ended.
    pub(crate) async fn finish(mut self) {
        while self.ended().await.is_some() {}
    }
}
