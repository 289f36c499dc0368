//! How many allocations of a job are how far: the join of rosters, placements and reports, counted.

use std::collections::BTreeMap;

use plan::View;
use plan::view::{GroupRef, JobRef};
use schemars::JsonSchema;
use schemas::group::Group;
use schemas::job::Job;
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::{Placement, Wish};
use schemas::report::ClientState;
use schemas::roster::{Index, Roster, Slot, SlotState};
use serde::{Deserialize, Serialize};

/// How many allocations of a group, or of a job, are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Counts {
    /// How many there should be.
    pub desired: u32,
    /// How many of these have no node yet.
    pub unplaced: u32,
    /// How many of these have a node and do not run yet, or wait for their next attempt.
    pub pending: u32,
    /// How many run, of any version.
    pub running: u32,
    /// How many of these are healthy.
    pub healthy: u32,
    /// How many ended well.
    pub complete: u32,
    /// How many ended badly.
    pub failed: u32,
    /// How many were on a node that went silent.
    pub lost: u32,
}

impl Counts {
    /// Both together.
    pub(crate) fn plus(self, other: Counts) -> Counts {
        Counts {
            desired: self.desired + other.desired,
            unplaced: self.unplaced + other.unplaced,
            pending: self.pending + other.pending,
            running: self.running + other.running,
            healthy: self.healthy + other.healthy,
            complete: self.complete + other.complete,
            failed: self.failed + other.failed,
            lost: self.lost + other.lost,
        }
    }
}

/// How far a placed allocation is, as users see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Not running yet.
    Pending,
    /// Its main tasks run.
    Running,
    /// It ended well.
    Complete,
    /// It ended badly.
    Failed,
    /// Its node is silent.
    Lost,
}

/// How far the allocation of a placement is.
pub(crate) fn phase(view: &View, placement: &Key) -> Phase {
    let state = view.indexes.report(placement).map_or(ClientState::Pending, |report| report.state);
    let is_down = || {
        let health = view.health.get(&Key::health(placement.segment(1)));
        health.is_some_and(|health| health.state == NodeState::Down)
    };
    match state {
        ClientState::Complete => Phase::Complete,
        ClientState::Failed => Phase::Failed,
        ClientState::Pending | ClientState::Running if is_down() => Phase::Lost,
        ClientState::Pending => Phase::Pending,
        ClientState::Running => Phase::Running,
    }
}

/// Whether the allocation of a placement is the one its slot has now.
pub(crate) fn is_current(roster: Option<&Roster>, placement: &Placement) -> bool {
    let slot = roster.and_then(|roster| roster.slot_at(&placement.index));
    slot.is_some_and(|slot| (slot.version, slot.attempt) == (placement.version, placement.attempt))
}

/// The counts of one group of a job.
pub(crate) fn of_group(view: &View, job: &Job, group: &Group) -> Counts {
    let (namespace, name) = (&job.metadata.namespace, &job.metadata.name);
    let roster = view.rosters.get(&Key::roster(namespace, name, &group.name));
    let mut counts = of_roster(roster, job, group);
    // Of each slot that has a node, whether it has got further than waiting there.
    let mut placed: BTreeMap<&Index, bool> = BTreeMap::new();
    let reference = GroupRef { namespace: namespace.clone(), job: name.clone(), group: group.name.clone() };
    for key in view.indexes.placements_of_group(&reference) {
        let Some(placement) = view.placements.get(key) else { continue };
        let phase = phase(view, key);
        let slot = slot_of(roster, placement);
        if slot.is_some_and(|slot| matches!(slot.state, SlotState::Run)) {
            let is_numbered = matches!(placement.index, Index::Number(_));
            if is_numbered || placement.wish == Wish::Run {
                // A doubled placement is a fault: its slot is counted once.
                *placed.entry(&placement.index).or_default() |= phase != Phase::Pending;
            }
        }
        if is_told_by_slot(slot) || (job.spec.job_type.is_batch() && is_of_the_past(roster, placement)) {
            continue;
        }
        tally(&mut counts, phase, view.indexes.report(key).and_then(|report| report.healthy));
    }
    for (index, has_started) in placed {
        match index {
            Index::Number(_) => counts.unplaced = counts.unplaced.saturating_sub(1),
            Index::Node(_) => counts.desired += 1,
        }
        counts.pending += u32::from(!has_started);
    }
    counts
}

/// The slot whose present allocation a placement is.
fn slot_of<'r>(roster: Option<&'r Roster>, placement: &Placement) -> Option<&'r Slot> {
    roster?.slot_at(&placement.index).filter(|_| is_current(roster, placement))
}

/// Whether the slot itself remembers how its allocation ended, so that the placement must not be counted again.
fn is_told_by_slot(slot: Option<&Slot>) -> bool {
    slot.is_some_and(|slot| matches!(slot.state, SlotState::Complete | SlotState::Failed))
}

/// Whether a placement did the work of an earlier version, which a batch job does not count as its own.
fn is_of_the_past(roster: Option<&Roster>, placement: &Placement) -> bool {
    let slot = roster.and_then(|roster| roster.slot_at(&placement.index));
    slot.is_some_and(|slot| slot.version != placement.version)
}

/// What the roster alone tells: how many there should be, and what has ended and is folded into it.
fn of_roster(roster: Option<&Roster>, job: &Job, group: &Group) -> Counts {
    let Some(roster) = roster else {
        let is_wanted = !job.spec.stop && !job.spec.is_template() && !job.spec.job_type.is_per_node();
        let desired = if is_wanted && job.metadata.deletion_timestamp.is_none() { group.count() } else { 0 };
        return Counts { desired, unplaced: desired, ..Counts::default() };
    };
    let mut counts = Counts::default();
    for run in &roster.slots {
        let many = run.last - run.first + 1;
        counts.desired += many;
        match run.slot.state {
            SlotState::Run => counts.unplaced += many,
            SlotState::Wait { .. } => counts.pending += many,
            SlotState::Complete => counts.complete += many,
            SlotState::Failed => counts.failed += many,
        }
    }
    for slot in roster.every_node.iter().flat_map(|every| every.nodes.values()) {
        let (complete, failed) =
            (matches!(slot.state, SlotState::Complete), matches!(slot.state, SlotState::Failed));
        counts.desired += u32::from(complete || failed);
        counts.complete += u32::from(complete);
        counts.failed += u32::from(failed);
    }
    counts
}

fn tally(counts: &mut Counts, phase: Phase, healthy: Option<bool>) {
    match phase {
        Phase::Pending => {}
        Phase::Running => {
            counts.running += 1;
            counts.healthy += u32::from(healthy == Some(true));
        }
        Phase::Complete => counts.complete += 1,
        Phase::Failed => counts.failed += 1,
        Phase::Lost => counts.lost += 1,
    }
}

/// Whether anything of a job takes room on a node.
pub(crate) fn is_live(view: &View, namespace: &str, job: &str) -> bool {
    let job = JobRef { namespace: namespace.to_owned(), job: job.to_owned() };
    view.indexes.placements_of_job(&job).any(|key| !view.indexes.is_gone(key))
}

/// Whether a slot should have an allocation.
pub(crate) fn is_wanted(slot: &Slot) -> bool {
    matches!(slot.state, SlotState::Run | SlotState::Wait { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is counted of the only group of a job, as `complete+failed of desired`.
    fn ended(picture: &str) -> String {
        let view = plan::fixture::read(picture);
        let job = view.jobs.get(&Key::job("default", "web")).unwrap();
        let counts = of_group(&view, job, &job.spec.groups[0]);
        format!("{}+{} of {}", counts.complete, counts.failed, counts.desired)
    }

    #[test]
    fn an_end_that_the_roster_remembers_is_counted_once() {
        let done = "node n1 · job web count=2 type=batch
            place web.api.0-v1.0 on n1 · report web.api.0-v1.0 complete
            place web.api.1-v1.0 on n1 · report web.api.1-v1.0 failed exit=1";
        assert_eq!(ended(&format!("{done} · roster web.api 0-1=v1.0")), "1+1 of 2");
        assert_eq!(ended(&format!("{done} · roster web.api 0=v1.0~complete 1=v1.0~failed")), "1+1 of 2");
        // What an earlier version has done is not the work of this one; its own failed attempts are told.
        assert_eq!(ended(&format!("{done} · roster web.api 0-1=v2.0")), "0+0 of 2");
        assert_eq!(ended(&format!("{done} · roster web.api 0=v1.0~complete 1=v1.1")), "1+1 of 2");
    }

    #[test]
    fn nobody_is_counted_twice() {
        let counted = |picture: &str| {
            let view = plan::fixture::read(picture);
            let job = view.jobs.get(&Key::job("default", "web")).unwrap();
            let Counts { desired, unplaced, pending, running, healthy, complete, failed, lost } =
                of_group(&view, job, &job.spec.groups[0]);
            assert!(unplaced + pending + running.min(desired) + lost <= desired, "{picture}");
            format!("{desired}: {unplaced} {pending} {running}/{healthy} {complete} {failed} {lost}")
        };
        let job = "node n1 · node n2 · job web count=3";
        let placed = "place web.api.0-v1.0 on n1";
        let table = [
            (String::new(), "3: 3 0 0/0 0 0 0"),
            ("roster web.api 0-2=v1.0".into(), "3: 3 0 0/0 0 0 0"),
            (format!("roster web.api 0-2=v1.0 · {placed}"), "3: 2 1 0/0 0 0 0"),
            (
                format!("roster web.api 0-2=v1.0 · {placed} · report web.api.0-v1.0 running healthy"),
                "3: 2 0 1/1 0 0 0",
            ),
            (
                format!(
                    "roster web.api 0-2=v1.0 · {placed} · place web.api.1-v1.0 on n2
                    report web.api.1-v1.0 failed exit=1"
                ),
                "3: 1 1 0/0 0 1 0",
            ),
        ];
        for (more, expected) in table {
            assert_eq!(counted(&format!("{job}\n{more}")), expected, "{more}");
        }
        let everywhere = "node n1 · node n2 · job web type=system · roster web.api every=v1.0";
        assert_eq!(counted(&format!("{everywhere} · place web.api.n1-v1.0 on n1")), "1: 0 1 0/0 0 0 0");
    }

    #[test]
    fn a_node_that_is_done_is_one_that_there_should_be() {
        let done = "node n1 · job web type=sysbatch
            place web.api.n1-v1.0 on n1 · report web.api.n1-v1.0 complete";
        assert_eq!(ended(&format!("{done} · roster web.api every=v1.0")), "1+0 of 1");
        assert_eq!(ended(&format!("{done} · roster web.api every=v1.0 n1=v1.0~complete")), "1+0 of 1");
    }
}
