//! The node's reports on their way to the store: up to 64 allocations per document, written on a change only.
//!
//! One transaction is on its way at a time; what changes meanwhile is gathered. This node is the only writer of its
//! reports, and every write is guarded by the revision it replaces: a second agent under the same name, or an
//! answer that was lost, shows as a conflict, and the documents are read again.

use std::collections::{BTreeMap, BTreeSet};

use agent::AllocationId;
use plan::{Guard, Write};
use schemas::codec;
use schemas::entry::Entry;
use schemas::key::{Key, Revision};
use schemas::report::{AllocationReport, BUCKET_SIZE, ClientState, Report};

use store::{MAX_OPERATIONS, Txn};

/// All reports of one node.
#[derive(Debug)]
pub(crate) struct Reports {
    node: String,
    buckets: BTreeMap<u32, Bucket>,
    home: BTreeMap<AllocationId, u32>,
    dirty: BTreeSet<u32>,
    /// Those that are in another state than was sent last: what people read about them goes with it.
    turned: BTreeSet<AllocationId>,
}

#[derive(Debug, Default)]
struct Bucket {
    wanted: Report,
    stored_at: Option<Revision>,
}

/// A transaction and the buckets it writes.
pub(crate) struct Flight {
    pub(crate) txn: Txn,
    pub(crate) buckets: Vec<u32>,
    /// Those whose state is another one now.
    pub(crate) turned: BTreeSet<AllocationId>,
}

impl Reports {
    pub(crate) fn new(node: &str) -> Reports {
        let (buckets, home, dirty) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Reports { node: node.to_owned(), buckets, home, dirty, turned: BTreeSet::new() }
    }

    /// What the store holds becomes what this node said last: the start of an agent's life.
    pub(crate) fn adopt(&mut self, entries: &[Entry]) -> BTreeMap<AllocationId, AllocationReport> {
        for (number, entry, report) in readable(entries) {
            if report.is_none() {
                self.dirty.insert(number);
            }
            let report = report.unwrap_or_default();
            for id in report.allocations.keys() {
                self.home.insert(AllocationId::from_report(id), number);
            }
            self.buckets.insert(number, Bucket { wanted: report, stored_at: Some(entry.modified) });
        }
        let all = self.buckets.values().flat_map(|bucket| &bucket.wanted.allocations);
        all.map(|(id, report)| (AllocationId::from_report(id), report.clone())).collect()
    }

    /// What the store holds is only compared: this node knows better.
    pub(crate) fn compare(&mut self, entries: &[Entry]) {
        for bucket in self.buckets.values_mut() {
            bucket.stored_at = None;
        }
        let mut equal = BTreeSet::new();
        for (number, entry, report) in readable(entries) {
            let bucket = self.buckets.entry(number).or_default();
            bucket.stored_at = Some(entry.modified);
            if report.as_ref() == Some(&bucket.wanted) {
                equal.insert(number);
            }
        }
        self.dirty = self.buckets.keys().copied().filter(|number| !equal.contains(number)).collect();
    }

    /// Notes a state, or that there is none any more.
    pub(crate) fn set(&mut self, id: &AllocationId, report: Option<AllocationReport>) {
        let Some(report) = report else {
            self.turned.remove(id);
            let Some(number) = self.home.remove(id) else { return };
            if let Some(bucket) = self.buckets.get_mut(&number) {
                bucket.wanted.allocations.remove(id.as_str());
                self.dirty.insert(number);
            }
            return;
        };
        let number = match self.home.get(id) {
            Some(number) => *number,
            None => self.room(),
        };
        self.home.insert(id.clone(), number);
        let bucket = self.buckets.entry(number).or_default();
        let state = report.state;
        let before = bucket.wanted.allocations.insert(id.as_str().to_owned(), report);
        if state != ClientState::Pending && before.as_ref().is_none_or(|before| before.state != state) {
            self.turned.insert(id.clone());
        }
        if before.as_ref() != bucket.wanted.allocations.get(id.as_str()) {
            self.dirty.insert(number);
        }
    }

    /// The first bucket with room.
    fn room(&self) -> u32 {
        let has_room = |number: &u32| {
            self.buckets.get(number).is_none_or(|bucket| bucket.wanted.allocations.len() < BUCKET_SIZE)
        };
        (0..u32::MAX).find(has_room).unwrap_or(u32::MAX)
    }

    /// Whether everything is written or on its way.
    pub(crate) fn is_clean(&self) -> bool {
        self.dirty.is_empty()
    }

    /// Everything that is to be written, as one transaction.
    pub(crate) fn take(&mut self) -> Option<Flight> {
        let mut flight = Flight { txn: Txn::default(), buckets: Vec::new(), turned: BTreeSet::new() };
        while flight.buckets.len() < MAX_OPERATIONS
            && let Some(number) = self.dirty.pop_first()
        {
            let Some(bucket) = self.buckets.get(&number) else { continue };
            let key = Key::report(&self.node, number);
            let write = match (bucket.wanted.allocations.is_empty(), bucket.stored_at) {
                (true, None) => continue,
                (true, Some(_)) => Write::Delete { key: key.clone() },
                (false, _) => Write::put(key.clone(), &bucket.wanted),
            };
            let guard = bucket.stored_at.map_or(Guard::Absent(key.clone()), |at| Guard::At(key, at));
            flight.txn.guards.push(guard);
            flight.txn.writes.push(write);
            flight.buckets.push(number);
            if flight.txn.check().is_err() {
                // One document too many for one transaction: it goes with the next.
                flight.txn.guards.pop();
                flight.txn.writes.pop();
                flight.buckets.pop();
                self.dirty.insert(number);
                break;
            }
        }
        let goes = |id: &AllocationId| self.home.get(id).is_some_and(|home| flight.buckets.contains(home));
        flight.turned = self.turned.iter().filter(|id| goes(id)).cloned().collect();
        self.turned.retain(|id| !flight.turned.contains(id));
        (!flight.buckets.is_empty()).then_some(flight)
    }

    /// The transaction was written.
    pub(crate) fn landed(&mut self, buckets: &[u32], revision: Revision, txn: &Txn) {
        for (number, write) in buckets.iter().zip(&txn.writes) {
            if let Some(bucket) = self.buckets.get_mut(number) {
                bucket.stored_at = match write {
                    Write::Put { .. } => Some(revision),
                    Write::Delete { .. } => None,
                };
            }
        }
    }

    /// The transaction was surely not written: all of it is still to do.
    pub(crate) fn again(&mut self, buckets: &[u32]) {
        self.dirty.extend(buckets);
    }
}

/// The documents, as far as they can be read; others are replaced by what this node knows.
fn readable(entries: &[Entry]) -> impl Iterator<Item = (u32, &Entry, Option<Report>)> {
    entries.iter().filter_map(|entry| {
        let number = entry.key.segment(2).parse().ok()?;
        match codec::decode::<Report>(&entry.value) {
            Ok(report) => Some((number, entry, Some(report))),
            Err(error) => {
                tracing::error!(key = %entry.key, "a report cannot be read and will be replaced: {error}");
                Some((number, entry, None))
            }
        }
    })
}
