//! A store that misbehaves on purpose, as a seed says.
//!
//! Every component of the world talks to the one memory store through a handle of its own. A handle can be
//! slow, lose the answer before or after a commit was applied, refuse without reason, break or starve its
//! watches, say that history is gone, and be cut off altogether. What it never does is lie about what it
//! acknowledged: that is what the checker holds the rest of the house to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use encamp::store::{Batch, CommitError, Limits, Listing, Memory, ReadError, Store, Txn, Watch, WatchError};
use futures::{FutureExt as _, StreamExt as _};
use plan::{Guard, Write};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::key::{Key, Prefix, Revision};

use crate::pause::Pause;

/// How likely each misbehaviour is, in thousandths of the calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// The commit is applied and the answer lost.
    pub(crate) lost_after: u32,
    /// The answer is lost, and the commit arrives seconds later, whatever became of its sender.
    pub(crate) late: u32,
    /// The commit is not applied and the answer lost.
    pub(crate) lost_before: u32,
    /// The store refuses: nothing was written.
    pub(crate) refused: u32,
    /// A conflict that is none.
    pub(crate) conflict: u32,
    /// A list is not answered.
    pub(crate) unread: u32,
    /// A list is answered with what somebody was told before.
    pub(crate) stale: u32,
    /// A watch tells its last batch again.
    pub(crate) repeated: u32,
    /// A watch breaks after a batch.
    pub(crate) broken: u32,
    /// A watch ends since history is gone.
    pub(crate) compacted: u32,
    /// The longest pause before an answer, in milliseconds.
    pub(crate) slow_ms: u64,
}

impl Faults {
    /// Some of them: each story has faults of its own, since too many hide each other.
    pub(crate) fn some(rng: &mut StdRng) -> Faults {
        Faults::each(|usual| if rng.random_ratio(2, 3) { usual } else { 0 })
    }

    /// Much of all.
    pub(crate) fn many() -> Faults {
        Faults::each(|usual| 3 * usual)
    }

    fn each(mut amount: impl FnMut(u32) -> u32) -> Faults {
        Faults {
            lost_after: amount(40),
            late: amount(30),
            lost_before: amount(40),
            refused: amount(30),
            conflict: amount(30),
            unread: amount(50),
            stale: amount(50),
            repeated: amount(30),
            broken: amount(30),
            compacted: amount(10),
            slow_ms: u64::from(amount(40)),
        }
    }
}

/// Which guards never reach the store: for the tests that show what each of them is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// None is lost.
    #[default]
    None,
    /// Nobody checks who leads.
    Terms,
    /// Nobody checks that a document is as it was seen.
    Revisions,
    /// Nobody checks that what is made is not there yet.
    Absences,
}

impl Sabotage {
    fn spares(self, guard: &Guard) -> bool {
        match guard {
            Guard::Term { .. } => self != Sabotage::Terms,
            Guard::At(..) | Guard::Unchanged { .. } => self != Sabotage::Revisions,
            Guard::Absent(_) => self != Sabotage::Absences,
        }
    }
}

/// What every handle shares.
#[derive(Clone)]
pub(crate) struct World {
    store: Memory,
    sabotage: Sabotage,
    faults: Arc<Mutex<Faults>>,
    /// Nobody is answered for a while.
    pub(crate) stall: Pause,
    /// Rules that a commit broke, told when the checker next looks.
    pub(crate) breaches: Arc<Mutex<Vec<String>>>,
    terms: Arc<Mutex<BTreeMap<Key, Revision>>>,
    /// What was listed last, by prefix.
    told: Arc<Mutex<BTreeMap<(String, bool), Listing>>>,
}

/// The name of the store's history.
const EPOCH: &str = "\"the only one\"";

impl World {
    /// A world without faults yet.
    pub(crate) fn new(sabotage: Sabotage) -> World {
        let store = Memory::new(Limits::default());
        let epoch =
            Txn { guards: vec![], writes: vec![Write::Put { key: Key::epoch(), value: EPOCH.into() }] };
        store.commit(epoch).now_or_never().expect("memory answers at once").unwrap();
        let (faults, stall, breaches, terms, told) = Default::default();
        World { store, sabotage, faults, stall, breaches, terms, told }
    }
    /// The store as it really is, for the checker.
    pub(crate) fn truth(&self) -> Memory {
        self.store.clone()
    }
    /// From now on these faults happen.
    pub(crate) fn set(&self, faults: Faults) {
        *self.faults.lock().unwrap() = faults;
    }
    /// Whether guards are lost: then every fault there is shall show it.
    pub(crate) fn is_sabotaged(&self) -> bool {
        self.sabotage != Sabotage::None
    }
    /// A handle for one component; `seed` decides when it suffers.
    pub(crate) fn handle(&self, seed: u64) -> Handle {
        let rng = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        let (is_cut, pause, commits_left) = Default::default();
        Handle { world: self.clone(), rng, is_cut, pause, commits_left }
    }
}

/// One component's way to the store.
#[derive(Clone)]
pub(crate) struct Handle {
    world: World,
    rng: Arc<Mutex<StdRng>>,
    is_cut: Arc<AtomicBool>,
    /// Its component stands still.
    pub(crate) pause: Pause,
    /// After so many commits the component is cut off; none: never.
    commits_left: Arc<AtomicU32>,
}

impl Handle {
    /// Cuts the component off from the store.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Lets it back.
    pub(crate) fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
        self.commits_left.store(0, Ordering::Relaxed);
    }

    /// Cuts the component off after some commits: between two steps of whatever it does then.
    pub(crate) fn cut_after(&self, commits: u32) {
        self.commits_left.store(commits, Ordering::Relaxed);
    }

    fn count_down(&self) {
        let left = self.commits_left.load(Ordering::Relaxed);
        if left > 0 {
            self.commits_left.store(left - 1, Ordering::Relaxed);
            self.is_cut.fetch_or(left == 1, Ordering::Relaxed);
        }
    }

    fn faults(&self) -> Faults {
        *self.world.faults.lock().unwrap()
    }

    fn happens(&self, thousandths: u32) -> bool {
        thousandths > 0 && self.rng.lock().unwrap().random_ratio(thousandths.min(1000), 1000)
    }

    async fn dawdle(&self) {
        self.world.stall.over().await;
        self.pause.over().await;
        let slow_ms = self.faults().slow_ms;
        if slow_ms > 0 {
            let pause_ms = self.rng.lock().unwrap().random_range(0..=slow_ms);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    /// Waits as long as a client waits for a store that does not answer.
    async fn unanswered(&self) {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// The transaction reaches the store.
    async fn arrive(&self, txn: &Txn) -> Result<Revision, CommitError> {
        let guards = txn.guards.iter().filter(|guard| self.world.sabotage.spares(guard)).cloned();
        let sent = Txn { guards: guards.collect(), writes: txn.writes.clone() };
        let answer = self.world.store.commit(sent).await;
        if answer.is_ok() {
            self.audit_term(txn);
            self.count_down();
        }
        answer
    }

    /// I15 and I16: every write names the revision of what it replaces, and no old leader writes.
    fn audit(&self, txn: &Txn) {
        let mut breaches = self.world.breaches.lock().unwrap();
        for write in &txn.writes {
            let key = write.key();
            // A version is written, and forgotten, with its job.
            let own = match key.kind() {
                "versions" => Key::job(key.segment(1), key.segment(2)),
                _ => key.clone(),
            };
            let is_guarded = txn.guards.iter().any(|guard| match guard {
                Guard::Absent(other) | Guard::At(other, _) => *other == *key || *other == own,
                Guard::Term { leader, .. } => leader == key,
                Guard::Unchanged { prefix, .. } => prefix.contains(key),
            });
            let has_one_author = matches!(key.kind(), "beats" | "details" | "fingerprints");
            if !is_guarded && !has_one_author {
                breaches.push(format!("I15: {write} is written without a guard on its key"));
            }
        }
    }

    fn audit_term(&self, txn: &Txn) {
        for guard in &txn.guards {
            let Guard::Term { leader, term } = guard else { continue };
            let mut terms = self.world.terms.lock().unwrap();
            let newest = terms.entry(leader.clone()).or_insert(*term);
            if *term < *newest {
                let text = format!("I16: {leader} wrote in term {term} after term {newest}");
                self.world.breaches.lock().unwrap().push(text);
            }
            *newest = (*newest).max(*term);
        }
    }
}

impl Store for Handle {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        self.dawdle().await;
        if self.is_cut() || self.happens(self.faults().unread) {
            self.unanswered().await;
            return Err(ReadError::Unavailable);
        }
        let name = (prefix.as_str().to_owned(), prefix.is_exact());
        if self.happens(self.faults().stale) {
            let told = self.world.told.lock().unwrap().get(&name).cloned();
            if let Some(told) = told {
                return Ok(told);
            }
        }
        let listing = self.world.store.list(prefix).await?;
        self.world.told.lock().unwrap().insert(name, listing.clone());
        Ok(listing)
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.audit(&txn);
        self.dawdle().await;
        let faults = self.faults();
        if self.is_cut() || self.happens(faults.lost_before) {
            self.unanswered().await;
            return Err(CommitError::Unknown);
        }
        if self.happens(faults.refused) {
            return Err(CommitError::NotApplied);
        }
        if self.happens(faults.conflict) {
            return Err(CommitError::Conflict);
        }
        if self.happens(faults.late) {
            let (handle, seconds) = (self.clone(), self.rng.lock().unwrap().random_range(1..=12));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                handle.arrive(&txn).await.ok();
            });
            self.unanswered().await;
            return Err(CommitError::Unknown);
        }
        let answer = self.arrive(&txn).await;
        if self.happens(faults.lost_after) {
            self.unanswered().await;
            return Err(CommitError::Unknown);
        }
        self.dawdle().await;
        answer
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        self.dawdle().await;
        if self.is_cut() {
            self.unanswered().await;
            return Err(WatchError::Broken);
        }
        let batches = self.world.store.watch(prefix, after).await?;
        let watching = Watching { handle: self.clone(), batches, last: None, is_over: false };
        let faulty = futures::stream::unfold(watching, |mut watching| async move {
            let next = watching.next().await?;
            Some((next, watching))
        });
        Ok(faulty.boxed())
    }
}

/// A watch that suffers.
struct Watching {
    handle: Handle,
    batches: Watch,
    last: Option<Batch>,
    is_over: bool,
}

impl Watching {
    async fn next(&mut self) -> Option<Result<Batch, WatchError>> {
        if self.is_over {
            return None;
        }
        let faults = self.handle.faults();
        if let Some(last) = self.last.take().filter(|_| self.handle.happens(faults.repeated)) {
            return Some(Ok(last));
        }
        let batch = self.batches.next().await;
        self.handle.dawdle().await;
        let faults = self.handle.faults();
        let next = match batch {
            _ if self.handle.is_cut() || self.handle.happens(faults.broken) => Err(WatchError::Broken),
            _ if self.handle.happens(faults.compacted) => Err(WatchError::Compacted),
            Some(batch) => batch,
            None => return None,
        };
        self.is_over = next.is_err();
        self.last = next.as_ref().ok().cloned();
        Some(next)
    }
}
