//! What follows from the tables, kept up to date change by change.

use std::collections::{BTreeMap, BTreeSet};

use schemas::key::{Key, Revision};
use schemas::node::Amount;
use schemas::placement::Placement;
use schemas::report::{AllocationReport, Report};

use super::table::{Stored, Table};

/// A job by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobRef {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub job: String,
}

/// A group by namespace, job and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupRef {
    /// The namespace.
    pub namespace: String,
    /// The job.
    pub job: String,
    /// The group.
    pub group: String,
}

impl JobRef {
    /// One of its groups.
    pub fn group(&self, group: &str) -> GroupRef {
        GroupRef { namespace: self.namespace.clone(), job: self.job.clone(), group: group.to_owned() }
    }
}

impl GroupRef {
    /// The group of a roster, by the roster's key.
    pub fn of_roster(key: &Key) -> GroupRef {
        let segment = |number| key.segment(number).to_owned();
        GroupRef { namespace: segment(1), job: segment(2), group: segment(3) }
    }
    /// The group of a placement.
    pub fn of_placement(key: &Key, placement: &Placement) -> GroupRef {
        let (job, group) = (placement.job.clone(), placement.group.clone());
        GroupRef { namespace: key.segment(2).to_owned(), job, group }
    }
    /// Its job.
    pub fn job(&self) -> JobRef {
        JobRef { namespace: self.namespace.clone(), job: self.job.clone() }
    }
}

/// What is taken on a node: by every placement that has not been reported to have ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In all.
    pub amount: Amount,
    /// Ports, and by how many allocations each.
    pub ports: BTreeMap<u16, u32>,
    /// Cores, and by how many allocations each.
    pub cores: BTreeMap<u16, u32>,
    /// How many allocations there are.
    pub allocations: u32,
}

/// What is taken on a node without allocations.
static NOTHING: Usage = Usage {
    amount: Amount { cpu_mhz: 0, memory_mb: 0, disk_mb: 0 },
    ports: BTreeMap::new(),
    cores: BTreeMap::new(),
    allocations: 0,
};

/// What made a placement.
#[derive(Clone, Copy, Debug)]
struct Made {
    at: Revision,
    /// The placement it stands for.
    adopts: Option<Revision>,
}

impl Made {
    fn is_meant_by(self, report: &AllocationReport) -> bool {
        report.is_about(self.at) || self.adopts == Some(report.placed)
    }
}

/// The indexes of a view.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    placements_of_group: BTreeMap<GroupRef, BTreeSet<Key>>,
    placement_of_allocation: BTreeMap<(String, String), BTreeSet<Key>>,
    reports: BTreeMap<Key, AllocationReport>,
    /// What made each placement, to tell a report about it from one about an earlier one of its name.
    made: BTreeMap<Key, Made>,
    /// Nodes that were purged, and the revision of that word.
    purged: BTreeMap<String, Revision>,
    orphans: BTreeSet<Key>,
    usage: BTreeMap<String, Usage>,
    pub(super) every_node: BTreeSet<Key>,
}

impl Indexes {
    /// The placements of a group, living and ended, on any node.
    pub fn placements_of_group(&self, group: &GroupRef) -> impl Iterator<Item = &Key> {
        self.placements_of_group.get(group).into_iter().flatten()
    }

    /// The placements of all groups of a job.
    pub fn placements_of_job<'a>(&'a self, job: &'a JobRef) -> impl Iterator<Item = &'a Key> {
        self.placements_of_group
            .range(job.group("")..)
            .take_while(|(group, _)| group.namespace == job.namespace && group.job == job.job)
            .flat_map(|(_, keys)| keys)
    }

    /// The placements with an allocation's name, unreadable ones too: one, unless a fault doubled it.
    pub fn placements_of_allocation(&self, namespace: &str, allocation: &str) -> impl Iterator<Item = &Key> {
        self.placement_of_allocation.get(&(namespace.to_owned(), allocation.to_owned())).into_iter().flatten()
    }

    /// What the node's agent last said about a placement's allocation. What it said about an earlier placement
    /// of the same name counts for nothing.
    pub fn report(&self, placement: &Key) -> Option<&AllocationReport> {
        let made = self.made.get(placement);
        self.reports.get(placement).filter(|report| made.is_none_or(|made| made.is_meant_by(report)))
    }

    /// Whether a placement takes nothing any more: its agent reported the end, or its node was purged.
    pub fn is_gone(&self, placement: &Key) -> bool {
        self.report(placement).is_some_and(|report| report.state.is_terminal()) || self.is_purged(placement)
    }

    /// Whether a placement's node was purged after the placement was made.
    pub fn is_purged(&self, placement: &Key) -> bool {
        let made = self.made.get(placement).map(|made| made.at);
        made.is_some_and(|made| self.is_disowned(placement.segment(1), made))
    }

    /// What agents report to live although no placement is there, by the key that it would have. A document that
    /// cannot be read counts as missing here.
    pub fn orphans(&self) -> impl Iterator<Item = (&Key, &AllocationReport)> {
        self.orphans.iter().filter_map(|key| Some((key, self.reports.get(key)?)))
    }

    fn is_disowned(&self, node: &str, made: Revision) -> bool {
        self.purged.get(node).is_some_and(|purged| made < *purged)
    }

    /// The rosters of groups that run on every node.
    pub fn every_node(&self) -> impl Iterator<Item = &Key> {
        self.every_node.iter()
    }

    /// What is taken on a node.
    pub fn usage(&self, node: &str) -> &Usage {
        self.usage.get(node).unwrap_or(&NOTHING)
    }

    /// Folds in that a placement was `old` and is `new`.
    pub(super) fn placement(&mut self, key: &Key, old: Option<&Placement>, new: Option<&Stored<Placement>>) {
        if let Some(old) = old {
            self.unlist(key, old);
            if !self.is_gone(key) {
                self.charge(key, old, Sign::Minus);
            }
            self.made.remove(key);
        }
        if let Some(new) = new {
            self.made.insert(key.clone(), Made { at: new.created, adopts: new.value.adopts });
            self.list(key, &new.value);
            if !self.is_gone(key) {
                self.charge(key, &new.value, Sign::Plus);
            }
        }
        self.judge_orphan(key);
    }

    /// Folds in that a node was purged at a revision, or that this was forgotten.
    pub(super) fn tombstone(&mut self, node: &str, since: Option<Revision>, placements: &Table<Placement>) {
        let was_gone: BTreeSet<&Key> = placements
            .under(&["placements", node])
            .map(|(key, _)| key)
            .filter(|key| self.is_gone(key))
            .collect();
        match since {
            Some(since) => drop(self.purged.insert(node.to_owned(), since)),
            None => drop(self.purged.remove(node)),
        }
        for (key, row) in placements.under(&["placements", node]) {
            self.recharge(key, &row.value, was_gone.contains(key));
        }
        let reported: Vec<Key> = self
            .reports
            .range(Key::placement(node, "!", "!")..)
            .take_while(|(key, _)| key.segment(1) == node)
            .map(|(key, _)| key.clone())
            .collect();
        reported.iter().for_each(|key| self.judge_orphan(key));
    }

    fn judge_orphan(&mut self, key: &Key) {
        let is_orphan = !self.made.contains_key(key)
            && self.reports.get(key).is_some_and(|report| {
                !report.state.is_terminal() && !self.is_disowned(key.segment(1), report.placed)
            });
        if is_orphan {
            self.orphans.insert(key.clone());
        } else {
            self.orphans.remove(key);
        }
    }

    /// Counts a placement that is gone now and was not before, or the other way round.
    fn recharge(&mut self, key: &Key, claim: &Placement, was_gone: bool) {
        match (was_gone, self.is_gone(key)) {
            (false, true) => self.charge(key, claim, Sign::Minus),
            (true, false) => self.charge(key, claim, Sign::Plus),
            (true, true) | (false, false) => {}
        }
    }

    /// Folds in that a placement is there and cannot be read, or is no longer there: its name has a node all the same.
    pub(super) fn unreadable_placement(&mut self, key: &Key, is_there: bool) {
        if is_there {
            self.placement_of_allocation.entry(allocation_of(key)).or_default().insert(key.clone());
        } else {
            self.unlist_name(key);
        }
    }

    /// Folds in that a report document was `old` and is `new`.
    pub(super) fn report_document(
        &mut self,
        key: &Key,
        old: Option<&Report>,
        new: Option<&Report>,
        placements: &Table<Placement>,
    ) {
        let node = key.segment(1);
        let named = |report: Option<&Report>| -> BTreeSet<String> {
            report.map(|report| report.allocations.keys().cloned().collect()).unwrap_or_default()
        };
        for name in &named(old) | &named(new) {
            let Some((namespace, allocation)) = name.split_once('/') else { continue };
            let placement = Key::placement(node, namespace, allocation);
            let was_gone = self.is_gone(&placement);
            match new.and_then(|report| report.allocations.get(&name)) {
                Some(report) => drop(self.reports.insert(placement.clone(), report.clone())),
                None => drop(self.reports.remove(&placement)),
            }
            self.judge_orphan(&placement);
            let Some(claim) = placements.get(&placement) else { continue };
            self.recharge(&placement, claim, was_gone);
        }
    }

    fn list(&mut self, key: &Key, placement: &Placement) {
        self.placements_of_group
            .entry(GroupRef::of_placement(key, placement))
            .or_default()
            .insert(key.clone());
        self.placement_of_allocation.entry(allocation_of(key)).or_default().insert(key.clone());
    }

    fn unlist(&mut self, key: &Key, placement: &Placement) {
        let group = GroupRef::of_placement(key, placement);
        if let Some(keys) = self.placements_of_group.get_mut(&group) {
            keys.remove(key);
            if keys.is_empty() {
                self.placements_of_group.remove(&group);
            }
        }
        self.unlist_name(key);
    }

    fn unlist_name(&mut self, key: &Key) {
        let allocation = allocation_of(key);
        if let Some(keys) = self.placement_of_allocation.get_mut(&allocation) {
            keys.remove(key);
            if keys.is_empty() {
                self.placement_of_allocation.remove(&allocation);
            }
        }
    }

    fn charge(&mut self, key: &Key, placement: &Placement, sign: Sign) {
        let usage = self.usage.entry(key.segment(1).to_owned()).or_default();
        usage.amount = match sign {
            Sign::Plus => usage.amount.plus(placement.claim),
            Sign::Minus => usage.amount.without(placement.claim),
        };
        for port in &placement.ports {
            count(&mut usage.ports, port.host_port, sign);
        }
        for core in &placement.cores {
            count(&mut usage.cores, *core, sign);
        }
        usage.allocations = sign.of(usage.allocations);
        if usage.allocations == 0 {
            self.usage.remove(key.segment(1));
        }
    }
}

#[derive(Clone, Copy)]
enum Sign {
    Plus,
    Minus,
}

impl Sign {
    fn of(self, number: u32) -> u32 {
        match self {
            Sign::Plus => number + 1,
            Sign::Minus => number.saturating_sub(1),
        }
    }
}

fn count(counts: &mut BTreeMap<u16, u32>, what: u16, sign: Sign) {
    let number = counts.entry(what).or_default();
    *number = sign.of(*number);
    if *number == 0 {
        counts.remove(&what);
    }
}

fn allocation_of(key: &Key) -> (String, String) {
    (key.segment(2).to_owned(), key.segment(3).to_owned())
}
