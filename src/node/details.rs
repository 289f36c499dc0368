//! What people read about allocations, written at most once a second and after everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use agent::AllocationId;
use plan::Write;
use schemas::key::Key;
use schemas::report::Details;
use tokio::time::Instant;

use super::run::Agent;
use super::works;
use crate::store::{MAX_OPERATIONS, Store, Txn};

/// The least time between two writings.
const GAP: Duration = Duration::from_secs(1);

/// Which details are to be written.
#[derive(Debug)]
pub(super) struct DetailsWriter {
    node: String,
    dirty: BTreeSet<AllocationId>,
    /// What was written last, as a digest.
    written: BTreeMap<AllocationId, u64>,
    on_the_way: Vec<(AllocationId, Option<u64>)>,
    not_before: Option<Instant>,
}

impl DetailsWriter {
    pub(super) fn new(node: &str) -> DetailsWriter {
        let (dirty, written, on_the_way) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        DetailsWriter { node: node.to_owned(), dirty, written, on_the_way, not_before: None }
    }

    /// Something about an allocation may read differently now.
    pub(super) fn touch(&mut self, id: &AllocationId) {
        self.dirty.insert(id.clone());
        self.not_before.get_or_insert_with(|| Instant::now() + GAP);
    }

    /// An allocation is gone.
    pub(super) fn remove(&mut self, id: &AllocationId) {
        self.touch(id);
    }

    /// When there is something to write.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_waiting = !self.dirty.is_empty() && self.on_the_way.is_empty();
        self.not_before.filter(|_| is_waiting)
    }

    /// What is to be written now; `details` knows what there is to say.
    fn take(&mut self, details: impl Fn(&AllocationId) -> Option<Details>) -> Option<Txn> {
        if self.due().is_none_or(|at| at > Instant::now()) {
            return None;
        }
        let mut txn = Txn::default();
        while txn.writes.len() < MAX_OPERATIONS / 2
            && let Some(id) = self.dirty.pop_first()
        {
            let key = Key::details(&self.node, id.namespace(), id.allocation());
            let (write, digest) = match details(&id) {
                Some(details) => {
                    let write = Write::put(key, &details);
                    let digest = digest(&write);
                    (write, Some(digest))
                }
                None => (Write::Delete { key }, None),
            };
            if self.written.get(&id).copied() != digest {
                txn.writes.push(write);
                self.on_the_way.push((id, digest));
            }
        }
        self.not_before = Some(Instant::now() + GAP);
        (!txn.writes.is_empty()).then_some(txn)
    }

    /// The writing was answered.
    pub(super) fn answered(&mut self, is_written: bool) {
        for (id, digest) in std::mem::take(&mut self.on_the_way) {
            match digest {
                Some(digest) if is_written => drop(self.written.insert(id, digest)),
                None if is_written => drop(self.written.remove(&id)),
                Some(_) | None => drop(self.dirty.insert(id)),
            }
        }
    }
}

fn digest(write: &Write) -> u64 {
    let mut hasher = DefaultHasher::new();
    match write {
        Write::Put { value, .. } => value.hash(&mut hasher),
        Write::Delete { .. } => {}
    }
    hasher.finish()
}

impl<S: Store> Agent<S> {
    /// Sends details that are due.
    pub(super) fn send_details(&mut self) {
        let (memory, checks) = (&self.local.memory, &self.local.checks);
        let details = |id: &AllocationId| memory.get(id).map(|memory| agent::details(memory, checks.get(id)));
        if let Some(txn) = self.details.take(details) {
            self.works.spawn(works::write_details(self.world.store.clone(), txn));
        }
    }
}
