//! A store that lives and dies with its process: for the simulation and for tests.
//!
//! Nothing here waits, so a commit that was called has happened when its future first returns.

use std::sync::Arc;

use schemas::key::{Prefix, Revision};

use super::contract::{CommitError, Listing, ReadError, Store, Txn, Watch, WatchError};
use super::core::{Core, Limits};
use super::live::Live;

/// The core behind a lock. Clones share one history.
#[derive(Clone)]
pub struct Memory {
    live: Arc<Live>,
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new(Limits::default())
    }
}

impl Memory {
    /// An empty store that remembers this much history.
    pub fn new(limits: Limits) -> Self {
        Memory { live: Live::new(Core::new(limits)) }
    }

    /// Forgets the history up to and including `revision`; open watches keep what they are owed.
    pub fn compact(&self, revision: Revision) {
        self.live.lock().core.compact(revision);
    }

    /// Breaks every open watch, as a lost connection would.
    pub fn break_watches(&self) {
        self.live.lock().break_watches();
    }
}

impl Store for Memory {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        Ok(self.live.lock().core.list(prefix))
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        let mut state = self.live.lock();
        let mut staged = state.core.begin();
        let revision = state.core.stage(&mut staged, txn)?;
        state.publish(staged);
        Ok(revision)
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        self.live.watch(prefix, after)
    }
}
