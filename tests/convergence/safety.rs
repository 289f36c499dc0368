//! What holds in every state and between any two: the rules of placements, told independently of the
//! indexes that the controllers use.

use std::collections::{BTreeMap, BTreeSet};

use plan::View;
use schemas::deployment::DeploymentStatus;
use schemas::key::Key;
use schemas::node::Amount;
use schemas::placement::{Placement, Wish};

/// Everything that must hold in one state.
pub(crate) fn check(view: &View) -> Result<(), String> {
    rooms(view)?;
    places(view)?;
    rollouts(view)
}

/// What the agent of a node has not reported to have ended, straight from its documents.
fn is_gone(view: &View, key: &Key) -> bool {
    let name = format!("{}/{}", key.segment(2), key.segment(3));
    let reports = view.reports.under(&["reports", key.segment(1)]);
    let mut mine = reports.filter_map(|(_, row)| row.value.allocations.get(&name));
    mine.any(|report| report.state.is_terminal())
}

/// No node is over its room and no port has two owners, counted by what really runs.
fn rooms(view: &View) -> Result<(), String> {
    for (key, row) in view.fingerprints.iter() {
        let node = key.segment(1);
        let (mut used, mut ports) = (Amount::default(), BTreeSet::new());
        for (key, row) in view.placements.under(&["placements", node]) {
            if is_gone(view, key) {
                continue;
            }
            used = used.plus(row.value.claim);
            if let Some(port) = row.value.ports.iter().find(|port| !ports.insert(port.host_port)) {
                return Err(format!("port {} of {node} has two owners", port.host_port));
            }
        }
        if !used.fits_in(row.value.usable()) {
            return Err(format!("{node} is over its room: {used:?}"));
        }
    }
    Ok(())
}

/// No place of a group has two instances that are to run, and every stop has a reason.
fn places(view: &View) -> Result<(), String> {
    let mut taken: BTreeMap<(String, String, String), &Key> = BTreeMap::new();
    for (key, row) in view.placements.iter() {
        let Placement { job, group, index, wish, .. } = &row.value;
        match wish {
            Wish::Stop { reason, .. } if reason.is_empty() => {
                return Err(format!("{key} stops for no reason"));
            }
            Wish::Stop { .. } => continue,
            Wish::Run if is_gone(view, key) => continue,
            Wish::Run => {}
        }
        if let Some(other) = taken.insert((job.clone(), group.clone(), index.to_string()), key) {
            return Err(format!("{key} and {other} have the same place"));
        }
    }
    Ok(())
}

/// A job has at most one rollout under way.
fn rollouts(view: &View) -> Result<(), String> {
    let running = view.deployments.iter().filter(|(_, row)| row.value.status == DeploymentStatus::Running);
    let mut jobs = BTreeSet::new();
    for (key, _) in running {
        if !jobs.insert((key.segment(1), key.segment(2))) {
            return Err(format!("{key} is not the only rollout of its job"));
        }
    }
    Ok(())
}

/// What a placement never changes, and what is never born.
pub(crate) fn between(before: &View, after: &View) -> Result<(), String> {
    for (key, row) in after.placements.iter() {
        let Some(old) = before.placements.get(key) else {
            if before.is_unreadable(key) {
                continue; // It was born before.
            }
            let job = after.jobs.get(&Key::job(key.segment(2), &row.value.job));
            if job.is_none_or(|job| job.spec.stop || job.metadata.deletion_timestamp.is_some()) {
                return Err(format!("{key} was placed although its job is stopped"));
            }
            continue;
        };
        if *old == row.value {
            continue;
        }
        if old.wish != Wish::Run && row.value.wish == Wish::Run {
            return Err(format!("{key} was told to stop and now to run"));
        }
        if (&old.index, old.claim, &old.ports) != (&row.value.index, row.value.claim, &row.value.ports) {
            return Err(format!("{key} changed what never changes"));
        }
    }
    for (key, _) in before.placements.iter() {
        let is_kept = after.placements.get(key).is_some();
        let is_over =
            is_gone(before, key) || before.fingerprints.get(&Key::fingerprint(key.segment(1))).is_none();
        if !is_kept && !is_over {
            return Err(format!("{key} was forgotten while it may run"));
        }
    }
    Ok(())
}
