//! Recovery of placements that cannot be read: each is written anew by what its key and the roster say.
//!
//! The key names node, namespace and allocation. If the slot wants exactly this allocation it is to run, with its claim
//! reckoned anew; if no slot does it is told to stop, so that its agent has a readable later word. As long as the
//! roster or the version it needs cannot be read either, it waits for them. Its room is taken from the start.

use std::collections::{BTreeMap, BTreeSet};

use fit::Demand;
use jiff::Timestamp;
use plan::view::{GroupRef, JobRef};
use plan::{Draft, View, Write};
use schemas::key::Key;
use schemas::placement::{Placement, Wish};
use schemas::roster::{Index, Named, Slot, SlotState, readings_of_name};

use crate::decide::{group_at, roster_of};
use crate::site::{Claim, Sites};

/// What a placement that cannot be read must have been.
struct Recovered {
    group: GroupRef,
    index: Index,
    version: u64,
    attempt: u32,
    spec: u64,
    wish: Wish,
}

/// Writes them anew. The jobs they belong to.
pub(crate) fn mend(view: &View, draft: &mut Draft, now: Timestamp) -> BTreeSet<JobRef> {
    let mut jobs = BTreeSet::new();
    if unreadable(view).next().is_none() {
        return jobs;
    }
    let claims = claims(view, &mut Sites::as_read(view));
    for key in unreadable(view) {
        let Some(recovered) = recover(view, key) else { continue };
        let Recovered { group, index, version, attempt, spec, wish } = recovered;
        let Claim { amount, cores, ports } = claims.get(key).cloned().unwrap_or_default();
        let placement = Placement {
            job: group.job.clone(),
            group: group.group.clone(),
            index,
            version,
            attempt,
            spec,
            wish,
            claim: amount,
            cores,
            ports,
            adopts: None,
            placed_at: now,
        };
        let roster = Key::roster(&group.namespace, &group.job, &group.group);
        draft.add(&[roster], [Write::put(key.clone(), &placement)]);
        jobs.insert(group.job());
    }
    jobs
}

/// What they take of their nodes, as far as it can be told.
pub(crate) fn claims<'v>(view: &'v View, sites: &mut Sites<'v>) -> BTreeMap<&'v Key, Claim> {
    let mut claims = BTreeMap::new();
    for key in unreadable(view) {
        let Some(site) = sites.position(key.segment(1)) else { continue };
        let site = &mut sites.0[site];
        let Some((spec, group)) = asked(view, key) else { continue };
        let claim = site.take_anyway(&Demand::new(spec, group), key.segment(3));
        if view.indexes.is_gone(key) {
            site.give_back(&claim);
        }
        claims.insert(key, claim);
    }
    claims
}

fn unreadable(view: &View) -> impl Iterator<Item = &Key> {
    view.unreadable.under(&["placements"]).map(|(key, _)| key)
}

fn group_of(key: &Key, named: &Named<'_>) -> GroupRef {
    JobRef { namespace: key.segment(2).to_owned(), job: named.job.to_owned() }.group(named.group)
}

/// What the instance asks for: at the version its slot runs, else at the one in its name.
fn asked<'v>(view: &'v View, key: &Key) -> Option<(&'v schemas::job::JobSpec, &'v schemas::group::Group)> {
    readings_of_name(key.segment(3)).iter().find_map(|named| {
        let group = group_of(key, named);
        let spec = slot(view, key, named).map_or(named.version, |slot| slot.spec);
        group_at(view, &group, spec)
    })
}

/// The slot that means exactly this allocation on this node.
fn slot<'v>(view: &'v View, key: &Key, named: &Named<'_>) -> Option<&'v Slot> {
    let (_, roster) = roster_of(view, &group_of(key, named))?;
    let is_here = match &named.index {
        Index::Number(_) => true,
        Index::Node(node) => node == key.segment(1),
    };
    let made = (named.version, named.attempt);
    roster.slot_at(&named.index).filter(|slot| is_here && (slot.version, slot.attempt) == made)
}

/// What it must have been; nothing as long as that cannot be told.
fn recover(view: &View, key: &Key) -> Option<Recovered> {
    let readings = readings_of_name(key.segment(3));
    let of = |named: &Named<'_>, spec: u64, wish: Wish| Recovered {
        group: group_of(key, named),
        index: named.index.clone(),
        version: named.version,
        attempt: named.attempt,
        spec,
        wish,
    };
    let is_unreadable = |key: Key| view.is_unreadable(&key);
    let namespace = key.segment(2);
    let meant = readings.iter().find_map(|named| Some((named, slot(view, key, named)?)));
    if let Some((named, slot)) = meant {
        if is_unreadable(Key::version(namespace, named.job, slot.spec)) {
            return None;
        }
        // One that has ended is left as it was: it tells how.
        let is_meant = slot.state == SlotState::Run || view.indexes.is_gone(key);
        if is_meant && !is_elsewhere(view, key) {
            return Some(of(named, slot.spec, Wish::Run));
        }
    }
    let is_open = |named: &Named<'_>| {
        let roster = Key::roster(namespace, named.job, named.group);
        let is_without_word =
            view.rosters.get(&roster).is_none() && is_unreadable(Key::job(namespace, named.job));
        is_without_word || is_unreadable(roster)
    };
    if readings.iter().any(is_open) {
        return None;
    }
    // Of several readings the one whose job is known: it shows whose instance stops.
    let is_known = |named: &&Named<'_>| view.jobs.get(&Key::job(namespace, named.job)).is_some();
    let named = readings.iter().find(is_known).or(readings.first())?;
    let reason = "its placement could not be read, and no slot wants it".to_owned();
    Some(of(named, named.version, Wish::Stop { reason, unfit: false }))
}

/// Whether the same allocation is to run on another node as well.
fn is_elsewhere(view: &View, key: &Key) -> bool {
    let mut others = view.indexes.placements_of_allocation(key.segment(2), key.segment(3));
    others.any(|other| view.placements.get(other).is_some_and(|placement| placement.wish == Wish::Run))
}
