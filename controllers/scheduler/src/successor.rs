//! Whether what shall take the place of a running instance would find room.
//!
//! A running instance is not stopped for one that fits nowhere: it goes on serving until there is room, which
//! the rollout shows as an instance that waits. What the old one gives back counts as room on its own node.

use std::collections::{BTreeMap, BTreeSet};

use plan::View;
use plan::view::{GroupRef, JobRef};
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::Placement;
use schemas::roster::{Index, Slot, SlotState, allocation_name};

use crate::crowd::{Crowd, Neighbours};
use crate::decide::group_at;
use crate::demand::Demand;
use crate::explain::judge;
use crate::feasible::may_take;
use crate::site::Sites;

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
    asked: BTreeMap<(GroupRef, u64), Option<Asked<'v>>>,
}

struct Asked<'v> {
    demand: Demand<'v>,
    crowd: Crowd,
}

impl<'v> Successors<'v> {
    pub(crate) fn of(view: &'v View) -> Successors<'v> {
        Successors { view, sites: Sites::of(view), asked: BTreeMap::new() }
    }

    /// What becomes of a placement whose slot means another allocation now.
    pub(crate) fn judge(&mut self, key: &Key, placement: &Placement, slot: &Slot) -> Succession {
        let group = GroupRef {
            namespace: key.segment(2).to_owned(),
            job: placement.job.clone(),
            group: placement.group.clone(),
        };
        let node = key.segment(1);
        let health = self.view.health.get(&Key::health(node)).map(|health| health.state);
        let name = allocation_name(&group.job, &group.group, &placement.index, slot.version, slot.attempt);
        let is_placed = self.view.indexes.placements_of_allocation(&group.namespace, &name).next().is_some();
        if slot.state != SlotState::Run || is_placed {
            return Succession::Stop;
        }
        let (view, sites) = (self.view, &self.sites);
        let asked = self
            .asked
            .entry((group, slot.spec))
            .or_insert_with_key(|(group, spec)| ask(view, sites, group, *spec));
        // Of a version that is forgotten nothing is known; nothing is kept for its sake.
        let Some(Asked { demand, crowd }) = asked else { return Succession::Stop };
        let Some(own) = self.sites.position(node) else { return Succession::Stop };
        let is_bound = matches!(placement.index, Index::Node(_));
        if is_bound && may_take(demand, &self.sites.0[own]).is_err() {
            return Succession::Unfit;
        }
        // What runs on a node that is not heard serves nobody for certain.
        if health != Some(NodeState::Ready) {
            return Succession::Stop;
        }
        self.sites.0[own].release(placement);
        let others = if is_bound { 0..0 } else { 0..self.sites.0.len() };
        let fitting = std::iter::once(own)
            .chain(others)
            .find(|site| judge(demand, crowd, &self.sites.0[*site], *site).is_ok());
        let Some(site) = fitting else {
            self.sites.0[own].take_back(placement);
            return Succession::Hold;
        };
        self.sites.0[site].take(demand, &name);
        Succession::Stop
    }
}

/// What one version of a group asks for, among instances of the job that stay: those that others follow are
/// on their way out.
fn ask<'v>(view: &'v View, sites: &Sites<'v>, group: &GroupRef, spec: u64) -> Option<Asked<'v>> {
    let (spec, of_version) = group_at(view, group, spec)?;
    let demand = Demand::new(spec, of_version);
    let job = JobRef { namespace: group.namespace.clone(), job: group.job.clone() };
    let leaving: BTreeSet<Key> = view.open.stray().cloned().collect();
    let neighbours = Neighbours::of(view, &job, sites, &leaving);
    let crowd = Crowd::new(&demand, &neighbours, sites);
    Some(Asked { demand, crowd })
}
