//! In-place updates: an instance that its slot wants at another version goes on under its name, if that version's
//! rules let it be where it is.
//!
//! Rules about one node are asked of every instance. Rules about neighbours are asked here of those that are bound to
//! their node, of system jobs; numbered ones that stand too close are replaced by the deployment controller, in the
//! rollout's pace.

use std::collections::{BTreeMap, BTreeSet};

use fit::{Demand, Facts, Unfit, belongs};
use plan::View;
use plan::view::GroupRef;
use schemas::key::Key;
use schemas::placement::Placement;
use schemas::roster::{Index, Slot};

use crate::crowd::{Crowd, Neighbours};
use crate::decide::{Verdict, group_at};
use crate::site::Sites;

/// The instances that one plan updates where they are.
pub(crate) struct InPlace<'v> {
    view: &'v View,
    sites: Option<Sites<'v>>,
    /// By group and version: what it asks for, and who is there at it.
    asked: BTreeMap<(GroupRef, u64), Option<(Demand<'v>, Crowd)>>,
}

impl<'v> InPlace<'v> {
    pub(crate) fn of(view: &'v View) -> InPlace<'v> {
        InPlace { view, sites: None, asked: BTreeMap::new() }
    }

    /// The slot still means this allocation: it is done, or runs another version from now on.
    pub(crate) fn judge(&mut self, key: &Key, placement: &Placement, slot: &Slot) -> Verdict {
        if slot.spec == placement.spec {
            return Verdict::stop("nothing is to run in its place any more");
        }
        let node = key.segment(1);
        let Some(fingerprint) = self.view.fingerprints.get(&Key::fingerprint(node)) else {
            return Verdict::Leave;
        };
        let group = GroupRef::of_placement(key, placement);
        match self.stays(group, &placement.index, slot.spec, Facts { name: node, fingerprint }) {
            None => Verdict::Leave,
            Some(Ok(())) => Verdict::Update(slot.spec),
            Some(Err(unfit)) => {
                let reason = format!("the node does not fit v{}: {unfit}", slot.spec);
                Verdict::Stop { reason, unfit: true }
            }
        }
    }

    /// Whether a version lets an instance be where it is; nothing of a version that is not known.
    fn stays(
        &mut self,
        group: GroupRef,
        index: &Index,
        version: u64,
        facts: Facts,
    ) -> Option<Result<(), Unfit>> {
        let InPlace { view, sites, asked } = self;
        let sites = sites.get_or_insert_with(|| Sites::as_read(view));
        let asked = asked.entry((group, version));
        let asked = asked.or_insert_with_key(|(group, version)| ask(view, sites, group, *version));
        let (demand, crowd) = asked.as_mut()?;
        let Some(site) = sites.position(facts.name).filter(|_| matches!(index, Index::Node(_))) else {
            return Some(belongs(demand, facts));
        };
        let told = belongs(demand, facts).and_then(|()| crowd.admits(demand, site, facts));
        if told.is_ok() {
            crowd.add_on(demand, sites, site);
        }
        Some(told)
    }
}

/// What a version of a group asks for, beside the instances of its job that nothing changes for.
fn ask<'v>(view: &'v View, sites: &Sites<'v>, group: &GroupRef, version: u64) -> Option<(Demand<'v>, Crowd)> {
    let (spec, of_version) = group_at(view, group, version)?;
    let demand = Demand::new(spec, of_version);
    let changing: BTreeSet<Key> = view.open.stray().cloned().collect();
    let neighbours = Neighbours::of(view, &group.job(), sites, &changing);
    let crowd = Crowd::new(&demand, &neighbours, sites);
    Some((demand, crowd))
}
