//! Where the wish (rosters) and its execution (placements, reports) still differ, so that the scheduler
//! looks at these places alone.

use std::collections::{BTreeMap, BTreeSet};

use schemas::key::Key;
use schemas::node::Fingerprint;
use schemas::placement::{Placement, Wish};
use schemas::roster::{Index, Named, Roster, Slot, SlotState, allocation_name, readings_of_name};

use super::indexes::{GroupRef, Indexes, JobRef};
use super::table::Table;

/// The open ends of all groups.
#[derive(Clone, Debug, Default)]
pub struct Open {
    pending: BTreeMap<GroupRef, BTreeSet<Index>>,
    stray: BTreeSet<Key>,
    ended: BTreeMap<GroupRef, BTreeSet<Key>>,
}

/// What the open ends follow from.
pub(super) struct Facts<'a> {
    pub(super) rosters: &'a Table<Roster>,
    pub(super) placements: &'a Table<Placement>,
    pub(super) fingerprints: &'a Table<Fingerprint>,
    pub(super) indexes: &'a Indexes,
    pub(super) unreadable: &'a Table<String>,
}

impl Open {
    /// Places of groups whose slot should run and has no placement; for groups that run on every node, the
    /// nodes that have none, whether or not they fit.
    pub fn pending(&self) -> impl Iterator<Item = (&GroupRef, &BTreeSet<Index>)> {
        self.pending.iter()
    }

    /// The pending places of one group.
    pub fn pending_of(&self, group: &GroupRef) -> impl Iterator<Item = &Index> {
        self.pending.get(group).into_iter().flatten()
    }

    /// Living placements that are to run although no slot wants them, or at another version than their slot.
    pub fn stray(&self) -> impl Iterator<Item = &Key> {
        self.stray.iter()
    }

    /// Placements that ended, by group: their node said so, or was purged.
    pub fn ended(&self) -> impl Iterator<Item = (&GroupRef, &BTreeSet<Key>)> {
        self.ended.iter()
    }

    /// Those of one group.
    pub fn ended_of(&self, group: &GroupRef) -> impl Iterator<Item = &Key> {
        self.ended.get(group).into_iter().flatten()
    }

    /// Judges one placement, and its place, again.
    pub(super) fn placement(&mut self, facts: &Facts, key: &Key, placement: &Placement) {
        let group = GroupRef::of_placement(key, placement);
        let slot = slot_of(facts, &group, &placement.index);
        let (is_ended, is_stray) = match facts.placements.get(key) {
            None => (false, false),
            Some(placement) => {
                let is_ended = facts.indexes.is_gone(key);
                let is_unwanted = !wants(slot, placement) && !is_roster_unreadable(facts, &group);
                (is_ended, !is_ended && placement.wish == Wish::Run && is_unwanted)
            }
        };
        set(&mut self.stray, key, is_stray);
        let ended = self.ended.entry(group.clone()).or_default();
        set(ended, key, is_ended);
        if ended.is_empty() {
            self.ended.remove(&group);
        }
        self.place(facts, &group, &placement.index);
    }

    /// Judges all of a group again.
    pub(super) fn roster(&mut self, facts: &Facts, key: &Key) {
        let group = GroupRef::of_roster(key);
        self.pending.remove(&group);
        for key in facts.indexes.placements_of_group(&group) {
            if let Some(placement) = facts.placements.get(key) {
                self.placement(facts, key, placement);
            }
        }
        let Some(roster) = facts.rosters.get(key) else { return };
        for (number, _) in roster.numbered() {
            self.place(facts, &group, &Index::Number(number));
        }
        if roster.every_node.is_some() {
            for (key, _) in facts.fingerprints.iter() {
                self.place(facts, &group, &Index::Node(key.segment(1).to_owned()));
            }
        }
    }

    /// Judges the places again that an allocation's name may speak of.
    pub(super) fn allocation(&mut self, facts: &Facts, namespace: &str, name: &str) {
        for Named { job, group, index, .. } in readings_of_name(name) {
            let group = JobRef { namespace: namespace.to_owned(), job: job.to_owned() }.group(group);
            self.place(facts, &group, &index);
        }
    }

    /// A node came, went or changed: judges its placements and the groups that run on every node again.
    pub(super) fn node(&mut self, facts: &Facts, node: &str) {
        for (key, row) in facts.placements.under(&["placements", node]) {
            self.placement(facts, key, &row.value);
        }
        for key in &facts.indexes.every_node {
            let group = GroupRef::of_roster(key);
            self.place(facts, &group, &Index::Node(node.to_owned()));
        }
    }

    /// Judges whether a place is pending.
    fn place(&mut self, facts: &Facts, group: &GroupRef, index: &Index) {
        let is_known = match index {
            Index::Number(_) => true,
            Index::Node(node) => facts.fingerprints.get(&Key::fingerprint(node)).is_some(),
        };
        let is_pending = is_known
            && slot_of(facts, group, index).is_some_and(|slot| {
                let name = allocation_name(&group.job, &group.group, index, slot.version, slot.attempt);
                let mut placed = facts.indexes.placements_of_allocation(&group.namespace, &name);
                slot.state == SlotState::Run && placed.next().is_none()
            });
        let pending = self.pending.entry(group.clone()).or_default();
        set(pending, index, is_pending);
        if pending.is_empty() {
            self.pending.remove(group);
        }
    }
}

fn slot_of<'a>(facts: &Facts<'a>, group: &GroupRef, index: &Index) -> Option<&'a Slot> {
    facts.rosters.get(&Key::roster(&group.namespace, &group.job, &group.group))?.slot_at(index)
}

/// What slots an unreadable roster has is not known: it disowns nobody.
fn is_roster_unreadable(facts: &Facts, group: &GroupRef) -> bool {
    facts.unreadable.get(&Key::roster(&group.namespace, &group.job, &group.group)).is_some()
}

fn wants(slot: Option<&Slot>, placement: &Placement) -> bool {
    slot.is_some_and(|slot| {
        let Slot { version, spec, attempt, state, failures: _, moves: _, failing_since: _ } = slot;
        let asked = (*version, *attempt, *spec);
        *state == SlotState::Run && asked == (placement.version, placement.attempt, placement.spec)
    })
}

fn set<T: Ord + Clone>(set: &mut BTreeSet<T>, what: &T, is_in: bool) {
    if is_in {
        set.insert(what.clone());
    } else {
        set.remove(what);
    }
}
