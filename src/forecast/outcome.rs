//! What became of a job's groups between two views.

use std::collections::{BTreeMap, BTreeSet};

use plan::view::{GroupRef, JobRef};
use plan::{Note, View};
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::Wish;
use schemas::roster::{Index, Roster, Slot, SlotState};
use serde::Serialize;

/// What would become of the instances of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// How many start where there was none.
    pub create: u32,
    /// How many take the change over and go on running.
    pub in_place: u32,
    /// How many are stopped and followed by another.
    pub destructive: u32,
    /// How many stop.
    pub stop: u32,
    /// How many stay as they are.
    pub ignore: u32,
    /// How many of those that should start, or be followed, find no node.
    pub unplaced: u32,
    /// Why, in the scheduler's words.
    #[serde(rename = "placement")]
    pub why: Option<String>,
}

/// An allocation's name apart from its place, and what it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run {
    version: u64,
    attempt: u32,
    spec: u64,
}

/// What runs of a job: by group and place.
pub(super) struct Standing(BTreeMap<String, BTreeMap<Index, Run>>);

impl Standing {
    /// As a view has it: of the groups that the job names, and of those that still have something.
    pub(super) fn of(view: &View, job: &JobRef) -> Standing {
        let document = view.jobs.get(&Key::job(&job.namespace, &job.job));
        let declared = document.into_iter().flat_map(|job| &job.spec.groups).map(|group| group.name.clone());
        let placed = view.indexes.placements_of_job(job).filter_map(|key| view.placements.get(key));
        let groups = declared.chain(placed.map(|placement| placement.group.clone()));
        Standing(groups.map(|group| (group.clone(), running(view, &of_job(job, &group)))).collect())
    }

    /// What became of each group; `notes` are the scheduler's last.
    pub(super) fn outcomes(&self, after: &View, job: &JobRef, notes: &[Note]) -> BTreeMap<String, Outcome> {
        let Standing(has) = Standing::of(after, job);
        let groups: BTreeSet<&String> = self.0.keys().chain(has.keys()).collect();
        let nothing = BTreeMap::new();
        let one = |group: &String| {
            let runs = [self.0.get(group), has.get(group)].map(|runs| runs.unwrap_or(&nothing));
            (group.clone(), outcome(after, &of_job(job, group), runs, notes))
        };
        groups.into_iter().map(one).collect()
    }
}

fn of_job(job: &JobRef, group: &str) -> GroupRef {
    GroupRef { namespace: job.namespace.clone(), job: job.job.clone(), group: group.to_owned() }
}

fn outcome(
    after: &View,
    group: &GroupRef,
    [had, has]: [&BTreeMap<Index, Run>; 2],
    notes: &[Note],
) -> Outcome {
    let roster = after.rosters.get(&Key::roster(&group.namespace, &group.job, &group.group));
    let wanted = roster.map(|roster| wanted(roster, has)).unwrap_or_default();
    let mut outcome = Outcome::default();
    let places: BTreeSet<&Index> = had.keys().chain(wanted.keys()).collect();
    for place in places {
        let counter = match (had.get(place), wanted.get(place)) {
            (None, Some(_)) => &mut outcome.create,
            (Some(_), None) => &mut outcome.stop,
            (Some(had), Some(wanted)) if had == wanted => &mut outcome.ignore,
            (Some(had), Some(wanted)) if (had.version, had.attempt) == (wanted.version, wanted.attempt) => {
                &mut outcome.in_place
            }
            (Some(_), Some(_)) => &mut outcome.destructive,
            (None, None) => continue,
        };
        *counter += 1;
    }
    let waiting = after.open.pending_of(group).filter(|index| matches!(index, Index::Number(_)));
    let about = format!("{}.{}", group.job, group.group);
    let told: Vec<&str> = notes
        .iter()
        .filter(|note| note.about == about || note.about == group.job)
        .map(|note| note.text.as_str())
        .collect();
    outcome.unplaced = u32::try_from(waiting.count()).unwrap_or(u32::MAX);
    if matches!(roster, Some(Roster { every_node: Some(_), .. })) {
        outcome.unplaced = u32::try_from(told.len()).unwrap_or(u32::MAX);
    }
    outcome.why = (outcome.unplaced > 0).then(|| told.join("; "));
    // All nodes of none that fit: nothing is unplaced, and nothing runs.
    if outcome.unplaced == 0 && roster.is_some_and(|roster| roster.every_node.is_some()) && has.is_empty() {
        outcome.why = nowhere(after, group);
    }
    outcome
}

/// Why no node has an instance of a group that should be on every node that fits.
fn nowhere(after: &View, group: &GroupRef) -> Option<String> {
    let job = after.jobs.get(&Key::job(&group.namespace, &group.job))?;
    Some(format!("no node fits: {}", scheduler::explain(after, group, &job.spec)))
}

/// What runs at each place. Of what a silent node has, nothing is said.
fn running(view: &View, group: &GroupRef) -> BTreeMap<Index, Run> {
    let is_silent = |node: &str| {
        view.health.get(&Key::health(node)).is_some_and(|health| health.state == NodeState::Down)
    };
    let rows = view.indexes.placements_of_group(group).filter_map(|key| {
        let placement = view.placements.get(key)?;
        let runs = placement.wish == Wish::Run && !view.indexes.is_gone(key) && !is_silent(key.segment(1));
        let run = Run { version: placement.version, attempt: placement.attempt, spec: placement.spec };
        runs.then(|| (placement.index.clone(), run))
    });
    rows.collect()
}

/// What should run at each place: every number of the roster, and every node that got an instance.
fn wanted(roster: &Roster, has: &BTreeMap<Index, Run>) -> BTreeMap<Index, Run> {
    let numbers = roster.numbered().map(|(number, slot)| (Index::Number(number), slot));
    let on_nodes = has.keys().filter(|index| matches!(index, Index::Node(_)));
    let nodes = on_nodes.filter_map(|index| Some((index.clone(), roster.slot_at(index)?)));
    numbers.chain(nodes).filter_map(|(index, slot)| Some((index, of_slot(slot)?))).collect()
}

fn of_slot(slot: &Slot) -> Option<Run> {
    match slot.state {
        SlotState::Run | SlotState::Wait { .. } => {
            Some(Run { version: slot.version, attempt: slot.attempt, spec: slot.spec })
        }
        SlotState::Complete | SlotState::Failed => None,
    }
}
