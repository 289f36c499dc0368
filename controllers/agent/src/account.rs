//! Takes in what the runtimes show: starts, ends, refusals. Every end is counted once.

use jiff::Timestamp;
use schemas::policy::Restart;
use schemas::task::Task;

use crate::disk::DiskRoom;
use crate::lifecycle::Role;
use crate::local::{Exit, Fact, Observed, Refusal};
use crate::memory::{AllocationMemory, Ending, Phase, TaskMemory, Why};
use crate::restart::{self, Verdict};
use crate::scene::Scene;

/// Brings the memory of every task up to what its runtime shows.
pub(crate) fn take_in(memory: &mut AllocationMemory, scene: &Scene<'_>) {
    let is_ending = memory.ending.is_some();
    let mut taken = None;
    let is_at_fault = memory.ending.as_ref().is_some_and(|ending| ending.why.is_fault_of_tasks());
    for task in &scene.group.tasks {
        let Some(observed) = scene.observed(&task.name) else { continue };
        let own = memory.tasks.entry(task.name.clone()).or_default();
        let is_being_ended = is_ending && Role::of(task) != Role::Poststop;
        let may_move = memory.first_started.is_none() && own.started.is_none();
        let regime = Regime { task, scene, is_being_ended, may_move, is_at_fault };
        taken = taken.or(take_in_task(own, observed, &regime));
        if Role::of(task) == Role::Main {
            memory.first_started = memory.first_started.or(own.started);
        }
    }
    if let Some(why) = taken.filter(|_| !is_ending) {
        memory.ending = Some(Ending { since: scene.now, why });
    }
}

/// Under which circumstances an end is judged.
struct Regime<'a> {
    task: &'a Task,
    scene: &'a Scene<'a>,
    is_being_ended: bool,
    /// Nothing that counts of the allocation has begun: it may as well begin elsewhere.
    may_move: bool,
    /// It is ended for what it did.
    is_at_fault: bool,
}

/// Takes in what one runtime shows; answers why the allocation must end at once, if it must.
fn take_in_task(own: &mut TaskMemory, observed: &Observed, regime: &Regime<'_>) -> Option<Why> {
    if own.phase.is_dead() {
        return None;
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
        Fact::Refused { at, refusal, message } if is_known => {
            adopt(own, observed.incarnation);
            let kind = if let Refusal::PortTaken(_) = refusal { "Setup Failure" } else { "Driver Failure" };
            own.event(kind, *at, message.clone());
            return refused(own, regime, *refusal, message);
        }
        Fact::Starting | Fact::Exited { .. } | Fact::Refused { .. } => {}
    }
    None
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

fn refused(own: &mut TaskMemory, regime: &Regime<'_>, refusal: Refusal, message: &str) -> Option<Why> {
    let now = regime.scene.now;
    if regime.is_being_ended {
        own.phase = Phase::Dead { failed: false, code: None, at: now };
        return None;
    }
    match refusal {
        Refusal::Final => {
            own.event("Not Restarting", now, "Error was unrecoverable");
            own.phase = Phase::Dead { failed: true, code: None, at: now };
        }
        Refusal::PortTaken(port) if regime.may_move && has_other_place(port, regime.scene) => {
            own.event("Not Restarting", now, "The instance is placed again, on another port or node");
            own.phase = Phase::Dead { failed: true, code: None, at: now };
            return Some(Why::PortTaken { port, reason: format!("task {}: {message}", regime.task.name) });
        }
        Refusal::Passing | Refusal::PortTaken(_) => by_policy(own, regime, None, message),
    }
    None
}

/// Whether another placement may do without the port: one that was chosen, or a fixed one of an instance that may go to
/// another node.
fn has_other_place(port: u16, scene: &Scene<'_>) -> bool {
    let ports = scene.group.network().into_iter().flat_map(|network| &network.ports);
    let is_fixed = ports.filter_map(|asked| asked.static_port).any(|fixed| fixed == port);
    !(is_fixed && scene.job.job_type.is_per_node())
}

fn by_policy(own: &mut TaskMemory, regime: &Regime<'_>, code: Option<i32>, what: &str) {
    let Regime { task, scene, is_being_ended: _, may_move: _, is_at_fault: _ } = regime;
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
    let what = last("Driver Failure")
        .or_else(|| last("Setup Failure"))
        .or_else(|| last("Terminated"))
        .unwrap_or_default();
    format!("task {}: {what}", task.name)
}
