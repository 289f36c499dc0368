//! A core in service: behind a lock, with its watchers. What `memory` and `embedded` share.
//!
//! The lock is held for plain computation only, never across an await or a disk write.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::stream::{self, StreamExt};
use schemas::key::{Prefix, Revision};

use super::contract::{Batch, PROGRESS_EVERY, Watch, WatchError};
use super::core::{Core, Staged};
use super::fanout::{Fanout, Queue};

/// The shared state of a store in this process.
pub(super) struct Live {
    state: Mutex<State>,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) core: Core,
    fanout: Fanout,
}

impl State {
    /// Makes staged revisions visible to readers and watchers at once.
    pub(super) fn publish(&mut self, staged: Staged) {
        for batch in self.core.publish(staged) {
            self.fanout.send(&batch);
        }
    }

    /// Puts another history in place; every watcher has to come back and ask anew.
    pub(super) fn replace(&mut self, core: Core) {
        self.core = core;
        self.fanout.clear();
    }

    /// Cuts off all watchers, as a broken connection would.
    pub(super) fn break_watches(&mut self) {
        self.fanout.clear();
    }
}

impl Live {
    pub(super) fn new(core: Core) -> Arc<Self> {
        Arc::new(Live { state: Mutex::new(State { core, fanout: Fanout::default() }) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while the store is locked")
    }

    /// Opens a watch: history first, then whatever is published; joined under one lock, so without a gap.
    pub(super) fn watch(self: &Arc<Self>, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        let (backlog, queue) = {
            let mut state = self.lock();
            let backlog = state.core.history(prefix, after)?;
            (backlog, state.fanout.join(prefix.clone()))
        };
        let subscription = Subscription { live: self.clone(), backlog, queue };
        let batches = stream::unfold(Some(subscription), |subscription| async move {
            let mut subscription = subscription?;
            match subscription.next().await {
                Ok(batch) => Some((Ok(batch), Some(subscription))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(batches.boxed())
    }
}

/// One open watch. Dropping it forgets the watcher.
struct Subscription {
    live: Arc<Live>,
    backlog: VecDeque<Batch>,
    queue: Queue,
}

impl Subscription {
    async fn next(&mut self) -> Result<Batch, WatchError> {
        if let Some(batch) = self.backlog.pop_front() {
            return Ok(batch);
        }
        loop {
            match tokio::time::timeout(PROGRESS_EVERY, self.queue.next()).await {
                Ok(Some(batch)) => return Ok(batch),
                Ok(None) => return Err(WatchError::Broken),
                Err(_) => {
                    if let Some(progress) = self.progress() {
                        return Ok(progress);
                    }
                }
            }
        }
    }

    /// Publishing happens under the lock, so a queue found empty there has seen every visible revision.
    fn progress(&self) -> Option<Batch> {
        let state = self.live.lock();
        let revision = state.core.revision();
        self.queue.is_caught_up().then_some(Batch { revision, changes: Vec::new() })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.live.lock().fanout.leave(self.queue.id);
    }
}
