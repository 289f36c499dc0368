//! What the cluster and people are told about an allocation.

use std::collections::BTreeMap;

use schemas::agent_documents::{SENTENCE_BYTES, cut};
use schemas::report::{AllocationReport, CheckDetails, ClientState, Details, TaskDetails};
use schemas::task::Task;

use crate::local::{CheckFact, CheckStatus};
use crate::memory::{AllocationMemory, Phase, Why};
use crate::progress::sentence;
use crate::scene::Scene;

/// The state of an allocation, for decisions of others.
pub(crate) fn report(memory: &AllocationMemory, scene: &Scene<'_>) -> AllocationReport {
    if let (Some(reported), true) = (scene.reported, ended_before(memory)) {
        return reported.clone();
    }
    let is_over = is_over(memory, scene);
    let state = if is_over { end(memory) } else { progress(memory, scene) };
    if let Some(reported) = scene.reported.filter(|reported| reported.state.is_terminal())
        && reported.state != state
    {
        // An end is an end: a task that turns up late is stopped and changes nothing that was said.
        return reported.clone();
    }
    let same = scene.reported.filter(|reported| reported.state == state);
    let spec = scene.wanted.placement.spec;
    AllocationReport {
        placed: scene.wanted.created,
        state,
        healthy: memory.health.healthy.filter(|_| memory.health.spec == spec),
        spec,
        restarts: memory.tasks.values().map(|own| own.restarts).sum(),
        since: same.map_or(Some(scene.now), |reported| reported.since),
        ran_seconds: if is_over { ran_seconds(memory, scene) } else { None },
        exit_code: if is_over { exit_code(memory, scene) } else { None },
        reason: cut(&reason(memory, state), SENTENCE_BYTES).to_owned(),
        port_taken: port_taken(memory).filter(|_| is_over),
        orphan: None,
    }
}

/// The port that was taken before it began.
fn port_taken(memory: &AllocationMemory) -> Option<u16> {
    match memory.ending.as_ref()?.why {
        Why::PortTaken { port, .. } => Some(port),
        Why::Wished { .. }
        | Why::TaskFailed { .. }
        | Why::LeaderEnded
        | Why::MainEnded
        | Why::RanTooLong
        | Why::DiskExceeded { .. }
        | Why::EndedBefore => None,
    }
}

fn ended_before(memory: &AllocationMemory) -> bool {
    memory.ending.as_ref().is_some_and(|ending| ending.why == Why::EndedBefore)
}

/// Whether nothing runs and nothing will.
fn is_over(memory: &AllocationMemory, scene: &Scene<'_>) -> bool {
    let is_dead = |task: &Task| memory.tasks.get(&task.name).is_some_and(|own| own.phase.is_dead());
    memory.ending.is_some()
        && scene.group.tasks.iter().all(is_dead)
        && scene.tasks.is_none_or(|tasks| tasks.values().all(|seen| !seen.fact.is_alive()))
}

/// The state of an allocation that is over.
fn end(memory: &AllocationMemory) -> ClientState {
    let is_at_fault = memory.ending.as_ref().is_some_and(|ending| ending.why.is_fault_of_tasks());
    let has_failed = is_at_fault || memory.tasks.values().any(|own| own.phase.is_failed());
    if has_failed { ClientState::Failed } else { ClientState::Complete }
}

/// The state of one that is not.
fn progress(memory: &AllocationMemory, scene: &Scene<'_>) -> ClientState {
    let mut mains = scene.group.tasks.iter().filter(|task| task.is_main());
    let is_up = memory.first_started.is_some() && mains.any(|task| scene.is_alive(&task.name));
    if is_up || (memory.ending.is_some() && memory.first_started.is_some()) {
        ClientState::Running
    } else {
        ClientState::Pending
    }
}

fn ran_seconds(memory: &AllocationMemory, scene: &Scene<'_>) -> Option<u64> {
    let ends = scene.group.tasks.iter().filter(|task| task.is_main()).filter_map(|task| {
        match memory.tasks.get(&task.name)?.phase {
            Phase::Dead { at, .. } => Some(at),
            Phase::Waiting | Phase::Up | Phase::Delayed { .. } => None,
        }
    });
    let (started, ended) = (memory.first_started?, ends.max()?);
    Some(u64::try_from(ended.duration_since(started).as_secs()).unwrap_or(0))
}

/// The status of the task that failed, else of the leader, else of the first main task.
fn exit_code(memory: &AllocationMemory, scene: &Scene<'_>) -> Option<i32> {
    let failed = match memory.ending.as_ref().map(|ending| &ending.why) {
        Some(Why::TaskFailed { task, .. }) => Some(task.as_str()),
        Some(
            Why::Wished { .. }
            | Why::PortTaken { .. }
            | Why::LeaderEnded
            | Why::MainEnded
            | Why::RanTooLong
            | Why::DiskExceeded { .. }
            | Why::EndedBefore,
        )
        | None => None,
    };
    let mains = || scene.group.tasks.iter().filter(|task| task.is_main());
    let main = mains().find(|task| task.leader).or_else(|| mains().next()).map(|task| task.name.as_str());
    match memory.tasks.get(failed.or(main)?)?.phase {
        Phase::Dead { code, .. } => code,
        Phase::Waiting | Phase::Up | Phase::Delayed { .. } => None,
    }
}

fn reason(memory: &AllocationMemory, state: ClientState) -> String {
    match memory.ending.as_ref().map(|ending| &ending.why) {
        Some(Why::TaskFailed { reason, .. } | Why::PortTaken { reason, .. }) => reason.clone(),
        Some(Why::Wished { reason }) if state.is_terminal() => reason.clone(),
        Some(why @ (Why::RanTooLong | Why::DiskExceeded { .. })) => sentence(why),
        Some(Why::Wished { .. } | Why::LeaderEnded | Why::MainEnded | Why::EndedBefore) => String::new(),
        None => waiting(memory),
    }
}

/// Which tasks wait for a restart.
fn waiting(memory: &AllocationMemory) -> String {
    let delayed = memory.tasks.iter().filter(|(_, own)| matches!(own.phase, Phase::Delayed { .. }));
    let names: Vec<&str> = delayed.map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("waiting to restart {}", names.join(", ")) }
}

/// What people want to read about an allocation; no decision rests on it.
pub fn details(memory: &AllocationMemory, checks: Option<&BTreeMap<String, CheckFact>>) -> Details {
    let tasks = memory.tasks.iter().map(|(name, own)| {
        let (state, failed, finished_at) = match own.phase {
            Phase::Waiting | Phase::Delayed { .. } => ("pending", false, None),
            Phase::Up => ("running", false, None),
            Phase::Dead { failed, at, .. } => ("dead", failed, Some(at)),
        };
        let task = TaskDetails {
            state: state.to_owned(),
            failed,
            restarts: own.restarts,
            started_at: own.started,
            finished_at,
            events: own.events.clone(),
        };
        (name.clone(), task)
    });
    let checks = checks.into_iter().flatten().map(|(id, fact)| {
        let status = match fact.status {
            CheckStatus::Pending => "pending",
            CheckStatus::Passing => "success",
            CheckStatus::Failing => "failure",
        };
        let check =
            CheckDetails { status: status.to_owned(), output: fact.output.clone(), time: Some(fact.since) };
        (id.clone(), check)
    });
    Details { tasks: tasks.collect(), checks: checks.collect() }
}
