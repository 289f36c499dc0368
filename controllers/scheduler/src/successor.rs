//! Whether what shall take the place of a running instance would find room.
//!
//! A running instance is not stopped for one that fits nowhere: it goes on serving until there is room, which
//! the rollout shows as an instance that waits. What the old one gives back counts as room on its own node.

use std::collections::{BTreeMap, BTreeSet};

use fit::Demand;
use plan::View;
use plan::view::{GroupRef, JobRef};
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::{Placement, Wish};
use schemas::roster::{Index, Slot, SlotState, allocation_name};

use crate::crowd::{Crowd, Neighbours};
use crate::decide::{group_at, roster_of};
use crate::explain::judge;
use crate::feasible::may_take;
use crate::site::{Site, Sites};

/// What becomes of an instance that another shall follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Succession {
    /// It stops: the other has room, or need not wait for it.
    Stop,
    /// It stops, and none follows on this node as long as the node does not fit.
    Unfit,
    /// It stays until there is room for the other.
    Hold,
}

/// The room that successors of one plan share.
pub(crate) struct Successors<'v> {
    view: &'v View,
    sites: Sites<'v>,
    foreseen: BTreeSet<JobRef>,
    asked: BTreeMap<(GroupRef, u64), Option<Asked<'v>>>,
}

struct Asked<'v> {
    demand: Demand<'v>,
    crowd: Crowd,
    /// No node took one more when that was asked last: only what is given back could change it.
    is_full: bool,
}

impl<'v> Successors<'v> {
    pub(crate) fn of(view: &'v View) -> Successors<'v> {
        Successors { view, sites: Sites::of(view), foreseen: BTreeSet::new(), asked: BTreeMap::new() }
    }

    /// Sees what a job was promised before: what was told to stop gives back its room, and what waits without a
    /// predecessor that could be kept takes some.
    fn foresee(&mut self, job: &JobRef) {
        if !self.foreseen.insert(job.clone()) {
            return;
        }
        let mut kept: BTreeSet<(&str, &Index)> = BTreeSet::new();
        for key in self.view.indexes.placements_of_job(job).filter(|key| !self.view.indexes.is_gone(key)) {
            let Some(placement) = self.view.placements.get(key) else { continue };
            match (&placement.wish, self.sites.position(key.segment(1))) {
                (Wish::Run, _) => drop(kept.insert((&placement.group, &placement.index))),
                (Wish::Stop { .. }, Some(site)) => self.sites.0[site].release(placement),
                (Wish::Stop { .. }, None) => {}
            }
        }
        let of_job = |group: &GroupRef| group.namespace == job.namespace && group.job == job.job;
        for (group, places) in self.view.open.pending().filter(|(group, _)| of_job(group)) {
            let places = places.iter().filter(|index| !kept.contains(&(group.group.as_str(), *index)));
            places.for_each(|index| self.promise(group, index));
        }
    }

    /// Takes room for a place that waits, where there is any.
    fn promise(&mut self, group: &GroupRef, index: &Index) {
        let roster = roster_of(self.view, group);
        let Some(slot) = roster.and_then(|(_, roster)| roster.slot_at(index)) else { return };
        let known = (&self.sites, &mut self.asked);
        let asked = asked(self.view, known, group.clone(), slot.spec);
        let Some(Asked { demand, is_full, .. }) = asked.filter(|asked| !asked.is_full) else { return };
        let name = allocation_name(&group.job, &group.group, index, slot.version, slot.attempt);
        let takes = |site: &&mut Site| {
            let is_its_own = match index {
                Index::Number(_) => true,
                Index::Node(node) => site.name == node,
            };
            is_its_own && may_take(demand, site).is_ok() && site.fits(demand).is_ok()
        };
        match self.sites.0.iter_mut().find(takes) {
            Some(site) => drop(site.take(demand, &name)),
            None => *is_full = matches!(index, Index::Number(_)),
        }
    }

    /// What becomes of a placement whose slot means another allocation now.
    pub(crate) fn judge(&mut self, key: &Key, placement: &Placement, slot: &Slot) -> Succession {
        let group = GroupRef::of_placement(key, placement);
        let node = key.segment(1);
        let health = self.view.health.get(&Key::health(node)).map(|health| health.state);
        let name = allocation_name(&group.job, &group.group, &placement.index, slot.version, slot.attempt);
        let is_placed = self.view.indexes.placements_of_allocation(&group.namespace, &name).next().is_some();
        if slot.state != SlotState::Run || is_placed {
            return Succession::Stop;
        }
        self.foresee(&group.job());
        let known = (&self.sites, &mut self.asked);
        let version = Key::version(&group.namespace, &group.job, slot.spec);
        let Some(Asked { demand, crowd, is_full }) = asked(self.view, known, group, slot.spec) else {
            // Of a version that is forgotten nothing is known; nothing is kept for its sake.
            return if self.view.is_unreadable(&version) { Succession::Hold } else { Succession::Stop };
        };
        let Some(own) = self.sites.position(node) else {
            return if self.view.knows_node(node) { Succession::Hold } else { Succession::Stop };
        };
        let is_bound = matches!(placement.index, Index::Node(_));
        let of_node = [Key::node(node), Key::health(node)];
        if is_bound && of_node.iter().any(|key| self.view.is_unreadable(key)) {
            return Succession::Hold;
        }
        let is_admitted = |site: &Site| {
            may_take(demand, site).and_then(|()| crowd.admits(demand, own, site.facts())).is_ok()
        };
        if is_bound && !is_admitted(&self.sites.0[own]) {
            return Succession::Unfit;
        }
        // What runs on a node that is not heard serves nobody for certain.
        if health != Some(NodeState::Ready) && !self.view.is_unreadable(&Key::health(node)) {
            return Succession::Stop;
        }
        self.sites.0[own].release(placement);
        let others = if is_bound || *is_full { 0..0 } else { 0..self.sites.0.len() };
        let fitting = std::iter::once(own)
            .chain(others)
            .find(|site| judge(demand, crowd, &self.sites.0[*site], *site).is_ok());
        let Some(site) = fitting else {
            self.sites.0[own].take_back(placement);
            *is_full = !is_bound;
            return Succession::Hold;
        };
        self.sites.0[site].take(demand, &name);
        crowd.add_on(demand, &self.sites, site);
        Succession::Stop
    }
}

/// What one version of a group asks for; asked once.
fn asked<'a, 'v>(
    view: &'v View,
    (sites, known): (&Sites<'v>, &'a mut BTreeMap<(GroupRef, u64), Option<Asked<'v>>>),
    group: GroupRef,
    spec: u64,
) -> Option<&'a mut Asked<'v>> {
    let asked = known.entry((group, spec));
    asked.or_insert_with_key(|(group, spec)| ask(view, sites, group, *spec)).as_mut()
}

/// What one version of a group asks for, among instances of the job that stay: those that others follow are
/// on their way out.
fn ask<'v>(view: &'v View, sites: &Sites<'v>, group: &GroupRef, spec: u64) -> Option<Asked<'v>> {
    let (spec, of_version) = group_at(view, group, spec)?;
    let demand = Demand::new(spec, of_version);
    let leaving: BTreeSet<Key> = view.open.stray().filter(|key| !stays(view, key)).cloned().collect();
    let neighbours = Neighbours::of(view, &group.job(), sites, &leaving);
    let crowd = Crowd::new(&demand, &neighbours, sites);
    Some(Asked { demand, crowd, is_full: false })
}

/// Whether a placement that its slot wants at another version goes on under its name.
fn stays(view: &View, key: &Key) -> bool {
    let Some(placement) = view.placements.get(key) else { return false };
    let roster = roster_of(view, &GroupRef::of_placement(key, placement));
    let slot = roster.and_then(|(_, roster)| roster.slot_at(&placement.index));
    slot.is_some_and(|slot| {
        let made = (slot.version, slot.attempt);
        slot.state == SlotState::Run && made == (placement.version, placement.attempt)
    })
}
