//! The decision about an allocation whose placement is missing.
//!
//! Absence is never a wish: a document may be lost by mistake, by an attack, with a disk. What runs without a placement
//! is an orphan: it goes on, and the node reports it with the placement it remembers until the scheduler answers with
//! a readable word. Only what has ended, was told to end, or was placed before the node was purged is cleared away.

use jiff::Timestamp;
use plan::Plan;
use schemas::key::Revision;
use schemas::report::{AllocationReport, ClientState};

use crate::act::Act;
use crate::decide::Doings;
use crate::local::{AllocationId, Local};

/// What to do about an allocation that has no placement.
pub(crate) fn decide(local: &Local, id: &AllocationId, now: Timestamp) -> Plan<Act> {
    if !local.complete {
        return Plan::nothing(id.as_str(), "no placement, but the placements were not seen whole yet");
    }
    let memory = local.memory.get(id);
    let reported = local.reports.get(id);
    if local.disowned.is_some_and(|disowned| placed_at(local, id) < disowned) {
        return clear_away(local, id, now, "its node was purged");
    }
    let has_ended = reported.is_some_and(|reported| reported.state.is_terminal());
    let is_ending = memory.is_some_and(|memory| memory.ending.is_some());
    let runs = local.tasks.get(id).is_some_and(|tasks| tasks.values().any(|seen| seen.fact.is_alive()));
    // What is remembered and not over may be between two starts.
    if has_ended || is_ending || (memory.is_none() && !runs) {
        return clear_away(local, id, now, "it has ended as far as is known");
    }
    orphan(local, id, now)
}

/// The revision that made its placement, as far as anything tells; before everything if nothing does.
fn placed_at(local: &Local, id: &AllocationId) -> Revision {
    let remembered = local.memory.get(id).map(|memory| memory.created);
    remembered.or(local.reports.get(id).map(|reported| reported.placed)).unwrap_or_default()
}

/// Goes on with what runs, and asks what is to become of it.
fn orphan(local: &Local, id: &AllocationId, now: Timestamp) -> Plan<Act> {
    let memory = local.memory.get(id);
    let placement = memory.and_then(|memory| memory.placement.clone());
    let reported = local.reports.get(id).cloned();
    let known = reported.clone().unwrap_or_else(|| AllocationReport {
        state: ClientState::Running,
        spec: placement.as_ref().map_or(0, |placement| placement.spec),
        since: Some(now),
        ..AllocationReport::default()
    });
    let report = AllocationReport {
        placed: placed_at(local, id),
        reason: "its placement is not in the store".to_owned(),
        orphan: placement.map(Box::new),
        ..known
    };
    let mut doings = Doings::new(id, now);
    if reported.as_ref() != Some(&report) {
        doings.acts.push(Act::Report(id.clone(), Some(report)));
    }
    doings.plan()
}

/// Ends the tasks of an allocation, then everything of it goes.
pub(crate) fn clear_away(local: &Local, id: &AllocationId, now: Timestamp, why: &str) -> Plan<Act> {
    let mut doings = Doings::new(id, now);
    let memory = local.memory.get(id);
    let tasks = local.tasks.get(id);
    for (task, observed) in tasks.into_iter().flatten() {
        let kill = memory.and_then(|memory| memory.tasks.get(task)).and_then(|own| own.kill.clone());
        if observed.fact.is_alive() {
            doings.stop(task, &observed.fact, kill, why);
        } else {
            doings.acts.push(Act::Forget { allocation: id.clone(), task: task.clone() });
        }
    }
    // A driver that has not answered may hold tasks of it that nobody sees yet.
    let may_hold =
        |driver: &String| local.blind.contains(driver) || (driver.is_empty() && !local.blind.is_empty());
    let is_unseen = match memory {
        Some(memory) => memory.tasks.values().any(|own| may_hold(&own.driver)),
        None => !local.blind.is_empty(),
    };
    if tasks.is_none_or(std::collections::BTreeMap::is_empty) && !is_unseen {
        let reported = local.reports.get(id);
        // With the memory lost, the report is what tells that there were folders.
        if memory.is_some() || reported.is_some() {
            doings.acts.push(Act::Remove(id.clone()));
        }
        doings.acts.extend(reported.map(|_| Act::Report(id.clone(), None)));
        doings.acts.extend(memory.map(|_| Act::Remember(id.clone(), None)));
    }
    doings.plan()
}
