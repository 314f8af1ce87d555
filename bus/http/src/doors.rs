//! Which modules are taken for, and who is still inside of those that are not any longer.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// A module has a tracker of the calls inside; a closed one lets nobody in.
#[derive(Default)]
pub(crate) struct Doors(RwLock<HashMap<String, TaskTracker>>);

impl Doors {
    pub(crate) fn open(&self, module: &str) {
        let mut doors = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if doors.get(module).is_none_or(TaskTracker::is_closed) {
            doors.insert(module.to_owned(), TaskTracker::new());
        }
    }

    /// Whoever holds what this returns is inside.
    pub(crate) fn enter(&self, module: &str) -> Option<TaskTrackerToken> {
        // Under the lock, so that nobody slips in while it is closed.
        let doors = self.0.read().unwrap_or_else(PoisonError::into_inner);
        doors.get(module).filter(|door| !door.is_closed()).map(TaskTracker::token)
    }

    /// Returns when nobody is inside.
    pub(crate) async fn close(&self, module: &str) {
        let door = {
            let doors = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let Some(door) = doors.get(module) else { return };
            door.close();
            door.clone()
        };
        door.wait().await;
    }
}
