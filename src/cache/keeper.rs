//! Keeps the view equal to the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use futures::StreamExt;
use jiff::SignedDuration;
use plan::View;
use schemas::entry::Change;
use schemas::key::{Key, Prefix, Revision};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use super::difference::{Known, difference, learn};
use super::digest::Digest;
use super::{losses, unreadable};
use clock::Clock;
use store::{Batch, Store, WatchError};

/// How many revisions a subscriber may lag behind before it must start over: a slow one costs memory.
const BACKLOG: usize = 4096;
/// The first and the longest pause before trying a broken store again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// The controller that judges silence: whoever begins to lead it knows nothing of anybody yet.
const JUDGE: &str = "heartbeat";
/// How often the view learns that time has passed, so that it notices a pause of this process.
const TICK: Duration = Duration::from_millis(500);

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

/// A handle on the process's picture of the store.
#[derive(Clone)]
pub struct Cache {
    view: Arc<RwLock<View>>,
    progress: Arc<Progress>,
    pulses: broadcast::Sender<Pulse>,
    digest_every: Duration,
    clock: Clock,
}

/// How far the view is. Those who wait are woken in the order in which they came: a story told twice is the same.
#[derive(Default)]
struct Progress {
    at: AtomicU64,
    moved: Notify,
}

impl Cache {
    /// An empty cache; [`Cache::run`] fills it. Every `digest_every` it is compared with the store.
    pub fn new(digest_every: Duration, clock: Clock) -> Cache {
        let (pulses, _) = broadcast::channel(BACKLOG);
        Cache { view: Arc::default(), progress: Arc::default(), pulses, digest_every, clock }
    }

    /// The view, borrowed. Never hold it across an `.await`.
    pub fn view(&self) -> RwLockReadGuard<'_, View> {
        // A poisoned lock means that folding panicked; what was folded before is still one whole cut of
        // each table, and the digest compares it with the store.
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the view is, without borrowing it.
    pub fn revision(&self) -> Revision {
        Revision(self.progress.at.load(Ordering::Acquire))
    }

    /// Everything that happens from now on. Subscribe first, then look at the view.
    pub fn subscribe(&self) -> Changes {
        self.pulses.subscribe()
    }

    /// Waits until the view has reached a revision.
    pub async fn reached(&self, revision: Revision) {
        loop {
            let moved = self.progress.moved.notified();
            if self.revision() >= revision {
                return;
            }
            moved.await;
        }
    }

    /// The view is this server's: it sees nothing while the server's own beats do not get through.
    pub fn belongs_to(&self, server: &str) {
        self.view.write().unwrap_or_else(PoisonError::into_inner).sight.belongs_to(server);
    }

    /// Follows the store until told to stop.
    pub async fn run<S: Store>(&self, store: S, stop: CancellationToken) {
        tokio::select! { biased;
            () = self.keep_time() => {}
            () = self.keep(store, stop) => {}
        }
    }

    /// Tells the view that time passes, whatever the store does.
    async fn keep_time(&self) {
        loop {
            tokio::time::sleep(TICK).await;
            let uptime = self.uptime();
            self.view.write().unwrap_or_else(PoisonError::into_inner).sight.tick(uptime);
        }
    }

    fn uptime(&self) -> SignedDuration {
        SignedDuration::try_from(self.clock.uptime()).unwrap_or(SignedDuration::MAX)
    }

    async fn keep<S: Store>(&self, store: S, stop: CancellationToken) {
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
        while let Ok(mut batches) = store.watch(&Prefix::all(), self.revision()).await {
            match self.drain(store, &mut batches, known).await {
                WatchError::Compacted => break,
                WatchError::Broken => {
                    tracing::info!(revision = %self.revision(), "the watch broke; resuming");
                    tokio::time::sleep(PAUSE.0).await;
                }
            }
        }
        Followed::Something
    }

    /// Takes batches until the watch ends; compares with the store now and then.
    async fn drain<S: Store>(&self, store: &S, batches: &mut store::Watch, known: &mut Known) -> WatchError {
        let mut digest = Digest::every(self.digest_every, store);
        loop {
            tokio::select! { biased;
                () = digest.step() => {}
                batch = batches.next() => match batch {
                    Some(Ok(batch)) => {
                        digest.told(&batch.changes);
                        self.take(known, batch);
                    }
                    Some(Err(error)) => return error,
                    None => return WatchError::Broken,
                },
            }
            self.mend(known, digest.missed(known, self.revision()));
        }
    }

    /// Takes in what the watch should have told.
    fn mend(&self, known: &mut Known, missed: Vec<Change>) {
        let Some(first) = missed.first() else { return };
        telemetry::CACHE_DIFFERENCES.inc_by(missed.len() as u64);
        tracing::error!(keys = missed.len(), first = %first.key(), "the cache differed from the store");
        self.take(known, Batch { revision: self.revision(), changes: missed });
    }

    /// Folds a batch in and tells the subscribers.
    fn take(&self, known: &mut Known, batch: Batch) {
        let Batch { revision, changes } = batch;
        if revision < self.revision() {
            return; // A store that goes back in time is not followed.
        }
        changes.iter().for_each(|change| learn(known, change));
        {
            let uptime = self.uptime();
            let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            let (before, lost) = (unreadable::among(&view, &changes), losses::among(&view, &changes));
            view.apply(revision, &changes);
            unreadable::tell(&mut view, &changes, &before);
            losses::tell(&mut view, &changes, &lost);
            let leader = view.leaders.get(&Key::leader(JUDGE)).map(|leader| leader.server.clone());
            leader.iter().for_each(|leader| view.sight.led_by(leader));
            let beats = changes.iter().map(Change::key).filter(|key| key.kind() == "beats");
            beats.for_each(|key| view.sight.heard(key.segment(1), uptime));
        }
        self.progress.at.store(revision.0, Ordering::Release);
        self.progress.moved.notify_waiters();
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

#[cfg(test)]
mod tests {
    use plan::Write;

    use super::*;
    use store::deaf::Deaf;
    use store::{Memory, Txn};

    fn job(name: &str) -> Key {
        Key::job("default", name)
    }

    async fn commit(store: &Memory, write: Write) {
        store.commit(Txn { guards: vec![], writes: vec![write] }).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_was_lost_is_made_up_for_although_the_store_never_stands_still() {
        let store = Memory::default();
        let cache = Cache::new(Duration::from_secs(60), Clock::system());
        let deaf = Deaf { store: store.clone(), to: job("lost") };
        commit(&store, Write::Put { key: job("lost"), value: "{}".into() }).await;
        commit(&store, Write::Put { key: job("kept"), value: "{}".into() }).await;
        let (stop, follower) = (CancellationToken::new(), cache.clone());
        let (stopped, mut pulses) = (stop.clone(), cache.subscribe());
        let following = tokio::spawn(async move { follower.run(deaf, stopped).await });
        cache.reached(Revision(4)).await;
        commit(&store, Write::Delete { key: job("lost") }).await;
        let mut told_after = Vec::new();
        for second in 1..=200 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            while let Ok(pulse) = pulses.try_recv() {
                let is_told = pulse.changes.contains(&Change::Delete { key: job("lost") });
                told_after.extend(is_told.then_some(second));
            }
        }
        assert!(matches!(told_after[..], [60..=70]), "once, by the first comparison: {told_after:?}");
        stop.cancel();
        following.await.unwrap();
    }
}
