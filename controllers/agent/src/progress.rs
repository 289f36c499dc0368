//! Brings an allocation up, or winds it down.

use jiff::Timestamp;
use schemas::task::Task;

use crate::decide::Doings;
use crate::lifecycle::{Progress, Role, STOP_STAGES, stop_stage};
use crate::local::{CheckStatus, Fact};
use crate::memory::{AllocationMemory, Ending, Phase, RestartWish, TaskMemory, Why};
use crate::restart::after;
use crate::scene::Scene;

/// Whether the allocation has run as long as it may.
pub(crate) fn ran_too_long(
    memory: &AllocationMemory,
    scene: &Scene<'_>,
    doings: &mut Doings<'_>,
) -> Option<Why> {
    let limit = scene.group.max_run_duration?;
    let until = after(memory.first_started?, limit.to_signed());
    if until <= scene.now {
        return Some(Why::RanTooLong);
    }
    doings.wake(Some(until));
    None
}

/// Starts what should run and does not.
pub(crate) fn bring_up(memory: &mut AllocationMemory, scene: &Scene<'_>, doings: &mut Doings<'_>) {
    wish_restarts(memory, scene, doings);
    let progress = Progress::of(memory, scene);
    for task in &scene.group.tasks {
        let own = memory.tasks.entry(task.name.clone()).or_default();
        if progress.allows(Role::of(task)) {
            own.take_turn();
        }
        start_if_due(own, task, scene, doings);
        let Some(fact) = scene.fact(&task.name) else { continue };
        if let Some(wish) = &own.restart_wish {
            doings.stop(&task.name, fact, own.kill.clone(), &wish.reason);
        } else if own.phase.is_dead() {
            doings.stop(&task.name, fact, own.kill.clone(), "it has ended as far as is known");
        }
    }
}

/// Starts a task whose turn has come, now or when its delay is over.
fn start_if_due(own: &mut TaskMemory, task: &Task, scene: &Scene<'_>, doings: &mut Doings<'_>) {
    match own.phase {
        Phase::Delayed { until } if until <= scene.now => own.phase = Phase::Up,
        Phase::Delayed { until } => doings.wake(Some(until)),
        Phase::Waiting | Phase::Up | Phase::Dead { .. } => {}
    }
    if own.phase == Phase::Up {
        own.kill = Some(scene.kill(task));
        own.driver.clone_from(&task.driver);
        if scene.needs_start(&task.name, own) {
            doings.start(&task.name, own.incarnation);
        }
    }
}

/// Failing checks restart tasks, if they were told to.
fn wish_restarts(memory: &mut AllocationMemory, scene: &Scene<'_>, doings: &mut Doings<'_>) {
    for (id, service, check) in scene.checks() {
        let Some(rule) = check.check_restart.as_ref().filter(|rule| rule.limit > 0) else { continue };
        let Some(fact) = scene.checks.and_then(|checks| checks.get(&id)) else { continue };
        if fact.status != CheckStatus::Failing || fact.failures_in_row < rule.limit {
            continue;
        }
        let named = check.task.as_ref().or(service.task.as_ref());
        let targets =
            scene.group.tasks.iter().filter(|task| named.map_or(task.is_main(), |name| *name == task.name));
        for task in targets {
            let own = memory.tasks.entry(task.name.clone()).or_default();
            let Some(Fact::Running { since, .. }) = scene.fact(&task.name) else { continue };
            let counts_from = after(*since, rule.grace.to_signed());
            if counts_from > scene.now {
                doings.wake(Some(counts_from));
            } else if fact.since >= *since && own.restart_wish.is_none() {
                let reason = format!("check {id} failed {} times in a row", fact.failures_in_row);
                own.event("Restart Signaled", scene.now, reason.clone());
                own.restart_wish = Some(RestartWish { reason, counts: true });
            }
        }
    }
}

/// Ends what runs, stage by stage, then runs what comes after the end.
pub(crate) fn wind_down(
    memory: &mut AllocationMemory,
    scene: &Scene<'_>,
    ending: &Ending,
    doings: &mut Doings<'_>,
) {
    let begins = begins_at(ending, scene);
    if begins > scene.now {
        return doings.wake(Some(begins));
    }
    for stage in 0..STOP_STAGES {
        let mut is_over = true;
        for task in scene.group.tasks.iter().filter(|task| stop_stage(task) == Some(stage)) {
            let own = memory.tasks.entry(task.name.clone()).or_default();
            is_over &= end_task(own, task, scene, ending, doings);
        }
        if !is_over {
            return;
        }
    }
    let runs_poststop = ending.why.runs_poststop() && memory.first_started.is_some();
    for task in scene.group.tasks.iter().filter(|task| Role::of(task) == Role::Poststop) {
        let own = memory.tasks.entry(task.name.clone()).or_default();
        if runs_poststop {
            own.take_turn();
            start_if_due(own, task, scene, doings);
        } else {
            end_task(own, task, scene, ending, doings);
        }
    }
}

/// A wish to stop waits until others no longer find the services.
fn begins_at(ending: &Ending, scene: &Scene<'_>) -> Timestamp {
    let delay = scene.group.shutdown_delay.filter(|_| matches!(ending.why, Why::Wished { .. }));
    delay.map_or(ending.since, |delay| after(ending.since, delay.to_signed()))
}

/// Whether the task has ended; asks it to if not.
fn end_task(
    own: &mut TaskMemory,
    task: &Task,
    scene: &Scene<'_>,
    ending: &Ending,
    doings: &mut Doings<'_>,
) -> bool {
    let Some(fact) = scene.fact(&task.name).filter(|fact| fact.is_alive()) else {
        if !own.phase.is_dead() {
            own.phase = Phase::Dead { failed: false, code: None, at: scene.now };
        }
        return true;
    };
    if own.stop_turn.is_none() {
        own.event(kind(&ending.why), scene.now, sentence(&ending.why));
    }
    let turn = *own.stop_turn.get_or_insert(scene.now);
    let delay = task.shutdown_delay.filter(|_| !ending.why.is_fault_of_tasks());
    let due = delay.map_or(turn, |delay| after(turn, delay.to_signed()));
    if due > scene.now {
        doings.wake(Some(due));
        return false;
    }
    doings.stop(&task.name, fact, Some(scene.kill(task)), &sentence(&ending.why));
    false
}

/// Nomad's word for why a task is ended.
fn kind(why: &Why) -> &'static str {
    match why {
        Why::Wished { .. } | Why::RanTooLong | Why::EndedBefore => "Killing",
        Why::TaskFailed { .. } | Why::PortTaken { .. } => "Sibling Task Failed",
        Why::LeaderEnded => "Leader Task Dead",
        Why::MainEnded => "Main Tasks Dead",
        Why::DiskExceeded { .. } => "Disk Resources Exceeded",
    }
}

pub(crate) fn sentence(why: &Why) -> String {
    match why {
        Why::Wished { reason } | Why::PortTaken { reason, .. } => reason.clone(),
        Why::TaskFailed { task, .. } => format!("task {task} of the same group failed"),
        Why::LeaderEnded => "the leader of the group ended".to_owned(),
        Why::MainEnded => "all main tasks ended".to_owned(),
        Why::RanTooLong => "it ran for max_run_duration".to_owned(),
        Why::DiskExceeded { held_mb, size_mb } => {
            format!(
                "it holds at least {held_mb} MB of the disk, and the group's ephemeral_disk has {size_mb} MB"
            )
        }
        Why::EndedBefore => "the allocation had ended before".to_owned(),
    }
}
