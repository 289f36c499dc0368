//! The decision about one allocation.

use jiff::{SignedDuration, Timestamp};
use plan::{Plan, Step};
use schemas::duration::Duration;
use schemas::placement::Wish;
use schemas::report::{AllocationReport, ClientState};

use crate::act::Act;
use crate::local::{AllocationId, Fact, Local, VersionFact, Wanted};
use crate::memory::{AllocationMemory, Ending, Kill, Phase, Why};
use crate::restart::after;
use crate::scene::Scene;
use crate::{absent, account, health, progress, report};

/// How long after the end of its grace a task that still runs is asked to end again.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// What to do about one allocation. Allocations do not depend on each other.
pub fn decide(local: &Local, id: &AllocationId, now: Timestamp) -> Plan<Act> {
    let memory = local.memory.get(id);
    if local.unreadable.contains(id) {
        return Plan::nothing(id.as_str(), "its placement cannot be read");
    }
    let Some(wanted) = local.wishes.get(id) else { return absent::decide(local, id, now) };
    if is_another(local, id, wanted) {
        return absent::clear_away(local, id, now, "another was placed under its name");
    }
    let job = match &wanted.job {
        VersionFact::Known(job) => job,
        VersionFact::Fetching => return Plan::nothing(id.as_str(), "its job version is being fetched"),
        VersionFact::Missing => return without_job(local, id, wanted, now),
    };
    let Some(group) = job.group(&wanted.placement.group) else { return without_job(local, id, wanted, now) };
    if let Some(task) = group.tasks.iter().find(|task| local.blind.contains(&task.driver)) {
        return Plan::nothing(id.as_str(), format!("driver {} has not answered yet", task.driver));
    }
    if local.inherited.contains(id) && memory.is_none() && !local.tasks.contains_key(id) {
        return give_up(local, id, wanted, now);
    }
    let scene = Scene {
        id,
        wanted,
        job,
        group,
        tasks: local.tasks.get(id),
        checks: local.checks.get(id),
        disk: local.disk.get(id).copied(),
        reported: local.reports.get(id),
        max_kill_timeout: local.max_kill_timeout,
        now,
    };
    placed(&scene, memory)
}

/// Whether what this node has under the name belongs to an earlier placement.
fn is_another(local: &Local, id: &AllocationId, wanted: &Wanted) -> bool {
    let reported = local.reports.get(id);
    match local.memory.get(id) {
        Some(memory) => !wanted.is_from(memory.created),
        // The memory was lost: what was reported last tells whose tasks these are.
        None => reported
            .is_some_and(|reported| !reported.is_about(wanted.created) && !wanted.is_from(reported.placed)),
    }
}

/// Another machine ran it under this node's name and may run it still: here it is never begun.
fn give_up(local: &Local, id: &AllocationId, wanted: &Wanted, now: Timestamp) -> Plan<Act> {
    let mut doings = Doings::new(id, now);
    let is_told = local.reports.get(id).is_some_and(|reported| reported.state.is_terminal());
    if !is_told {
        let (state, reason) = match &wanted.placement.wish {
            Wish::Stop { reason, .. } => (ClientState::Complete, reason.clone()),
            Wish::Run => {
                (ClientState::Failed, "its machine was replaced by another of the same name".to_owned())
            }
        };
        doings.acts.push(Act::Report(id.clone(), Some(over(wanted, state, reason, now))));
    }
    doings.plan()
}

/// The report of an allocation of which nothing is known but that it is over.
fn over(wanted: &Wanted, state: ClientState, reason: String, now: Timestamp) -> AllocationReport {
    AllocationReport {
        placed: wanted.created,
        state,
        spec: wanted.placement.spec,
        since: Some(now),
        reason,
        ..AllocationReport::default()
    }
}

/// A placed allocation: takes in what happened, then brings it up or winds it down, then tells.
fn placed(scene: &Scene<'_>, remembered: Option<&AllocationMemory>) -> Plan<Act> {
    let mut memory = remembered.cloned().unwrap_or_else(|| fresh(scene));
    memory.created = scene.wanted.created;
    memory.placement = Some(scene.wanted.placement.clone());
    account::take_in(&mut memory, scene);
    let mut doings = Doings::new(scene.id, scene.now);
    if memory.ending.is_none() {
        let why = account::reason_to_end(&memory, scene)
            .or_else(|| progress::ran_too_long(&memory, scene, &mut doings));
        memory.ending = why.map(|why| Ending { since: scene.now, why });
    }
    if memory.ending.is_none() {
        stay_ended(&mut memory, scene);
    }
    match memory.ending.clone() {
        None => progress::bring_up(&mut memory, scene, &mut doings),
        Some(ending) => progress::wind_down(&mut memory, scene, &ending, &mut doings),
    }
    let wake = health::judge(&mut memory, scene);
    doings.wake(wake);
    let report = report::report(&memory, scene);
    doings.finish(scene.reported, report, remembered, memory)
}

/// What is remembered of an allocation about which nothing is.
fn fresh(scene: &Scene<'_>) -> AllocationMemory {
    let mut memory = AllocationMemory::default();
    if !stay_ended(&mut memory, scene) {
        for task in &scene.group.tasks {
            let own = memory.tasks.entry(task.name.clone()).or_default();
            own.event("Received", scene.now, "Task received by the node");
        }
    }
    memory
}

/// The memory was lost or is old, the report was not: an allocation that has ended stays ended. Whether it has.
fn stay_ended(memory: &mut AllocationMemory, scene: &Scene<'_>) -> bool {
    let Some(reported) = scene.reported.filter(|reported| reported.state.is_terminal()) else { return false };
    memory.ending = Some(Ending { since: scene.now, why: Why::EndedBefore });
    for task in &scene.group.tasks {
        let own = memory.tasks.entry(task.name.clone()).or_default();
        if !own.phase.is_dead() {
            let failed = reported.state == ClientState::Failed;
            let at = reported.since.unwrap_or(scene.now);
            own.phase = Phase::Dead { failed, code: reported.exit_code, at };
        }
    }
    true
}

/// A placement whose job version the store does not have: nothing can be started, but a wish to stop is heeded.
fn without_job(local: &Local, id: &AllocationId, wanted: &Wanted, now: Timestamp) -> Plan<Act> {
    let reason =
        format!("version {} of job {} is not in the store", wanted.placement.spec, wanted.placement.job);
    let mut doings = Doings::new(id, now);
    let tasks = local.tasks.get(id);
    let Wish::Stop { reason: why, .. } = &wanted.placement.wish else {
        return Plan::nothing(id.as_str(), reason);
    };
    for (task, observed) in tasks.into_iter().flatten() {
        let own = local.memory.get(id).and_then(|memory| memory.tasks.get(task));
        doings.stop(task, &observed.fact, own.and_then(|own| own.kill.clone()), why);
    }
    let is_over = tasks.is_none_or(|tasks| tasks.values().all(|seen| !seen.fact.is_alive()));
    let reported = local.reports.get(id);
    if is_over && local.blind.is_empty() && reported.is_none_or(|reported| !reported.state.is_terminal()) {
        let report = over(wanted, ClientState::Complete, why.clone(), now);
        doings.acts.push(Act::Report(id.clone(), Some(report)));
    }
    doings.plan()
}

/// The acts of one allocation while they are gathered.
pub(crate) struct Doings<'a> {
    id: &'a AllocationId,
    now: Timestamp,
    pub(crate) acts: Vec<Act>,
    wake_at: Option<Timestamp>,
}

impl<'a> Doings<'a> {
    pub(crate) fn new(id: &'a AllocationId, now: Timestamp) -> Doings<'a> {
        Doings { id, now, acts: Vec::new(), wake_at: None }
    }

    pub(crate) fn wake(&mut self, at: Option<Timestamp>) {
        self.wake_at = match (self.wake_at, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    pub(crate) fn start(&mut self, task: &str, incarnation: u32) {
        self.acts.push(Act::Start { allocation: self.id.clone(), task: task.to_owned(), incarnation });
    }

    /// Asks a running task to end, once; again if it outlives its grace by far.
    pub(crate) fn stop(&mut self, task: &str, fact: &Fact, kill: Option<Kill>, reason: &str) {
        let Fact::Running { asked_to_stop, .. } = fact else { return };
        if let Some(asked) = asked_to_stop {
            let grace = kill.as_ref().map_or(Duration::from_seconds(5), |kill| kill.grace);
            let again_at = after(after(*asked, grace.to_signed()), ASK_AGAIN);
            if self.now < again_at {
                return self.wake(Some(again_at));
            }
        }
        let (allocation, task, reason) = (self.id.clone(), task.to_owned(), reason.to_owned());
        self.acts.push(Act::Stop { allocation, task, kill, reason });
    }

    /// The plan: memory first, so that what is done next is known after a crash.
    fn finish(
        mut self,
        reported: Option<&AllocationReport>,
        report: AllocationReport,
        remembered: Option<&AllocationMemory>,
        memory: AllocationMemory,
    ) -> Plan<Act> {
        // An allocation without a report is pending for everybody: saying so would only delay what comes next.
        let goes_without_saying = reported.is_none()
            && report.state == ClientState::Pending
            && report.reason.is_empty()
            && report.healthy.is_none();
        if reported != Some(&report) && !goes_without_saying {
            self.acts.push(Act::Report(self.id.clone(), Some(report)));
        }
        if remembered != Some(&memory) {
            self.acts.insert(0, Act::Remember(self.id.clone(), Some(Box::new(memory))));
        }
        self.plan()
    }

    pub(crate) fn plan(self) -> Plan<Act> {
        Plan::empty().then(Step { guards: Vec::new(), effects: self.acts }).wake(self.wake_at)
    }
}
