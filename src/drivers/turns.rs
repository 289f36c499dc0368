//! Starts and oblivion of one task wait for each other; those of different tasks do not.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

use super::TaskId;

/// The turns of all tasks of a driver.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Only tasks for which somebody has or awaits the turn.
    under_way: Mutex<BTreeMap<TaskId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits for the task's turn, which lasts until the answer is dropped.
    pub(super) async fn take(&self, id: &TaskId) -> OwnedMutexGuard<()> {
        self.of(id).lock_owned().await
    }

    fn of(&self, id: &TaskId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(id.clone()).or_default().clone()
    }
}
