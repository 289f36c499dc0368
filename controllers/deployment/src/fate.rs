//! What became of each slot of a group, as placements, reports and node health tell.

use std::collections::BTreeMap;

use plan::View;
use plan::view::JobRef;
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::Wish;
use schemas::report::ClientState;
use schemas::roster::{Index, Slot, allocation_name};

/// What became of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has no node.
    Unplaced,
    /// It has a node and has not ended; whether it is healthy at the version it should run, once known.
    Placed {
        /// By the agent's judgement of the slot's own spec.
        is_healthy: Option<bool>,
    },
    /// It ended as it should.
    Complete,
    /// It ended badly.
    Failed {
        /// How long it ran.
        ran_seconds: u64,
    },
    /// It could not begin, for somebody else has a port of its on the node.
    PortTaken,
    /// Its node is down or was purged. A node that merely lost its documents is neither.
    Lost,
    /// It has no node of its own choice: its place is a node that does not fit what should run there.
    Unfit,
    /// It was told to stop although its slot still means it: its node does not fit any more, or its name was
    /// used before. The name can never run again.
    Evicted,
}

/// The fates of one group's slots.
pub(crate) struct Fates<'a> {
    view: &'a View,
    job: &'a JobRef,
    group: String,
    placed: BTreeMap<(Index, u64, u32), (Key, Wish)>,
}

impl<'a> Fates<'a> {
    /// Looks at all placements of the group.
    pub(crate) fn of(view: &'a View, job: &'a JobRef, group: &str) -> Fates<'a> {
        let placed = view
            .indexes
            .placements_of_group(&job.group(group))
            .filter_map(|key| {
                let placement = view.placements.get(key)?;
                let name = (placement.index.clone(), placement.version, placement.attempt);
                Some((name, (key.clone(), placement.wish.clone())))
            })
            .collect();
        Fates { view, job, group: group.to_owned(), placed }
    }

    /// What became of a slot.
    pub(crate) fn fate(&self, index: &Index, slot: &Slot) -> Fate {
        let Some((key, wish)) = self.placed.get(&(index.clone(), slot.version, slot.attempt)) else {
            if self.is_unreadable(index, slot) {
                return Fate::Placed { is_healthy: None };
            }
            return if self.is_unfit(index) { Fate::Unfit } else { Fate::Unplaced };
        };
        if *wish != Wish::Run {
            return Fate::Evicted;
        }
        let report = self.view.indexes.report(key);
        match report.map(|report| report.state) {
            Some(ClientState::Complete) => Fate::Complete,
            Some(ClientState::Failed) if report.is_some_and(|report| report.port_taken.is_some()) => {
                Fate::PortTaken
            }
            Some(ClientState::Failed) => {
                Fate::Failed { ran_seconds: report.and_then(|report| report.ran_seconds).unwrap_or(0) }
            }
            Some(ClientState::Pending | ClientState::Running) | None if self.is_lost(key) => Fate::Lost,
            Some(ClientState::Pending | ClientState::Running) | None => {
                let judged = report.filter(|report| report.spec == slot.spec);
                Fate::Placed { is_healthy: judged.and_then(|report| report.healthy) }
            }
        }
    }

    /// The node of a slot, if it has one.
    pub(crate) fn node(&self, index: &Index, slot: &Slot) -> Option<&str> {
        let placed = self.placed.get(&(index.clone(), slot.version, slot.attempt));
        placed.map(|(key, _)| key.segment(1))
    }

    /// The nodes that have a wanted placement, with what became of it.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &str> {
        let wanted = self.placed.values().filter(|(_, wish)| *wish == Wish::Run);
        wanted.map(|(key, _)| key.segment(1))
    }

    /// The names on nodes that were told to stop, told apart from others there by version and attempt.
    pub(crate) fn told_to_stop(&self) -> impl Iterator<Item = (&str, u64, u32)> {
        self.placed.iter().filter(|(_, (_, wish))| *wish != Wish::Run).filter_map(
            |((index, version, attempt), _)| match index {
                Index::Node(node) => Some((node.as_str(), *version, *attempt)),
                Index::Number(_) => None,
            },
        )
    }

    /// Whether the slot has a placement that cannot be read: it has a node all the same.
    fn is_unreadable(&self, index: &Index, slot: &Slot) -> bool {
        if self.view.unreadable.under(&["placements"]).next().is_none() {
            return false;
        }
        let name = allocation_name(&self.job.job, &self.group, index, slot.version, slot.attempt);
        let mut placed = self.view.indexes.placements_of_allocation(&self.job.namespace, &name);
        placed.any(|key| self.view.is_unreadable(key))
    }

    /// Whether the last word about a node was that it does not fit.
    fn is_unfit(&self, index: &Index) -> bool {
        let Index::Node(_) = index else { return false };
        let of_place = (index.clone(), 0, 0)..=(index.clone(), u64::MAX, u32::MAX);
        let last = self.placed.range(of_place).next_back();
        last.is_some_and(|(_, (_, wish))| matches!(wish, Wish::Stop { unfit: true, .. }))
    }

    fn is_lost(&self, placement: &Key) -> bool {
        let health = self.view.health.get(&Key::health(placement.segment(1)));
        health.is_some_and(|health| health.state == NodeState::Down) || self.view.indexes.is_purged(placement)
    }
}
