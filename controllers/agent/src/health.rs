//! Whether an allocation counts as healthy for its rollout.
//!
//! Healthy: every task that should run has run, and every check has passed, for `min_healthy_time`. Unhealthy: it
//! ended by itself first, or `healthy_deadline` has passed. Healthy is said once per job version and stays; what is
//! late may still come right, since the deadline also passes while the machine is off. What was good before a version
//! that changes nothing of it counts, so that an instance which serves does not look ill for a while.

use jiff::Timestamp;
use schemas::group::{HealthCheck, Update};
use schemas::service::OnUpdate;

use crate::lifecycle::Role;
use crate::local::{CheckStatus, Fact};
use crate::memory::{AllocationMemory, HealthMemory, Phase, Why};
use crate::restart::after;
use crate::scene::Scene;

/// Brings the verdict up to date; answers when it may change by itself.
pub(crate) fn judge(memory: &mut AllocationMemory, scene: &Scene<'_>) -> Option<Timestamp> {
    let update = scene.group.update.as_ref().filter(|update| update.health_check() != HealthCheck::Manual)?;
    let spec = scene.wanted.placement.spec;
    if memory.health.spec != spec || memory.health.from.is_none() {
        memory.health = HealthMemory { spec, from: Some(scene.now), healthy: known_before(scene, spec) };
    }
    if memory.health.healthy == Some(true) {
        return None;
    }
    let from = memory.health.from.unwrap_or(scene.now);
    let (verdict, wake) = verdict(memory, scene, update, from);
    memory.health.healthy = verdict;
    wake
}

/// The verdict that the store still knows if the memory does not.
fn known_before(scene: &Scene<'_>, spec: u64) -> Option<bool> {
    scene.reported.filter(|report| report.spec == spec).and_then(|report| report.healthy)
}

fn verdict(
    memory: &AllocationMemory,
    scene: &Scene<'_>,
    update: &Update,
    from: Timestamp,
) -> (Option<bool>, Option<Timestamp>) {
    if let Some(ending) = &memory.ending {
        return match ending.why {
            Why::Wished { .. } | Why::PortTaken { .. } | Why::EndedBefore => (memory.health.healthy, None),
            Why::TaskFailed { .. }
            | Why::LeaderEnded
            | Why::MainEnded
            | Why::RanTooLong
            | Why::DiskExceeded { .. } => (Some(false), None),
        };
    }
    let deadline = after(from, update.healthy_deadline().to_signed());
    let good_since = tasks_good_since(memory, scene).and_then(|tasks| {
        let checks = match update.health_check() {
            HealthCheck::Checks => checks_good_since(scene)?,
            HealthCheck::TaskStates | HealthCheck::Manual => Timestamp::MIN,
        };
        Some(tasks.max(checks))
    });
    let healthy_at = good_since.map(|since| after(since, update.min_healthy_time().to_signed()));
    match healthy_at {
        Some(at) if at <= scene.now => (Some(true), None),
        _ if deadline <= scene.now => (Some(false), healthy_at),
        Some(at) => (None, Some(at.min(deadline))),
        None => (None, Some(deadline)),
    }
}

/// Since when every task has been as it should be; nothing if one is not.
fn tasks_good_since(memory: &AllocationMemory, scene: &Scene<'_>) -> Option<Timestamp> {
    let mut good_since = Timestamp::MIN;
    for task in &scene.group.tasks {
        let own = memory.tasks.get(&task.name)?;
        let running_since = match scene.fact(&task.name) {
            Some(Fact::Running { since, .. }) => Some(*since),
            Some(Fact::Starting | Fact::Exited { .. } | Fact::Refused { .. }) | None => None,
        };
        let ended_well = match own.phase {
            Phase::Dead { failed: false, at, .. } => Some(at),
            Phase::Dead { failed: true, .. } | Phase::Waiting | Phase::Up | Phase::Delayed { .. } => None,
        };
        let since = match Role::of(task) {
            Role::Prestart => ended_well?,
            Role::Poststart => running_since.or(ended_well)?,
            Role::Main | Role::PrestartSidecar | Role::PoststartSidecar => running_since?,
            Role::Poststop => continue,
        };
        good_since = good_since.max(since);
    }
    Some(good_since)
}

/// Since when every check that counts has passed; nothing if one does not.
fn checks_good_since(scene: &Scene<'_>) -> Option<Timestamp> {
    let mut good_since = Timestamp::MIN;
    for (id, service, check) in scene.checks() {
        if check.on_update.unwrap_or(service.on_update) == OnUpdate::Ignore {
            continue;
        }
        let fact = scene.checks.and_then(|checks| checks.get(&id))?;
        if fact.status != CheckStatus::Passing {
            return None;
        }
        good_since = good_since.max(fact.since);
    }
    Some(good_since)
}
