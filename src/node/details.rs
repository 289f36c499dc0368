//! What people read about allocations: with the report of a new state, else at most once a second and after all else.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use agent::AllocationId;
use plan::Write;
use schemas::agent_documents;
use schemas::entry::Entry;
use schemas::key::{Key, Prefix};
use schemas::report::Details;
use tokio::time::Instant;

use super::reports::Flight;
use super::run::Agent;
use super::works;
use store::{ReadError, Store, Txn};

/// The least time between two writings.
const GAP: Duration = Duration::from_secs(1);
/// Documents that go with reports: a machine that starts everything at once is not to hold its reports up.
const MOST_WITH_REPORTS: usize = 32;
/// Documents of one writing: ten events and some checks are a few kilobytes each, and 1.5 MiB fit.
const MOST_AT_ONCE: usize = 64;

/// Which details are to be written.
#[derive(Debug)]
pub(super) struct DetailsWriter {
    node: String,
    dirty: BTreeSet<AllocationId>,
    /// What this agent wrote last, as a digest; its predecessors may have written more.
    written: BTreeMap<AllocationId, u64>,
    on_the_way: Vec<(AllocationId, Option<u64>)>,
    /// What goes with reports that are on their way; without a digest where another writing is on its way too, so that
    /// nobody knows which of both the store keeps.
    carried: BTreeMap<AllocationId, Option<u64>>,
    not_before: Option<Instant>,
}

impl DetailsWriter {
    pub(super) fn new(node: &str) -> DetailsWriter {
        let (dirty, written, on_the_way) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        let carried = BTreeMap::new();
        DetailsWriter { node: node.to_owned(), dirty, written, on_the_way, carried, not_before: None }
    }

    /// Something about an allocation may read differently now.
    pub(super) fn touch(&mut self, id: &AllocationId) {
        self.dirty.insert(id.clone());
        self.not_before.get_or_insert_with(|| Instant::now() + GAP);
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
        // What goes with reports already is looked at again once these have landed.
        let goes_already = |id: &AllocationId| self.carried.contains_key(id);
        let (later, now): (BTreeSet<AllocationId>, BTreeSet<AllocationId>) =
            std::mem::take(&mut self.dirty).into_iter().partition(goes_already);
        self.dirty = now;
        while txn.writes.len() < MOST_AT_ONCE
            && let Some(id) = self.dirty.pop_first()
        {
            let key = Key::details(&self.node, id.namespace(), id.allocation());
            let (write, digest) = match details(&id).map(|details| fitting(&key, details)) {
                Some(write) => {
                    let digest = digest(&write);
                    (write, Some(digest))
                }
                None => (Write::Delete { key }, None),
            };
            if digest.is_some() && self.written.get(&id).copied() == digest {
                continue;
            }
            txn.writes.push(write);
            if txn.check().is_err() {
                // One document too many for one transaction: it goes with the next.
                txn.writes.pop();
                self.dirty.insert(id);
                break;
            }
            self.on_the_way.push((id, digest));
        }
        self.dirty.extend(later);
        self.not_before = Some(Instant::now() + GAP);
        (!txn.writes.is_empty()).then_some(txn)
    }

    /// Adds what there is to read about these to their reports, as far as there is room: a state and its tasks are
    /// seen together. What finds no room follows by itself.
    fn carry(
        &mut self,
        txn: &mut Txn,
        ids: &BTreeSet<AllocationId>,
        details: impl Fn(&AllocationId) -> Option<Details>,
    ) {
        for id in ids {
            let Some(details) = details(id) else { continue };
            let key = Key::details(&self.node, id.namespace(), id.allocation());
            let write = fitting(&key, details);
            let digest = digest(&write);
            if self.written.get(id) == Some(&digest) {
                continue;
            }
            txn.writes.push(write);
            if self.carried.len() == MOST_WITH_REPORTS || txn.check().is_err() {
                txn.writes.pop();
                self.touch(id);
                continue;
            }
            let is_alone = self.on_the_way.iter().all(|(other, _)| other != id);
            self.carried.insert(id.clone(), is_alone.then_some(digest));
            self.dirty.remove(id);
        }
    }

    /// The reports landed, and what went with them.
    pub(super) fn carried_landed(&mut self) {
        for (id, digest) in std::mem::take(&mut self.carried) {
            if let Some(digest) = digest {
                self.written.insert(id, digest);
            } else {
                self.written.remove(&id);
                self.touch(&id);
            }
        }
    }

    /// The reports may not have landed: what went with them is still to do.
    pub(super) fn carried_again(&mut self) {
        std::mem::take(&mut self.carried).keys().for_each(|id| self.touch(id));
    }

    /// The writing landed.
    pub(super) fn landed(&mut self) {
        for (id, digest) in self.on_the_way.drain(..) {
            match digest {
                Some(digest) => drop(self.written.insert(id, digest)),
                None => drop(self.written.remove(&id)),
            }
        }
    }

    /// The writing may not have landed: all of it is still to do.
    pub(super) fn again(&mut self) {
        self.dirty.extend(self.on_the_way.drain(..).map(|(id, _)| id));
    }
}

/// The document as servers take it: what is too long for them is told in fewer words, the newest.
fn fitting(key: &Key, mut details: Details) -> Write {
    let fits = |write: &Write| match write {
        Write::Put { value, .. } => value.len() <= agent_documents::DETAILS_BYTES,
        Write::Delete { .. } => true,
    };
    let whole = Write::put(key.clone(), &details);
    if fits(&whole) {
        return whole;
    }
    details.checks.values_mut().for_each(|check| check.output.clear());
    for task in details.tasks.values_mut() {
        let older = task.events.len().saturating_sub(1);
        task.events.drain(..older);
    }
    let short = Write::put(key.clone(), &details);
    if fits(&short) { short } else { Write::put(key.clone(), &Details::default()) }
}

/// Where the details of a node lie.
fn details_of(node: &str) -> Prefix {
    Prefix::under(format!("/details/{node}/"))
}

/// Reads which allocations of the node have details.
pub(super) async fn read<S: Store>(store: &S, node: &str) -> Result<Vec<Key>, ReadError> {
    let listing = store.list(&details_of(node)).await?;
    Ok(listing.entries.into_iter().map(|Entry { key, .. }| key).collect())
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
    /// Collects what earlier agents of the node left: details of allocations that are neither remembered nor placed.
    pub(super) fn on_details_read(&mut self, keys: &[Key]) {
        for id in keys.iter().filter_map(AllocationId::of_details) {
            let is_known = self.local.memory.contains_key(&id) || self.local.wishes.contains_key(&id);
            if self.local.complete && !is_known && !self.local.unreadable.contains(&id) {
                self.details.touch(&id);
            }
        }
    }

    /// Adds what people read to reports of a new state. While reports cannot be written they go alone.
    pub(super) fn carry_details(&mut self, flight: &mut Flight) {
        let (memory, checks) = (&self.local.memory, &self.local.checks);
        let details = |id: &AllocationId| memory.get(id).map(|memory| agent::details(memory, checks.get(id)));
        if self.are_reports_stuck {
            flight.turned.iter().for_each(|id| self.details.touch(id));
        } else {
            self.details.carry(&mut flight.txn, &flight.turned, details);
        }
    }

    /// Sends details that are due.
    pub(super) fn send_details(&mut self) {
        if !self.standing.borrow().may_speak() {
            return;
        }
        let (memory, checks) = (&self.local.memory, &self.local.checks);
        let details = |id: &AllocationId| memory.get(id).map(|memory| agent::details(memory, checks.get(id)));
        if let Some(txn) = self.details.take(details) {
            self.works.spawn(works::write_details(self.world.store.clone(), txn));
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::report::CheckDetails;

    use super::*;

    /// The keys of one writing: `+` put, `-` deleted.
    fn written(writer: &mut DetailsWriter, details: Option<&Details>) -> Option<String> {
        let txn = writer.take(|_| details.cloned())?;
        let shown = txn.writes.iter().map(|write| match write {
            Write::Put { key, .. } => format!("+{key}"),
            Write::Delete { key } => format!("-{key}"),
        });
        Some(shown.collect::<Vec<_>>().join(" "))
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_predecessor_wrote_is_deleted_with_its_allocation() {
        let (mut writer, id) = (DetailsWriter::new("n1"), AllocationId::new("default", "a"));
        writer.touch(&id);
        assert_eq!(written(&mut writer, None), None, "it is too early");
        tokio::time::advance(GAP).await;
        assert_eq!(written(&mut writer, None).as_deref(), Some("-/details/n1/default/a"));
    }

    #[test]
    fn what_is_too_long_is_told_in_fewer_words() {
        use schemas::report::{TaskDetails, TaskEvent};
        let key = Key::details("n1", "default", "web.api.0-v0.0");
        let event = |number: usize| TaskEvent {
            message: format!("{number}{}", "x".repeat(1023)),
            ..Default::default()
        };
        let task = TaskDetails { events: (0..10).map(event).collect(), ..TaskDetails::default() };
        let of = |tasks: usize| Details {
            tasks: (0..tasks).map(|number| (format!("t{number}"), task.clone())).collect(),
            ..Details::default()
        };
        for tasks in [1, 100, 1_000] {
            let Write::Put { value, .. } = fitting(&key, of(tasks)) else { panic!("it is written") };
            assert_eq!(agent_documents::check(&key, &value), Ok(()), "{tasks}");
        }
        let Write::Put { value, .. } = fitting(&key, of(100)) else { panic!("it is written") };
        let told: Details = schemas::codec::decode(&value).unwrap();
        assert!(told.tasks["t7"].events[0].message.starts_with('9'), "the newest");
    }

    /// What goes with the reports of an allocation.
    fn carried(writer: &mut DetailsWriter, id: &AllocationId, details: &Details) -> usize {
        let mut txn = Txn::default();
        writer.carry(&mut txn, &[id.clone()].into(), |_| Some(details.clone()));
        txn.writes.len()
    }

    #[tokio::test(start_paused = true)]
    async fn what_went_with_reports_is_not_written_again_unless_they_did_not_land() {
        let (mut writer, id) = (DetailsWriter::new("n1"), AllocationId::new("default", "a"));
        let details = Details::default();
        let again = Some("+/details/n1/default/a".to_owned());
        writer.touch(&id);
        assert_eq!(carried(&mut writer, &id, &details), 1);
        writer.touch(&id);
        tokio::time::advance(GAP).await;
        assert_eq!(written(&mut writer, Some(&details)), None, "it is on its way");
        writer.carried_landed();
        assert_eq!(carried(&mut writer, &id, &details), 0, "it reads the same");
        tokio::time::advance(GAP).await;
        assert_eq!(written(&mut writer, Some(&details)), None);
        writer.written.clear();
        assert_eq!(carried(&mut writer, &id, &details), 1);
        writer.carried_again();
        tokio::time::advance(GAP).await;
        assert_eq!(written(&mut writer, Some(&details)), again);
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_writings_on_their_way_nobody_knows_which_is_kept() {
        let (mut writer, id) = (DetailsWriter::new("n1"), AllocationId::new("default", "a"));
        let (old, checks) = (Details::default(), [(String::new(), CheckDetails::default())].into());
        let new = Details { checks, ..Details::default() };
        for carried_first in [true, false] {
            writer.written.clear();
            writer.touch(&id);
            tokio::time::advance(GAP).await;
            assert!(written(&mut writer, Some(&old)).is_some());
            assert_eq!(carried(&mut writer, &id, &new), 1);
            if carried_first {
                writer.carried_landed();
                writer.landed();
            } else {
                writer.landed();
                writer.carried_landed();
            }
            tokio::time::advance(GAP).await;
            assert!(written(&mut writer, Some(&new)).is_some(), "{carried_first}");
            writer.landed();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_reads_the_same_is_written_once_and_what_did_not_land_again() {
        let (mut writer, id) = (DetailsWriter::new("n1"), AllocationId::new("default", "a"));
        let details = Details::default();
        let expected = Some("+/details/n1/default/a".to_owned());
        writer.touch(&id);
        tokio::time::advance(GAP).await;
        assert_eq!(written(&mut writer, Some(&details)), expected);
        writer.again();
        tokio::time::advance(GAP).await;
        assert_eq!(written(&mut writer, Some(&details)), expected);
        writer.landed();
        writer.touch(&id);
        tokio::time::advance(GAP).await;
        assert_eq!(written(&mut writer, Some(&details)), None);
    }
}
