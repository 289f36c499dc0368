//! Orphans: allocations that agents run although their placement is missing.
//!
//! A missing document is nobody's wish, so an agent goes on with what it was told last and reports it as an orphan,
//! with the placement it remembers. Each gets a readable word here: where its slot still means it, the placement is
//! written again and adopts what runs; where a roster or a job says otherwise, it is told to stop. A job of which
//! the store knows nothing says neither: its orphans go on, unless operators said of this store, after the orphan was
//! placed, that it is the one to believe. Where the report vanished together with the placement, the name is kept for
//! as long as it takes the agent to tell.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::view::GroupRef;
use plan::{Draft, Note, View, Write};
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::{Placement, Wish};
use schemas::report::AllocationReport;
use schemas::roster::{SlotState, allocation_name};

/// Names for which no instance may be placed now.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// By namespace and allocation.
    names: BTreeSet<(String, String)>,
    /// When some of them are free whatever anybody says.
    pub(crate) until: Option<Timestamp>,
}

impl Held {
    fn add(&mut self, placement: &Key) {
        self.names.insert((placement.segment(2).to_owned(), placement.segment(3).to_owned()));
    }

    pub(crate) fn holds(&self, namespace: &str, allocation: String) -> bool {
        self.names.contains(&(namespace.to_owned(), allocation))
    }
}

/// Answers every orphan that can be answered; tells which names must wait, and when to look at them again.
pub(crate) fn answer(view: &View, draft: &mut Draft, notes: &mut Vec<Note>, now: Timestamp) -> Held {
    let mut held = untold(view, notes, now);
    for (key, report) in view.indexes.orphans() {
        if view.is_unreadable(key) {
            continue;
        }
        let (node, namespace, allocation) = (key.segment(1), key.segment(2), key.segment(3));
        if let Some(lost) = placement_of(key, report) {
            held.add(key);
            let roster_key = Key::roster(namespace, &lost.job, &lost.group);
            let job_key = Key::job(namespace, &lost.job);
            match verdict(view, key, lost) {
                Ok(wish) => {
                    let found = Placement { wish, adopts: Some(report.placed), ..lost.clone() };
                    draft.add(&[job_key, roster_key], [Write::put(key.clone(), &found)]);
                }
                Err(why) => {
                    notes.push(Note { about: allocation.to_owned(), text: format!("on {node}: {why}") });
                }
            }
        } else if !is_down(view, node) {
            // Its agent will say what it was placed as, or that it has ended.
            held.add(key);
            let text = format!("on {node}: its placement is missing and its agent has not said what it was");
            notes.push(Note { about: allocation.to_owned(), text });
        }
    }
    held
}

/// Placements that vanished a moment ago and of which no report is left either: their agents, as long as they live, are
/// about to tell what they run.
fn untold(view: &View, notes: &mut Vec<Note>, now: Timestamp) -> Held {
    let mut held = Held::default();
    for (key, left) in view.sight.losses() {
        let node = key.segment(1);
        let is_purged = view.tombstones.get(&Key::tombstone(node)).is_some() && !view.knows_node(node);
        if is_down(view, node) || is_purged || view.indexes.report(key).is_some() {
            continue;
        }
        held.add(key);
        let again = now.saturating_add(left).unwrap_or(Timestamp::MAX);
        held.until = Some(held.until.map_or(again, |until| until.min(again)));
        let text =
            format!("on {node}: its placement vanished, and its agent has not said yet whether it runs");
        notes.push(Note { about: key.segment(3).to_owned(), text });
    }
    held
}

/// What the agent remembers, if it is about the allocation that it says.
fn placement_of<'a>(key: &Key, report: &'a AllocationReport) -> Option<&'a Placement> {
    report.orphan.as_deref().filter(|lost| lost.allocation() == key.segment(3))
}

fn is_down(view: &View, node: &str) -> bool {
    view.health.get(&Key::health(node)).is_some_and(|health| health.state == NodeState::Down)
}

/// The word for one orphan, or why there is none.
fn verdict(view: &View, key: &Key, lost: &Placement) -> Result<Wish, String> {
    let stop = |reason: &str| Wish::Stop { reason: reason.to_owned(), unfit: false };
    if let Wish::Stop { .. } = &lost.wish {
        return Ok(lost.wish.clone());
    }
    let group = GroupRef::of_placement(key, lost);
    let job_key = Key::job(&group.namespace, &group.job);
    let roster_key = Key::roster(&group.namespace, &group.job, &group.group);
    if view.is_unreadable(&job_key) || view.is_unreadable(&roster_key) {
        return Err("what should be of its job cannot be read".to_owned());
    }
    let Some(job) = view.jobs.get(&job_key) else {
        let later = view.epoch.ancestors.iter().rev().find(|ancestor| ancestor.at > lost.placed_at);
        return match later {
            Some(_) => Ok(stop("the store that operators chose does not know its job")),
            None => Err("the store knows nothing of its job; it goes on".to_owned()),
        };
    };
    if job.metadata.deletion_timestamp.is_some() {
        return Ok(stop("the job is deleted"));
    }
    if job.spec.group(&lost.group).is_none() {
        return Ok(stop("the group is gone"));
    }
    let Some(roster) = view.rosters.get(&roster_key) else {
        return Err("its job has no roster yet".to_owned());
    };
    let Some(slot) = roster.slot_at(&lost.index) else { return Ok(stop("no slot wants it")) };
    if (slot.version, slot.attempt) != (lost.version, lost.attempt) || slot.state != SlotState::Run {
        return Ok(stop("its slot has moved on"));
    }
    let name = allocation_name(&lost.job, &lost.group, &lost.index, lost.version, lost.attempt);
    if view.indexes.placements_of_allocation(&group.namespace, &name).next().is_some() {
        return Ok(stop("it was placed elsewhere"));
    }
    let version = view.versions.get(&Key::version(&group.namespace, &group.job, slot.version));
    let is_older = version.and_then(|version| version.created_at).is_some_and(|at| at > lost.placed_at);
    if is_older {
        return Ok(stop("it belongs to an earlier job of this name"));
    }
    Ok(Wish::Run)
}
