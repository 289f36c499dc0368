//! Since when a condition of a job holds, as the documents tell it: never the time of the question.
//!
//! A condition over all places of a job holds since the last of them met it, and does not hold since the first of
//! those that do not meet it ceased to; never since before the version was asked for. Times come from several clocks
//! (controllers', nodes'): they are shown and never reckoned with. Where no document tells, nothing is said.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plan::View;
use plan::view::GroupRef;
use schemas::group::Group;
use schemas::job::Job;
use schemas::key::Key;
use schemas::node::{Health, NodeState};
use schemas::placement::{Placement, Wish};
use schemas::report::ClientState;
use schemas::roster::{Index, Roster, Slot, SlotState};

/// What is asked of every place of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether it serves.
    Available,
    /// Whether it has ended well.
    Complete,
    /// Whether it has a node.
    Placed,
}

/// What a place answers, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    is_met: bool,
    since: Option<Timestamp>,
}

/// Since when the condition holds, or does not.
pub(super) fn since(view: &View, job: &Job, question: Question, holds: bool) -> Option<Timestamp> {
    let asked = asked(view, job);
    let answers = job.spec.groups.iter().flat_map(|group| answers(view, job, group, question));
    let relevant = answers.filter(|answer| answer.is_met == holds).filter_map(|answer| answer.since);
    let found = if holds { relevant.max() } else { relevant.min() };
    // `None` is less than any time.
    asked.max(found)
}

/// When the job was asked to be what it is.
fn asked(view: &View, job: &Job) -> Option<Timestamp> {
    let key = Key::version(&job.metadata.namespace, &job.metadata.name, job.version);
    let version = view.versions.get(&key).and_then(|version| version.created_at);
    version.or(job.metadata.creation_timestamp)
}

fn answers(view: &View, job: &Job, group: &Group, question: Question) -> Vec<Answer> {
    let (namespace, name) = (&job.metadata.namespace, &job.metadata.name);
    let Some(roster) = view.rosters.get(&Key::roster(namespace, name, &group.name)) else {
        return Vec::new();
    };
    let reference = GroupRef { namespace: namespace.clone(), job: name.clone(), group: group.name.clone() };
    let mut placed: BTreeMap<&Index, Vec<(&Key, &Placement)>> = BTreeMap::new();
    for key in view.indexes.placements_of_group(&reference) {
        if let Some(placement) = view.placements.get(key) {
            placed.entry(&placement.index).or_default().push((key, placement));
        }
    }
    places(roster, &placed)
        .into_iter()
        .map(|(index, slot)| {
            let here = placed.get(&index).map(Vec::as_slice).unwrap_or_default();
            answer(view, slot, here, question)
        })
        .collect()
}

/// The places that should have an allocation.
fn places<'r>(
    roster: &'r Roster,
    placed: &BTreeMap<&Index, Vec<(&Key, &Placement)>>,
) -> Vec<(Index, &'r Slot)> {
    let numbers = roster.numbered().map(|(number, slot)| (Index::Number(number), slot));
    let on_nodes = placed.iter().filter(|(index, here)| {
        matches!(index, Index::Node(_)) && here.iter().any(|(_, placement)| placement.wish == Wish::Run)
    });
    let nodes = on_nodes.filter_map(|(index, _)| Some(((*index).clone(), roster.slot_at(index)?)));
    numbers.chain(nodes).collect()
}

fn answer(view: &View, slot: &Slot, here: &[(&Key, &Placement)], question: Question) -> Answer {
    let is_current = |placement: &Placement| {
        (placement.version, placement.attempt) == (slot.version, slot.attempt) && placement.wish == Wish::Run
    };
    let Some((key, placement)) = here.iter().find(|(_, placement)| is_current(placement)) else {
        let is_met = question == Question::Complete && slot.state == SlotState::Complete;
        let ended = here.iter().filter_map(|(key, _)| ended(view, key)).max();
        let is_told = is_met || question != Question::Complete;
        return Answer { is_met, since: ended.or(slot.failing_since).filter(|_| is_told) };
    };
    let report = view.indexes.report(key);
    let state = report.map(|report| report.state);
    let silent = silence(view, key);
    let is_met = match question {
        Question::Placed => true,
        Question::Complete => state == Some(ClientState::Complete),
        Question::Available => {
            let is_healthy = report.and_then(|report| report.healthy) == Some(true);
            state == Some(ClientState::Running) && is_healthy && silent.is_none()
        }
    };
    let told = report.and_then(|report| report.since).or(Some(placement.placed_at));
    let since = match question {
        Question::Placed => Some(placement.placed_at),
        Question::Complete if !is_met => None,
        Question::Complete => told,
        Question::Available => silent.and_then(|health| health.since).or(told),
    };
    Answer { is_met, since }
}

/// What is known of the node of a placement, if it is silent.
fn silence<'v>(view: &'v View, placement: &Key) -> Option<&'v Health> {
    view.health.get(&Key::health(placement.segment(1))).filter(|health| health.state == NodeState::Down)
}

/// When an allocation ended, or was lost.
pub(super) fn ended(view: &View, placement: &Key) -> Option<Timestamp> {
    let report = view.indexes.report(placement).filter(|report| report.state.is_terminal());
    report.and_then(|report| report.since).or_else(|| silence(view, placement)?.since)
}

#[cfg(test)]
mod tests {
    use plan::fixture::{at, read};

    use super::*;

    /// Since how many seconds after the start each condition is what it is.
    fn told(picture: &str) -> String {
        let view = read(picture);
        let job = view.jobs.get(&Key::job("default", "web")).unwrap();
        let show = |question, holds| {
            since(&view, job, question, holds)
                .map_or("-".to_owned(), |time| time.duration_since(at(0)).as_secs().to_string())
        };
        let both = |question| format!("{}/{}", show(question, true), show(question, false));
        format!(
            "available {} placed {} complete {}",
            both(Question::Available),
            both(Question::Placed),
            both(Question::Complete)
        )
    }

    #[test]
    fn the_last_that_met_it_and_the_first_that_ceased() {
        let job = "node n1 · node n2 · job web count=2 · roster web.api 0-1=v1.0";
        assert_eq!(told(job), "available 0/0 placed 0/0 complete 0/0");
        let one = format!(
            "{job} · place web.api.0-v1.0 on n1 at=5 · report web.api.0-v1.0 running healthy since=9
             place web.api.1-v1.0 on n2 at=20"
        );
        assert_eq!(told(&one), "available 9/20 placed 20/0 complete 0/0");
        let both = format!("{one} · report web.api.1-v1.0 running healthy since=30");
        assert_eq!(told(&both), "available 30/0 placed 20/0 complete 0/0");
        let silent = format!("{both} · health n2 down since=77");
        assert_eq!(told(&silent), "available 9/77 placed 20/0 complete 0/0");
        let lost = format!("{silent} · roster web.api 0=v1.0 1=v1.1");
        assert_eq!(told(&lost), "available 9/77 placed 5/77 complete 0/0");
        let failed =
            format!("{both} · report web.api.0-v1.0 failed since=90 · report web.api.1-v1.0 failed since=80");
        assert_eq!(told(&failed), "available 0/80 placed 20/0 complete 0/0");
    }

    #[test]
    fn what_is_complete_is_so_since_the_last_ended() {
        let done = "node n1 · job web count=2 type=batch · roster web.api 0=v1.0~complete 1=v1.0
            place web.api.0-v1.0 on n1 at=5 · report web.api.0-v1.0 complete since=30
            place web.api.1-v1.0 on n1 at=6 · report web.api.1-v1.0 complete since=20";
        assert_eq!(told(done), "available 0/20 placed 6/0 complete 30/0");
    }
}
