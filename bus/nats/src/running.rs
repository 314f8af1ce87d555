//! The calls of a module that run in this process, by the subject that each is answered to.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{sync::Notify, task::AbortHandle};

/// Dropped, all of them are.
#[derive(Default)]
pub(crate) struct Running(Arc<Calls>);

#[derive(Default)]
struct Calls {
    count: AtomicUsize,
    /// Without a handle while it is being spawned.
    handles: Mutex<HashMap<Arc<str>, Option<AbortHandle>>>,
    idle: Notify,
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "a call brings its own context")]
    pub(crate) fn begin(&self, reply: Arc<str>, work: impl Future<Output = ()> + Send + 'static) {
        let call = Call::enter(&self.0, Arc::clone(&reply));
        let task = tokio::spawn(async move {
            let _call = call;
            work.await;
        });
        // Unless it has ended already.
        if let Some(handle) = self.0.handles().get_mut(&reply) {
            *handle = Some(task.abort_handle());
        }
    }

    pub(crate) fn has(&self, reply: &str) -> bool {
        self.0.handles().contains_key(reply)
    }

    /// Drops a call, as whoever asked has gone. What its handler has begun runs on without it.
    pub(crate) fn cancel(&self, reply: &str) {
        let handle = self.0.handles().remove(reply).flatten();
        if let Some(handle) = handle {
            handle.abort();
        }
    }

    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    /// Returns when none runs.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.0.idle.notified();
            if self.len() == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let handles = std::mem::take(&mut *self.0.handles());
        handles.into_values().flatten().for_each(|handle| handle.abort());
    }
}

impl Calls {
    fn handles(&self) -> MutexGuard<'_, HashMap<Arc<str>, Option<AbortHandle>>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call among those that run, and no longer when it is dropped.
struct Call {
    calls: Arc<Calls>,
    reply: Arc<str>,
}

impl Call {
    fn enter(calls: &Arc<Calls>, reply: Arc<str>) -> Self {
        calls.count.fetch_add(1, Ordering::AcqRel);
        calls.handles().insert(Arc::clone(&reply), None);
        Self { calls: Arc::clone(calls), reply }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.handles().remove(&self.reply);
        if self.calls.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.calls.idle.notify_one();
        }
    }
}
