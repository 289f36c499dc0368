//! How the rollout of a version goes, told in its deployment document.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plan::View;
use plan::view::JobRef;
use schemas::deployment::{Deployment, DeploymentStatus, GroupProgress};
use schemas::group::Group;
use schemas::key::Key;
use schemas::roster::{Index, Roster, Slot, SlotState};

use crate::fate::{Fate, Fates};
use crate::revert::leads_elsewhere;
use crate::target::Target;

/// What the deployment documents should say, and when to look again.
pub(crate) struct Verdict {
    pub(crate) deployments: Vec<(u64, Deployment)>,
    pub(crate) wake_at: Option<Timestamp>,
}

/// Judges the rollout of the job's version and ends those of earlier ones.
pub(crate) fn judge(
    view: &View,
    job: &JobRef,
    target: &Target<'_>,
    (rosters, known): (&BTreeMap<String, Roster>, Option<&Deployment>),
    now: Timestamp,
) -> Verdict {
    let mut deployments = superseded(view, job, target.version, now);
    let is_over = known.is_some_and(|known| known.status.is_terminal());
    if is_over || target.spec.job_type.is_batch() || (target.is_stopped && known.is_none()) {
        return Verdict { deployments, wake_at: None };
    }
    let new = Deployment { created_at: Some(now), updated_at: Some(now), ..Deployment::default() };
    let mut deployment = known.cloned().unwrap_or(new);
    for group in target.groups() {
        let fates = Fates::of(view, job, &group.name);
        let roster = rosters.get(&group.name);
        let before = deployment.groups.get(&group.name);
        let mut progress = progress(target.version, roster, &fates);
        progress.progress_by = progress_by(&progress, group, before, now);
        deployment.groups.insert(group.name.clone(), progress);
    }
    let stable = latest_stable(view, job, target);
    let Outcome { status, description, reverted_to } = outcome(target, &deployment, rosters, stable, now);
    if status != deployment.status {
        deployment.updated_at = Some(now);
    }
    deployment = Deployment { status, description, reverted_to, ..deployment };
    let unfinished = deployment.groups.values().filter(|group| group.healthy < group.desired);
    let deadlines = unfinished.filter_map(|group| group.progress_by).filter(|by| *by > now);
    let wake_at = deadlines.min().filter(|_| !status.is_terminal());
    deployments.push((target.version, deployment));
    Verdict { deployments, wake_at }
}

/// Rollouts of earlier versions that are still under way end here.
fn superseded(view: &View, job: &JobRef, version: u64, now: Timestamp) -> Vec<(u64, Deployment)> {
    let of_job = ["deployments", &job.namespace, &job.job];
    let readable = view.deployments.under(&of_job).map(|(key, stored)| (key, stored.value.clone()));
    // How one ended that cannot be read is not known; that it is over is.
    let unreadable = view.unreadable.under(&of_job).map(|(key, _)| (key, Deployment::default()));
    readable
        .chain(unreadable)
        .filter(|(_, deployment)| !deployment.status.is_terminal())
        .filter_map(|(key, deployment)| Some((key.segment(3).parse::<u64>().ok()?, deployment)))
        .filter(|(earlier, _)| *earlier < version)
        .map(|(earlier, deployment)| {
            let cancelled = Deployment {
                status: DeploymentStatus::Cancelled,
                description: format!("version {version} took over"),
                updated_at: Some(now),
                ..deployment
            };
            (earlier, cancelled)
        })
        .collect()
}

/// How far a group is at the version that is rolled out, deadline aside.
fn progress(version: u64, roster: Option<&Roster>, fates: &Fates<'_>) -> GroupProgress {
    let mut progress = GroupProgress::default();
    for (index, slot) in slots(roster, fates) {
        progress.desired += 1;
        if slot.spec != version {
            continue;
        }
        match (&slot.state, fates.fate(&index, &slot)) {
            (SlotState::Wait { .. } | SlotState::Failed, _) | (_, Fate::Failed { .. }) => {
                progress.unhealthy += 1;
            }
            (_, Fate::Placed { is_healthy }) => {
                progress.placed += 1;
                match is_healthy {
                    Some(true) => progress.healthy += 1,
                    Some(false) => progress.unhealthy += 1,
                    None => {}
                }
            }
            (
                _,
                Fate::Unplaced | Fate::Unfit | Fate::Complete | Fate::PortTaken | Fate::Lost | Fate::Evicted,
            ) => {}
        }
    }
    progress
}

/// Until when the next instance must be healthy. The clock starts with the first one that has a node: as long as none
/// has one there is nothing that could be slow, and the rollout waits for room.
fn progress_by(
    progress: &GroupProgress,
    group: &Group,
    before: Option<&GroupProgress>,
    now: Timestamp,
) -> Option<Timestamp> {
    let deadline = group.update.unwrap_or_default().progress_deadline();
    let has_progressed = before.is_some_and(|before| progress.healthy > before.healthy);
    let has_begun = progress.placed + progress.unhealthy > 0;
    match before.and_then(|before| before.progress_by) {
        Some(by) if !has_progressed => Some(by),
        Some(_) | None if !has_begun || deadline.is_zero() => None,
        Some(_) | None => now.saturating_add(deadline.to_signed()).ok(),
    }
}

/// The places of a group: its numbers, or the nodes that have an instance.
fn slots(roster: Option<&Roster>, fates: &Fates<'_>) -> Vec<(Index, Slot)> {
    let Some(roster) = roster else { return Vec::new() };
    match &roster.every_node {
        None => roster.numbered().map(|(number, slot)| (Index::Number(number), slot.clone())).collect(),
        Some(every) => {
            let nodes: BTreeSet<&str> = fates.nodes().collect();
            let slot = |node: &str| every.nodes.get(node).unwrap_or(&every.default).clone();
            nodes.into_iter().map(|node| (Index::Node(node.to_owned()), slot(node))).collect()
        }
    }
}

/// Whether a rollout is done, lost, or under way.
struct Outcome {
    status: DeploymentStatus,
    /// Why, for people.
    description: String,
    /// The version to go back to.
    reverted_to: Option<u64>,
}

fn outcome(
    target: &Target<'_>,
    deployment: &Deployment,
    rosters: &BTreeMap<String, Roster>,
    stable: Stable,
    now: Timestamp,
) -> Outcome {
    let is = |status, description: &str| Outcome {
        status,
        description: description.to_owned(),
        reverted_to: None,
    };
    if target.is_stopped {
        return is(DeploymentStatus::Cancelled, "the job was stopped");
    }
    let is_unfinished = |group: &Group| {
        deployment.groups.get(&group.name).is_some_and(|progress| {
            // That no node has an instance of a per-node group yet is no end, as long as one may get it.
            progress.healthy < progress.desired || (progress.desired == 0 && target.awaits_a_node(group))
        }) || rosters.get(&group.name).is_some_and(|roster| !is_all_new(roster, target.version))
    };
    if !target.groups().any(is_unfinished) {
        let is_empty = deployment.groups.values().all(|group| group.desired == 0);
        let is_per_node = target.spec.job_type.is_per_node();
        let is_wanted = target.groups().any(|group| group.count() > 0);
        return is(
            DeploymentStatus::Successful,
            match (is_empty, is_per_node && is_wanted) {
                (false, _) => "every instance is healthy",
                (true, false) => "no instance is wanted",
                (true, true) => "no node fits; those that will get the instance as they join",
            },
        );
    }
    let Some((group, why)) =
        target.groups().find_map(|group| Some((group, lost(deployment, group, rosters, now)?)))
    else {
        return is(DeploymentStatus::Running, "");
    };
    let why = format!("group {:?}: {why}", group.name);
    if !group.update.is_some_and(|update| update.auto_revert()) {
        return is(DeploymentStatus::Failed, &why);
    }
    let (reverted_to, next) = match stable {
        Stable::None => (None, "no earlier version worked".to_owned()),
        Stable::Same(number) => (None, format!("version {number}, which worked last, is the same")),
        Stable::At(number) => (Some(number), format!("going back to version {number}")),
    };
    Outcome { reverted_to, ..is(DeploymentStatus::Failed, &format!("{why}; {next}")) }
}

/// Why a group's part of the rollout is lost, if it is.
fn lost(
    deployment: &Deployment,
    group: &Group,
    rosters: &BTreeMap<String, Roster>,
    now: Timestamp,
) -> Option<String> {
    let progress = deployment.groups.get(&group.name)?;
    let is_given_up = rosters.get(&group.name).is_some_and(|roster| {
        roster.numbered().any(|(_, slot)| slot.state == SlotState::Failed && slot.spec == slot.version)
    });
    let deadline = group.update.unwrap_or_default().progress_deadline();
    if deadline.is_zero() && progress.unhealthy > 0 {
        return Some("an instance is unhealthy".to_owned());
    }
    if is_given_up && progress.unhealthy > 0 {
        return Some("an instance failed and may not be started again".to_owned());
    }
    let is_late = progress.healthy < progress.desired && progress.progress_by.is_some_and(|by| by <= now);
    is_late.then(|| format!("no further instance became healthy within {deadline}"))
}

fn is_all_new(roster: &Roster, version: u64) -> bool {
    let every = roster.every_node.iter().flat_map(|every| every.nodes.values().chain([&every.default]));
    roster.slots.iter().map(|run| &run.slot).chain(every).all(|slot| slot.spec == version)
}

/// Whether a rollout had no instance: it succeeded and proved nothing.
fn is_unproved(rollout: &Deployment) -> bool {
    !rollout.groups.is_empty() && rollout.groups.values().all(|group| group.desired == 0)
}

/// The latest earlier version that worked.
#[derive(Clone, Copy)]
enum Stable {
    /// There is none, or it is forgotten.
    None,
    /// It wants just what failed.
    Same(u64),
    /// It wants something else.
    At(u64),
}

/// The latest earlier version whose rollout succeeded, with at least one instance, and that is still known.
fn latest_stable(view: &View, job: &JobRef, target: &Target<'_>) -> Stable {
    let version = |number: u64| view.versions.get(&Key::version(&job.namespace, &job.job, number));
    let latest = view
        .deployments
        .under(&["deployments", &job.namespace, &job.job])
        .filter(|(_, stored)| {
            stored.value.status == DeploymentStatus::Successful && !is_unproved(&stored.value)
        })
        .filter_map(|(key, _)| key.segment(3).parse::<u64>().ok())
        .filter(|number| *number < target.version)
        .filter_map(|number| Some((number, version(number)?)))
        .max_by_key(|(number, _)| *number);
    match latest {
        None => Stable::None,
        Some((number, version)) if leads_elsewhere(version, target.spec) => Stable::At(number),
        Some((number, _)) => Stable::Same(number),
    }
}
