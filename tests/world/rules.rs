//! The rules that one revision of the store keeps or breaks by itself.

use std::collections::{BTreeMap, BTreeSet};

use plan::View;
use plan::view::Table;
use schemas::deployment::DeploymentStatus;
use schemas::group::Group;
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::{Placement, Wish};
use schemas::placement_rules::Operator;
use schemas::roster::SlotState;

/// Everything that is wrong in the store.
pub(crate) fn broken(view: &View) -> Vec<String> {
    let mut found = doubled(view);
    found.extend(promises(view));
    found.extend(references(view));
    found.extend(crowded(view));
    found.extend(rollouts(view));
    found.extend(reverts(view));
    found
}

/// What nobody can read, but for what the story itself wrote over.
pub(crate) fn unreadable(view: &View, vandalised: &BTreeSet<Key>) -> Vec<String> {
    let found = view.unreadable.iter().filter(|(key, _)| !vandalised.contains(*key));
    found.map(|(key, row)| format!("unreadable {key}: {}", row.value)).collect()
}

/// I3: each place of a group has at most one placement that is wanted and has not ended.
fn doubled(view: &View) -> Vec<String> {
    let mut live: BTreeMap<(String, String, String, String), Vec<&Key>> = BTreeMap::new();
    for (key, placement) in wanted(view) {
        let namespace = key.segment(2).to_owned();
        let place = (namespace, placement.job.clone(), placement.group.clone(), placement.index.to_string());
        live.entry(place).or_default().push(key);
    }
    let doubled = live.into_iter().filter(|(_, keys)| keys.len() > 1);
    doubled.map(|(place, keys)| format!("I3: {place:?} is wanted more than once: {keys:?}")).collect()
}

/// I4 and I5: nothing is promised twice on a node.
fn promises(view: &View) -> Vec<String> {
    let mut breaches = Vec::new();
    for (key, fingerprint) in view.fingerprints.iter() {
        let node = key.segment(1);
        let usage = view.indexes.usage(node);
        if !usage.amount.fits_in(fingerprint.value.usable()) {
            breaches.push(format!("I4: {node} has promised {:?}", usage.amount));
        }
        let doubled: Vec<&u16> = usage.ports.iter().filter(|(_, n)| **n > 1).map(|(port, _)| port).collect();
        if !doubled.is_empty() {
            breaches.push(format!("I5: ports {doubled:?} of {node} are promised twice"));
        }
    }
    breaches
}

/// I20: what is placed is some version of some job.
fn references(view: &View) -> Vec<String> {
    let missing = wanted(view).filter(|(key, placement)| {
        let version = Key::version(key.segment(2), &placement.job, placement.spec);
        view.versions.get(&version).is_none() && !view.is_unreadable(&version)
    });
    missing
        .map(|(key, placement)| format!("I20: {key} runs version {}, which is unknown", placement.spec))
        .collect()
}

/// I6: no two instances whose versions both forbid it share a node.
fn crowded(view: &View) -> Vec<String> {
    let mut hosts: BTreeMap<(&str, &str, &str), Vec<&Key>> = BTreeMap::new();
    for (key, placement) in wanted(view) {
        let version = view.versions.get(&Key::version(key.segment(2), &placement.job, placement.spec));
        let group = version.and_then(|version| version.spec.group(&placement.group));
        if group.is_some_and(has_own_hosts) {
            hosts.entry((key.segment(1), &placement.job, &placement.group)).or_default().push(key);
        }
    }
    let crowded = hosts.into_iter().filter(|(_, keys)| keys.len() > 1);
    crowded.map(|(_, keys)| format!("I6: {keys:?} share a node, which their group forbids")).collect()
}

/// Whether each instance of a group has a node for itself.
pub(crate) fn has_own_hosts(group: &Group) -> bool {
    group.constraints.iter().any(|rule| rule.operator == Operator::DistinctHosts)
}

/// I11: a job has one rollout under way at most.
fn rollouts(view: &View) -> Vec<String> {
    let mut active: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (key, rollout) in view.deployments.iter() {
        if !rollout.value.status.is_terminal() {
            *active.entry((key.segment(1), key.segment(2))).or_default() += 1;
        }
    }
    let doubled = active.into_iter().filter(|(_, count)| *count > 1);
    doubled.map(|(job, count)| format!("I11: {job:?} has {count} rollouts under way")).collect()
}

/// I13: what is gone back to worked, is repeated as it was, and follows right after the one that failed; what repeats
/// it and fails too is not gone back from to the same.
fn reverts(view: &View) -> Vec<String> {
    let mut found = Vec::new();
    for (key, stored) in view.versions.iter() {
        let Some(revert) = &stored.value.revert else { continue };
        let (namespace, job) = (key.segment(1), key.segment(2));
        let status = |number: u64| {
            let rollout = view.deployments.get(&Key::deployment(namespace, job, number));
            rollout.map(|rollout| rollout.status)
        };
        let of = |number: u64| view.versions.get(&Key::version(namespace, job, number));
        let is_kept = of(revert.to).is_none_or(|earlier| earlier.spec == stored.value.spec);
        let is_other = of(revert.from).is_none_or(|left| left.spec != stored.value.spec);
        let rules = [
            (is_kept, "is not what it repeats"),
            (is_other, "changes nothing"),
            (revert.from + 1 == stored.value.number, "does not follow what failed"),
            (
                status(revert.from).is_none_or(|status| status == DeploymentStatus::Failed),
                "left what had not failed",
            ),
            (
                status(revert.to).is_none_or(|status| status == DeploymentStatus::Successful),
                "repeats what never worked",
            ),
        ];
        let broken = rules.into_iter().filter(|(is_right, _)| !is_right);
        found.extend(broken.map(|(_, what)| format!("I13: {key} {what}")));
    }
    found
}

/// I1 and I6: a placement is made for a slot that exists, of a job that runs, on a node that takes work.
pub(crate) fn unfounded(view: &View, key: &Key) -> Vec<String> {
    let Some(placement) = view.placements.get(key) else { return Vec::new() };
    let (node, namespace) = (key.segment(1), key.segment(2));
    let job = view.jobs.get(&Key::job(namespace, &placement.job));
    let roster = view.rosters.get(&Key::roster(namespace, &placement.job, &placement.group));
    let slot = roster.and_then(|roster| roster.slot_at(&placement.index));
    let has_slot = slot.is_some_and(|slot| {
        slot.state == SlotState::Run && (slot.version, slot.attempt) == (placement.version, placement.attempt)
    });
    let is_ready = view.health.get(&Key::health(node)).is_some_and(|health| health.state == NodeState::Ready);
    let is_open = view.nodes.get(&Key::node(node)).is_none_or(|node| node.spec.eligible);
    let rules = [
        (job.is_some(), "I1", "is of no job"),
        (has_slot, "I1", "was made for no slot"),
        (is_ready, "I6", "was made on a node that is not ready"),
        (is_open, "I6", "was made on a node that takes no work"),
    ];
    let broken = rules.into_iter().filter(|(is_kept, ..)| !is_kept);
    broken.map(|(_, rule, what)| format!("{rule}: {key} {what}")).collect()
}

/// What should run and has not ended.
fn wanted(view: &View) -> impl Iterator<Item = (&Key, &Placement)> {
    let placements = view.placements.iter().map(|(key, stored)| (key, &stored.value));
    placements.filter(|(key, placement)| placement.wish == Wish::Run && !view.indexes.is_gone(key))
}

/// I19: where a picture of the store differs from the store; beats and leaders, who go on all the time, left out.
pub(crate) fn differences(truth: &View, picture: &View) -> Vec<String> {
    let at = |view: &View, key: &Key| view.counters(key).map(|counters| counters.modified);
    let all = &keys(truth) | &keys(picture);
    let different = all.into_iter().filter(|key| at(truth, key) != at(picture, key));
    let mut found: Vec<String> = different
        .map(|key| format!("knows {key} as of {:?}, not {:?}", at(picture, &key), at(truth, &key)))
        .collect();
    let (folded, anew) = (format!("{:?}", picture.indexes), format!("{:?}", truth.indexes));
    if found.is_empty() && folded != anew {
        found.push(format!("has folded {folded}, not {anew}"));
    }
    found
}

fn keys(view: &View) -> BTreeSet<Key> {
    fn of<T>(table: &Table<T>) -> Vec<Key> {
        table.iter().map(|(key, _)| key.clone()).collect()
    }
    let wishes =
        [of(&view.jobs), of(&view.versions), of(&view.rosters), of(&view.deployments), of(&view.nodes)];
    let reality = [of(&view.placements), of(&view.reports), of(&view.details)];
    let machines = [of(&view.fingerprints), of(&view.links), of(&view.health)];
    wishes.into_iter().chain(reality).chain(machines).flatten().collect()
}
