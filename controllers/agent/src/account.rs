//! Takes in what the runtimes show: starts, ends, refusals. Every end is counted once.

use jiff::Timestamp;
use schemas::policy::Restart;
use schemas::task::Task;

use crate::disk::DiskRoom;
use crate::lifecycle::Role;
use crate::local::{Exit, Fact, Observed};
use crate::memory::{AllocationMemory, Phase, TaskMemory, Why};
use crate::restart::{self, Verdict};
use crate::scene::Scene;

/// Brings the memory of every task up to what its runtime shows.
pub(crate) fn take_in(memory: &mut AllocationMemory, scene: &Scene<'_>) {
    let is_ending = memory.ending.is_some();
    let is_at_fault = memory.ending.as_ref().is_some_and(|ending| ending.why.is_fault_of_tasks());
    for task in &scene.group.tasks {
        let Some(observed) = scene.observed(&task.name) else { continue };
        let own = memory.tasks.entry(task.name.clone()).or_default();
        let is_being_ended = is_ending && Role::of(task) != Role::Poststop;
        take_in_task(own, observed, &Regime { task, scene, is_being_ended, is_at_fault });
        if Role::of(task) == Role::Main {
            memory.first_started = memory.first_started.or(own.started);
        }
    }
}

/// Under which circumstances an end is judged.
struct Regime<'a> {
    task: &'a Task,
    scene: &'a Scene<'a>,
    is_being_ended: bool,
    /// It is ended for what it did.
    is_at_fault: bool,
}

fn take_in_task(own: &mut TaskMemory, observed: &Observed, regime: &Regime<'_>) {
    if own.phase.is_dead() {
        return;
    }
    // A runtime that is ahead of the memory is right: the memory was lost or is old.
    let is_known = observed.incarnation >= own.incarnation;
    match &observed.fact {
        Fact::Starting if is_known => adopt(own, observed.incarnation),
        Fact::Running { since, .. } => {
            if observed.incarnation != own.incarnation || own.started != Some(*since) {
                adopt(own, observed.incarnation);
                own.started = Some(*since);
                own.event("Started", *since, "Task started");
            }
            own.phase = Phase::Up;
        }
        Fact::Exited { at, exit } if is_known => {
            adopt(own, observed.incarnation);
            own.started = own.started.or(Some(*at));
            own.event("Terminated", *at, sentence(exit));
            ended(own, regime, exit);
        }
        Fact::Refused { at, fatal, message } if is_known => {
            adopt(own, observed.incarnation);
            own.event("Driver Failure", *at, message.clone());
            refused(own, regime, *fatal, message);
        }
        Fact::Starting | Fact::Exited { .. } | Fact::Refused { .. } => {}
    }
}

fn adopt(own: &mut TaskMemory, incarnation: u32) {
    own.restarts = own.restarts.max(incarnation);
    own.incarnation = incarnation;
    own.phase = Phase::Up;
}

fn ended(own: &mut TaskMemory, regime: &Regime<'_>, exit: &Exit) {
    let now = regime.scene.now;
    if regime.is_being_ended {
        own.event("Killed", now, "Task stopped");
        own.phase = Phase::Dead { failed: regime.is_at_fault, code: Some(exit.code), at: now };
        return;
    }
    let wish = own.restart_wish.take();
    if let Some(wish) = wish.as_ref().filter(|wish| !wish.counts) {
        own.event("Restarting", now, wish.reason.clone());
        again(own, now);
        return;
    }
    let may_end = Role::of(regime.task).may_end(regime.scene.job.job_type);
    if wish.is_none() && exit.is_success() && may_end {
        own.phase = Phase::Dead { failed: false, code: Some(0), at: now };
        return;
    }
    by_policy(own, regime, Some(exit.code), &sentence(exit));
}

fn refused(own: &mut TaskMemory, regime: &Regime<'_>, fatal: bool, message: &str) {
    let now = regime.scene.now;
    if regime.is_being_ended {
        own.phase = Phase::Dead { failed: false, code: None, at: now };
    } else if fatal {
        own.event("Not Restarting", now, "Error was unrecoverable");
        own.phase = Phase::Dead { failed: true, code: None, at: now };
    } else {
        by_policy(own, regime, None, message);
    }
}

fn by_policy(own: &mut TaskMemory, regime: &Regime<'_>, code: Option<i32>, what: &str) {
    let Regime { task, scene, is_being_ended: _, is_at_fault: _ } = regime;
    let policy = task.restart.unwrap_or_default().or(&Restart::of(scene.job.job_type));
    let seed = format!("{}/{}", scene.id, task.name);
    match restart::judge(&policy, own.window, &seed, scene.now) {
        Verdict::Restart { at, window } => {
            own.window = Some(window);
            let seconds = at.duration_since(scene.now).as_secs();
            own.event("Restarting", scene.now, format!("Task restarting in {seconds}s ({what})"));
            again(own, at);
        }
        Verdict::GiveUp { reason } => {
            own.event("Not Restarting", scene.now, capitalised(&reason));
            own.phase = Phase::Dead { failed: true, code, at: scene.now };
        }
    }
}

fn again(own: &mut TaskMemory, until: Timestamp) {
    own.incarnation += 1;
    own.restarts += 1;
    own.phase = Phase::Delayed { until };
    own.started = None;
    own.stop_turn = None;
}

fn sentence(exit: &Exit) -> String {
    let mut words = vec![format!("exit code {}", exit.code)];
    words.extend(exit.signal.map(|signal| format!("signal {signal}")));
    words.extend(exit.oom.then(|| "out of memory".to_owned()));
    words.extend((!exit.message.is_empty()).then(|| exit.message.clone()));
    words.join(", ")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Why an allocation should end that does not end yet, if it should.
pub(crate) fn reason_to_end(memory: &AllocationMemory, scene: &Scene<'_>) -> Option<Why> {
    if let schemas::placement::Wish::Stop { reason, .. } = &scene.wanted.placement.wish {
        return Some(Why::Wished { reason: reason.clone() });
    }
    let room = DiskRoom::of(scene.group);
    if let Some(held_mb) = scene.disk.and_then(|held| room.exceeded_mb(held)) {
        return Some(Why::DiskExceeded { held_mb, size_mb: room.size_mb });
    }
    let own = |task: &Task| memory.tasks.get(&task.name);
    let failed =
        scene.group.tasks.iter().find(|task| {
            Role::of(task) != Role::Poststop && own(task).is_some_and(|own| own.phase.is_failed())
        });
    if let Some(task) = failed {
        return Some(Why::TaskFailed { task: task.name.clone(), reason: why_failed(task, own(task)) });
    }
    let is_dead = |task: &Task| own(task).is_some_and(|own| own.phase.is_dead());
    if scene.group.tasks.iter().any(|task| task.leader && is_dead(task)) {
        return Some(Why::LeaderEnded);
    }
    let mut mains = scene.group.tasks.iter().filter(|task| task.is_main());
    mains.all(is_dead).then_some(Why::MainEnded)
}

/// What the last events of a failed task say.
fn why_failed(task: &Task, own: Option<&TaskMemory>) -> String {
    let last = |kind: &str| {
        own.and_then(|own| own.events.iter().rev().find(|event| event.kind == kind))
            .map(|event| event.message.clone())
    };
    let what = last("Driver Failure").or_else(|| last("Terminated")).unwrap_or_default();
    format!("task {}: {what}", task.name)
}
