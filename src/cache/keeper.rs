//! Keeps the view equal to the store.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use futures::StreamExt;
use plan::View;
use schemas::entry::Change;
use schemas::key::{Key, Prefix, Revision};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::difference::{Known, difference, learn};
use crate::control::Clock;
use crate::store::{Batch, Store, WatchError};

/// How many revisions a subscriber may lag behind before it must start over: a slow one costs memory.
const BACKLOG: usize = 4096;
/// The first and the longest pause before trying a broken store again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What a subscriber receives: the revision and the keys it changed.
#[derive(Clone, Debug)]
pub struct Pulse {
    /// The view is at least here.
    pub revision: Revision,
    /// What happened, in key order.
    pub changes: Arc<[Change]>,
}

/// A stream of [`Pulse`]s.
pub type Changes = broadcast::Receiver<Pulse>;

/// Why the cache cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// The process stops.
    #[error("the cache has stopped")]
    Stopped,
}

/// A handle on the process's picture of the store.
#[derive(Clone)]
pub struct Cache {
    view: Arc<RwLock<View>>,
    revision: Arc<watch::Sender<Revision>>,
    pulses: broadcast::Sender<Pulse>,
    digest_every: Duration,
    clock: Clock,
}

impl Cache {
    /// An empty cache; [`Cache::run`] fills it. Every `digest_every` it is compared with the store.
    pub fn new(digest_every: Duration, clock: Clock) -> Cache {
        let (revision, _) = watch::channel(Revision::default());
        let (pulses, _) = broadcast::channel(BACKLOG);
        Cache { view: Arc::default(), revision: Arc::new(revision), pulses, digest_every, clock }
    }

    /// The view, borrowed. Never hold it across an `.await`.
    pub fn view(&self) -> RwLockReadGuard<'_, View> {
        // A poisoned lock means that folding panicked; what was folded before is still one whole cut of
        // each table, and the digest compares it with the store.
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the view is, without borrowing it.
    pub fn revision(&self) -> Revision {
        *self.revision.borrow()
    }

    /// Everything that happens from now on. Subscribe first, then look at the view.
    pub fn subscribe(&self) -> Changes {
        self.pulses.subscribe()
    }

    /// Waits until the view has reached a revision.
    pub async fn reached(&self, revision: Revision) -> Result<(), CacheError> {
        let mut seen = self.revision.subscribe();
        seen.wait_for(|seen| *seen >= revision).await.map(drop).map_err(|_| CacheError::Stopped)
    }

    /// Follows the store until told to stop.
    pub async fn run<S: Store>(&self, store: S, stop: CancellationToken) {
        let mut known = Known::new();
        let mut pause = PAUSE.0;
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => return,
                ended = self.follow(&store, &mut known) => match ended {
                    Followed::Nothing => {}
                    Followed::Something => pause = PAUSE.0,
                },
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
            }
        }
    }

    /// Lists, then watches until the watch ends.
    async fn follow<S: Store>(&self, store: &S, known: &mut Known) -> Followed {
        let Ok(listing) = store.list(&Prefix::all()).await else {
            tracing::warn!("the store does not answer; the view stays at revision {}", self.revision());
            return Followed::Nothing;
        };
        if listing.revision < self.revision() {
            tracing::warn!(listed = %listing.revision, seen = %self.revision(), "refused an older listing");
            return Followed::Nothing;
        }
        let changes = difference(known, listing.entries, listing.revision);
        self.take(known, Batch { revision: listing.revision, changes });
        let mut broken = false;
        while !broken {
            let Ok(mut batches) = store.watch(&Prefix::all(), self.revision()).await else { break };
            broken = self.drain(store, &mut batches, known).await == WatchError::Compacted;
            if !broken {
                tracing::info!(revision = %self.revision(), "the watch broke; resuming");
                tokio::time::sleep(PAUSE.0).await;
            }
        }
        Followed::Something
    }

    /// Takes batches until the watch ends; compares with the store now and then.
    async fn drain<S: Store>(
        &self,
        store: &S,
        batches: &mut crate::store::Watch,
        known: &mut Known,
    ) -> WatchError {
        let mut digest = tokio::time::interval(self.digest_every);
        digest.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        digest.tick().await;
        loop {
            tokio::select! { biased;
                batch = batches.next() => match batch {
                    Some(Ok(batch)) => self.take(known, batch),
                    Some(Err(error)) => return error,
                    None => return WatchError::Broken,
                },
                _ = digest.tick() => self.compare(store, known).await,
            }
        }
    }

    /// Compares the cache with the store and mends what differs.
    async fn compare<S: Store>(&self, store: &S, known: &mut Known) {
        let Ok(listing) = store.list(&Prefix::all()).await else { return };
        // What the watch has yet to tell is no difference: look only at what it must have told.
        let seen = self.revision();
        if listing.revision > seen {
            return;
        }
        let changes = difference(known, listing.entries, listing.revision);
        if changes.is_empty() {
            return;
        }
        crate::telemetry::CACHE_DIFFERENCES.inc_by(changes.len() as u64);
        tracing::error!(keys = changes.len(), first = %changes[0].key(), "the cache differed from the store");
        self.take(known, Batch { revision: seen, changes });
    }

    /// Folds a batch in and tells the subscribers.
    fn take(&self, known: &mut Known, batch: Batch) {
        let Batch { revision, changes } = batch;
        if revision < self.revision() {
            return; // A store that goes back in time is not followed.
        }
        changes.iter().for_each(|change| learn(known, change));
        {
            let now = self.clock.now();
            let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            view.apply(revision, &changes);
            view.sight.news(now);
            let beats = changes.iter().map(Change::key).filter(|key| key.kind() == "beats");
            beats.for_each(|key| view.sight.heard(key.segment(1), now));
        }
        self.revision.send_replace(revision);
        if !changes.is_empty() {
            // Nobody listening is fine.
            drop(self.pulses.send(Pulse { revision, changes: changes.into() }));
        }
    }
}

/// How far one round came.
enum Followed {
    Nothing,
    Something,
}

/// The keys of a pulse.
impl Pulse {
    /// Which keys changed.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.changes.iter().map(Change::key)
    }
}
