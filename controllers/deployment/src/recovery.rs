//! Recovery of documents of this controller that cannot be read or were lost: rosters from placements, rollouts from
//! rosters.
//!
//! What is derived agrees with what exists: no instance is named, stopped or started otherwise than it would have been.
//! Where the placements do not tell enough (which instances of a batch job are complete) nothing is derived, until
//! people apply the job again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use plan::view::JobRef;
use plan::{View, Write};
use schemas::deployment::{Deployment, DeploymentStatus};
use schemas::group::Group;
use schemas::job::{Job, Version};
use schemas::key::{Key, Revision};
use schemas::placement::Wish;
use schemas::roster::{EveryNode, Index, Roster, Slot, readings_of_name};

use crate::counted::first;
use crate::rollout::Verdict;
use crate::target::Target;

/// The rollout of a version. One that cannot be read is derived: an instance that was made for the version and runs an
/// earlier one shows that the rollout failed and is being reverted; else it is under way.
pub(crate) fn rollout<'a>(view: &'a View, job: &JobRef, version: u64) -> Option<Cow<'a, Deployment>> {
    let key = Key::deployment(&job.namespace, &job.job, version);
    if !view.is_unreadable(&key) {
        return view.deployments.get(&key).map(Cow::Borrowed);
    }
    let reverted_to = earlier_specs(view, job, version).max();
    let status = if reverted_to.is_some() { DeploymentStatus::Failed } else { DeploymentStatus::Running };
    let description = "its document could not be read and was derived from the instances".to_owned();
    Some(Cow::Owned(Deployment { status, description, reverted_to, ..Deployment::default() }))
}

/// The write of a rollout that cannot be read and is not judged any more: it ended, or such a job has none.
pub(crate) fn unjudged(
    view: &View,
    job: &JobRef,
    (target, verdict): (&Target<'_>, &Verdict),
    derived: Option<&Deployment>,
    now: Timestamp,
) -> Vec<Write> {
    let key = Key::deployment(&job.namespace, &job.job, target.version);
    let is_judged = verdict.deployments.iter().any(|(version, _)| *version == target.version);
    if is_judged || !view.is_unreadable(&key) {
        return Vec::new();
    }
    let ended = derived.filter(|derived| derived.status.is_terminal() && !target.spec.job_type.is_batch());
    let write = match ended {
        Some(ended) => Write::put(key, &Deployment { updated_at: Some(now), ..ended.clone() }),
        None => Write::Delete { key },
    };
    vec![write]
}

/// The write of the job's current version, if that cannot be read: it says what the job says.
pub(crate) fn version(view: &View, job: &JobRef, document: &Job, now: Timestamp) -> Option<Write> {
    let key = Key::version(&job.namespace, &job.job, document.version);
    view.is_unreadable(&key).then(|| {
        let (number, spec) = (document.version, document.spec.clone());
        Write::put(key, &Version { number, spec, created_at: Some(now), ..Version::default() })
    })
}

/// The earlier versions that instances run which were made for this one.
fn earlier_specs<'a>(view: &'a View, job: &'a JobRef, version: u64) -> impl Iterator<Item = u64> + use<'a> {
    let rosters = view.rosters.under(&["rosters", &job.namespace, &job.job]);
    let slots = rosters.flat_map(|(_, stored)| {
        let every = stored.value.every_node.iter();
        let nodes = every.flat_map(|every| every.nodes.values().chain([&every.default]));
        stored.value.slots.iter().map(|run| &run.slot).chain(nodes)
    });
    let slots = slots.map(|slot| (slot.version, slot.spec));
    let placements = view.indexes.placements_of_job(job).filter_map(|key| view.placements.get(key));
    let running = placements.filter(|placement| placement.wish == Wish::Run);
    let all = slots.chain(running.map(|placement| (placement.version, placement.spec)));
    all.filter(move |(made, spec)| *made == version && *spec < version).map(|(_, spec)| spec)
}

/// The roster of a group: as it is, or derived if it cannot be read, or is missing beside instances that are to run:
/// absence is no wish to stop them. The error says why that is not possible.
pub(crate) fn roster<'a>(
    view: &'a View,
    job: &JobRef,
    target: &Target<'_>,
    group: &Group,
) -> Result<Option<Cow<'a, Roster>>, String> {
    let key = Key::roster(&job.namespace, &job.job, &group.name);
    let unreadable = view.unreadable.counters(&key).map(|counters| counters.modified);
    let Some(since) = unreadable.or_else(|| lost_since(view, job, group)) else {
        return Ok(view.rosters.get(&key).map(Cow::Borrowed));
    };
    if target.is_stopped || group.count() == 0 {
        return Ok(None);
    }
    let slots = placed(view, job, group)?;
    let is_per_node = target.spec.job_type.is_per_node();
    let applied = view.counters(&Key::job(&job.namespace, &job.job)).map(|counters| counters.modified);
    let is_whole = !is_per_node && (0..group.count()).all(|index| slots.contains_key(&Index::Number(index)));
    if target.spec.job_type.is_batch() && !is_whole && applied < Some(since) {
        return Err(
            "which of its instances are complete is not known; apply the job again to run it anew".into()
        );
    }
    let roster = if is_per_node {
        let nodes = slots.into_iter().filter_map(|(index, slot)| match index {
            Index::Node(node) => Some((node, slot)),
            Index::Number(_) => None,
        });
        Roster {
            slots: Vec::new(),
            every_node: Some(EveryNode { default: first(target), nodes: nodes.collect() }),
        }
    } else {
        Roster::of_numbered(slots.into_iter().filter_map(|(index, slot)| match index {
            Index::Number(number) => Some((number, slot)),
            Index::Node(_) => None,
        }))
    };
    Ok(Some(Cow::Owned(roster)))
}

/// When the roster was there for certain, if it is missing although instances of the group are to run.
fn lost_since(view: &View, job: &JobRef, group: &Group) -> Option<Revision> {
    let key = Key::roster(&job.namespace, &job.job, &group.name);
    if view.rosters.get(&key).is_some() {
        return None;
    }
    let placed = job.group(&group.name);
    let placements = view.indexes.placements_of_group(&placed).filter_map(|key| view.placements.stored(key));
    placements.filter(|row| row.value.wish == Wish::Run).map(|row| row.modified).max()
}

/// The latest instance of each place, as placements tell.
fn placed(view: &View, job: &JobRef, group: &Group) -> Result<BTreeMap<Index, Slot>, String> {
    let mut slots: BTreeMap<Index, Slot> = BTreeMap::new();
    let mut add = |index: Index, slot: Slot| {
        let made = (slot.version, slot.attempt);
        if slots.get(&index).is_none_or(|known| (known.version, known.attempt) < made) {
            slots.insert(index, slot);
        }
    };
    let of_group = job.group(&group.name);
    let keys = view.indexes.placements_of_group(&of_group);
    for placement in keys.filter_map(|key| view.placements.get(key)) {
        let slot = Slot { spec: placement.spec, attempt: placement.attempt, ..Slot::new(placement.version) };
        add(placement.index.clone(), slot);
    }
    let unreadable = view.unreadable.under(&["placements"]).map(|(key, _)| key);
    for key in unreadable.filter(|key| key.segment(2) == job.namespace) {
        let readings = readings_of_name(key.segment(3));
        for named in readings.iter().filter(|named| named.job == job.job && named.group == group.name) {
            // What it runs is said by its name alone; a normal update brings it from there to what it should run.
            if view.versions.get(&Key::version(&job.namespace, &job.job, named.version)).is_none() {
                return Err(format!("what {} runs is not known", key.segment(3)));
            }
            add(named.index.clone(), Slot { attempt: named.attempt, ..Slot::new(named.version) });
        }
    }
    Ok(slots)
}
