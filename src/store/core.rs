//! The history itself: a pure, synchronous state machine that knows no lock, no disk and no clock.
//!
//! Entries live in one sorted map; the most recent revisions are kept whole in a bounded ring, from which
//! watches catch up. A commit has two halves, so that a journal can stand between them: [`Core::stage`]
//! decides over the state plus everything staged before, [`Core::publish`] makes the staged revisions visible.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use plan::{Guard, Write};
use schemas::entry::{Change, Entry};
use schemas::key::{Key, Prefix, Revision};

use super::contract::{Batch, CommitError, Listing, Txn, WatchError};

/// How much recent history is remembered for watches. What falls out is compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most revisions.
    pub revisions: usize,
    /// The most bytes of keys and values, entries that are still live included.
    pub bytes: usize,
}

impl Default for Limits {
    /// Twenty seconds of history at 5,000 commits a second, and never more memory than a small node can spare.
    fn default() -> Self {
        Limits { revisions: 100_000, bytes: 64 * 1024 * 1024 }
    }
}

/// What a remembered change costs besides its key and value.
const CHANGE_BYTES: usize = 128;

/// Up to this many revisions back, walking the ring is cheaper than walking a prefix.
const NEAR: u64 = 1_024;

/// A fresh store stands at revision 1, as etcd does.
const FIRST: Revision = Revision(1);

/// The whole state at one revision, and the way that led there lately.
pub(super) struct Core {
    entries: BTreeMap<Key, Entry>,
    revision: Revision,
    /// Changes up to this revision are forgotten; a watch may start after it, not before.
    compacted: Revision,
    recent: VecDeque<Batch>,
    recent_bytes: usize,
    limits: Limits,
}

/// Revisions that are decided but not visible yet.
pub(super) struct Staged {
    revision: Revision,
    batches: Vec<Batch>,
    /// The state of every key the batches touch; `None` is deleted.
    changed: BTreeMap<Key, Option<Entry>>,
}

impl Staged {
    /// The decided revisions, oldest first.
    pub(super) fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// What the touched keys will be: `None` is deleted.
    pub(super) fn changed(&self) -> &BTreeMap<Key, Option<Entry>> {
        &self.changed
    }

    /// The revision the store will stand at once these are published.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }
}

impl Core {
    /// An empty store.
    pub(super) fn new(limits: Limits) -> Self {
        let compacted = Revision(0);
        Core { compacted, ..Core::restored(BTreeMap::new(), FIRST, limits) }
    }

    /// A store as it was left; its history before now is gone.
    pub(super) fn restored(entries: BTreeMap<Key, Entry>, revision: Revision, limits: Limits) -> Self {
        assert!(revision >= FIRST, "a store never stands before its first revision");
        Core { entries, revision, compacted: revision, recent: VecDeque::new(), recent_bytes: 0, limits }
    }

    /// The last visible revision.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// Everything under `prefix`.
    pub(super) fn list(&self, prefix: &Prefix) -> Listing {
        Listing { revision: self.revision, entries: self.under(prefix).cloned().collect() }
    }

    /// Starts a group of transactions.
    pub(super) fn begin(&self) -> Staged {
        Staged { revision: self.revision, batches: Vec::new(), changed: BTreeMap::new() }
    }

    /// Decides one transaction as if everything staged before it had happened.
    pub(super) fn stage(&self, staged: &mut Staged, txn: Txn) -> Result<Revision, CommitError> {
        txn.check()?;
        if !txn.guards.iter().all(|guard| self.holds(staged, guard)) {
            return Err(CommitError::Conflict);
        }
        let revision = Revision(staged.revision.0 + 1);
        let writes = txn.writes.into_iter();
        let mut changes: Vec<Change> =
            writes.filter_map(|write| self.change(staged, write, revision)).collect();
        if changes.is_empty() {
            return Ok(staged.revision);
        }
        changes.sort_by(|a, b| a.key().cmp(b.key()));
        for change in &changes {
            let now = match change {
                Change::Put(entry) => Some(entry.clone()),
                Change::Delete { .. } => None,
            };
            staged.changed.insert(change.key().clone(), now);
        }
        staged.batches.push(Batch { revision, changes });
        staged.revision = revision;
        Ok(revision)
    }

    /// Makes staged revisions visible and answers them, oldest first.
    pub(super) fn publish(&mut self, staged: Staged) -> Vec<Batch> {
        assert_eq!(
            staged.revision.0 - staged.batches.len() as u64,
            self.revision.0,
            "staged revisions follow the visible ones without a gap"
        );
        for (key, now) in staged.changed {
            match now {
                Some(entry) => self.entries.insert(key, entry),
                None => self.entries.remove(&key),
            };
        }
        self.revision = staged.revision;
        for batch in &staged.batches {
            self.recent_bytes += bytes_of(batch);
            self.recent.push_back(batch.clone());
        }
        while self.recent.len() > self.limits.revisions || self.recent_bytes > self.limits.bytes {
            self.forget_oldest();
        }
        staged.batches
    }

    /// The batches under `prefix` after a revision, for a watch that starts now.
    pub(super) fn history(&self, prefix: &Prefix, after: Revision) -> Result<VecDeque<Batch>, WatchError> {
        if after < self.compacted || after > self.revision {
            return Err(WatchError::Compacted);
        }
        let later = self.recent.partition_point(|batch| batch.revision <= after);
        Ok(self.recent.range(later..).filter_map(|batch| narrowed(batch, prefix)).collect())
    }

    /// Forgets the history up to and including `revision`, as far as there is any.
    pub(super) fn compact(&mut self, revision: Revision) {
        while self.recent.front().is_some_and(|batch| batch.revision <= revision) {
            self.forget_oldest();
        }
        self.compacted = self.compacted.max(revision.min(self.revision));
    }

    fn forget_oldest(&mut self) {
        if let Some(batch) = self.recent.pop_front() {
            self.recent_bytes -= bytes_of(&batch);
            self.compacted = batch.revision;
        }
    }

    fn under<'a>(&'a self, prefix: &'a Prefix) -> impl Iterator<Item = &'a Entry> {
        self.entries
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
            .map(|(_, entry)| entry)
            .take_while(|entry| prefix.contains(&entry.key))
    }

    fn now<'a>(&'a self, staged: &'a Staged, key: &Key) -> Option<&'a Entry> {
        match staged.changed.get(key) {
            Some(now) => now.as_ref(),
            None => self.entries.get(key),
        }
    }

    fn holds(&self, staged: &Staged, guard: &Guard) -> bool {
        match guard {
            Guard::Absent(key) => self.now(staged, key).is_none(),
            Guard::At(key, at) => self.now(staged, key).is_some_and(|entry| entry.modified == *at),
            Guard::Term { leader, term } => {
                self.now(staged, leader).is_some_and(|entry| entry.modified == *term)
            }
            Guard::Unchanged { prefix, since } => !self.changed_since(staged, prefix, *since),
        }
    }

    /// Whether a live key under `prefix` was put after `since`. Near the present the answer is read off the
    /// ring, which holds every such put; far back it is cheaper, and beyond the ring necessary, to walk the prefix.
    fn changed_since(&self, staged: &Staged, prefix: &Prefix, since: Revision) -> bool {
        let is_newer = |key: &Key| self.now(staged, key).is_some_and(|entry| entry.modified > since);
        let staged_newer = staged
            .batches
            .iter()
            .flat_map(|batch| &batch.changes)
            .map(Change::key)
            .any(|key| prefix.contains(key) && is_newer(key));
        if staged_newer {
            return true;
        }
        let is_near = self.revision.0.saturating_sub(since.0) <= NEAR && since >= self.compacted;
        if is_near && !prefix.is_exact() {
            let later = self.recent.iter().rev().take_while(|batch| batch.revision > since);
            let mut keys = later.flat_map(|batch| &batch.changes).map(Change::key);
            keys.any(|key| prefix.contains(key) && is_newer(key))
        } else {
            self.under(prefix).any(|entry| is_newer(&entry.key))
        }
    }

    fn change(&self, staged: &Staged, write: Write, revision: Revision) -> Option<Change> {
        match write {
            Write::Put { key, value } => {
                let (created, version) = match self.now(staged, &key) {
                    Some(entry) => (entry.created, entry.version + 1),
                    None => (revision, 1),
                };
                Some(Change::Put(Entry { key, value, created, modified: revision, version }))
            }
            Write::Delete { key } => self.now(staged, &key).is_some().then_some(Change::Delete { key }),
        }
    }
}

/// What of a batch lies under `prefix`; nothing if none does.
fn narrowed(batch: &Batch, prefix: &Prefix) -> Option<Batch> {
    let changes: Vec<Change> =
        batch.changes.iter().filter(|change| prefix.contains(change.key())).cloned().collect();
    (!changes.is_empty()).then_some(Batch { revision: batch.revision, changes })
}

/// What a batch costs in a buffer.
pub(super) fn bytes_of(batch: &Batch) -> usize {
    let bytes = batch.changes.iter().map(|change| match change {
        Change::Put(entry) => entry.key.as_str().len() + entry.value.len(),
        Change::Delete { key } => key.as_str().len(),
    });
    bytes.map(|bytes| bytes + CHANGE_BYTES).sum()
}
