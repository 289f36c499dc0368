//! The wish: which slots of a group must exist, at which version and attempt (`/rosters/…`).
//!
//! The deployment controller alone writes rosters. Slots that are alike are one [`Slots`] run, so a
//! group of 50,000 is one small document, and every state of a rollout is atomic. An allocation is the
//! join of a slot, its placement and its report; a slot that should run and has no placement is pending.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::Document;

/// All slots of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Roster {
    /// Numbered slots of service and batch groups, sorted, not overlapping.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Slots>,
    /// One slot on every node that fits, for system and sysbatch groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_node: Option<EveryNode>,
}
impl Document for Roster {}

/// Slots `first..=last`, all alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slots {
    /// The first index.
    pub first: u32,
    /// The last index, included.
    pub last: u32,
    /// What each of them is.
    #[serde(flatten)]
    pub slot: Slot,
}

/// What one slot is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slot {
    /// The job version the allocation was made for: part of its name.
    pub version: u64,
    /// The job version it should run: later than `version` after an update in place.
    pub spec: u64,
    /// 0 for the first allocation of this slot and version, one more for each replacement.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempt: u32,
    /// How many of the earlier attempts failed (a lost node is no failure): the reschedule policy counts it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// How many of the latest attempts could not begin because a port of theirs was taken: no failures, but not
    /// without end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moves: u32,
    /// When the first of the counted failures happened, by the controller's clock: a limited reschedule
    /// policy counts attempts in the interval that begins here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// What should be.
    #[serde(default, skip_serializing_if = "SlotState::is_run")]
    pub state: SlotState,
}

impl Slot {
    /// A first attempt at a version.
    pub fn new(version: u64) -> Slot {
        let (attempt, failures, moves) = (0, 0, 0);
        Slot { version, spec: version, attempt, failures, moves, failing_since: None, state: SlotState::Run }
    }
}

/// What should be in a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SlotState {
    /// An allocation should run.
    #[default]
    Run,
    /// The last attempt failed; this one should start at the given time.
    Wait {
        /// When.
        until: Timestamp,
    },
    /// It ran to its end (batch); nothing is to be done.
    Complete,
    /// It failed and no further attempt is allowed.
    Failed,
}

impl SlotState {
    fn is_run(&self) -> bool {
        *self == SlotState::Run
    }
}

/// Slots of a group that runs on every node that fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EveryNode {
    /// The slot of every node that `nodes` does not name.
    pub default: Slot,
    /// Nodes whose slot differs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, Slot>,
}

/// Which place of a group: a number, or a node's name for groups that run on every node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Index {
    /// Of a service or batch group.
    Number(u32),
    /// Of a system or sysbatch group.
    Node(String),
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Index::Number(number) => number.fmt(f),
            Index::Node(node) => node.fmt(f),
        }
    }
}

/// The name of an allocation: `<job>.<group>.<index>-v<version>.<attempt>`. It is derived, never random,
/// so making it twice collides instead of doubling.
pub fn allocation_name(job: &str, group: &str, index: &Index, version: u64, attempt: u32) -> String {
    format!("{job}.{group}.{index}-v{version}.{attempt}")
}

/// What an allocation's name may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The job.
    pub job: &'a str,
    /// The group.
    pub group: &'a str,
    /// The place in the group.
    pub index: Index,
    /// The job version.
    pub version: u64,
    /// The attempt.
    pub attempt: u32,
}

/// Every way to read an allocation's name: jobs, groups and nodes may have dots in their own.
pub fn readings_of_name(name: &str) -> Vec<Named<'_>> {
    let read = || {
        let (place, made) = name.rsplit_once("-v")?;
        let (version, attempt) = made.split_once('.')?;
        Some((place, version.parse::<u64>().ok()?, attempt.parse::<u32>().ok()?))
    };
    let Some((place, version, attempt)) = read() else { return Vec::new() };
    let dots: Vec<usize> = place.match_indices('.').map(|(at, _)| at).collect();
    let mut readings = Vec::new();
    for (number, first) in dots.iter().enumerate() {
        for second in &dots[number + 1..] {
            let (job, group, index) = (&place[..*first], &place[first + 1..*second], &place[second + 1..]);
            let index = index.parse().map_or_else(|_| Index::Node(index.to_owned()), Index::Number);
            let is_whole = allocation_name(job, group, &index, version, attempt) == name;
            if is_whole && !job.is_empty() && !group.is_empty() {
                readings.push(Named { job, group, index, version, attempt });
            }
        }
    }
    readings
}

impl Roster {
    /// The numbered slot at `index`.
    pub fn slot(&self, index: u32) -> Option<&Slot> {
        let at = self.slots.partition_point(|run| run.last < index);
        self.slots.get(at).filter(|run| run.first <= index).map(|run| &run.slot)
    }

    /// The slot a place has now, if it has one.
    pub fn slot_at(&self, index: &Index) -> Option<&Slot> {
        match index {
            Index::Number(number) => self.slot(*number),
            Index::Node(node) => {
                self.every_node.as_ref().map(|every| every.nodes.get(node).unwrap_or(&every.default))
            }
        }
    }

    /// Every numbered slot, in order.
    pub fn numbered(&self) -> impl Iterator<Item = (u32, &Slot)> {
        self.slots.iter().flat_map(|run| (run.first..=run.last).map(move |index| (index, &run.slot)))
    }

    /// A roster of numbered slots; neighbours that are alike become one run.
    pub fn of_numbered(slots: impl IntoIterator<Item = (u32, Slot)>) -> Roster {
        let mut runs: Vec<Slots> = Vec::new();
        let sorted: BTreeMap<u32, Slot> = slots.into_iter().collect();
        for (index, slot) in sorted {
            match runs.last_mut() {
                Some(run) if run.last + 1 == index && run.slot == slot => run.last = index,
                Some(_) | None => runs.push(Slots { first: index, last: index, slot }),
            }
        }
        Roster { slots: runs, every_node: None }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_every_way_it_may_mean() {
        let read = |name| {
            let readings = readings_of_name(name);
            readings.iter().map(|it| format!("{}|{}|{}", it.job, it.group, it.index)).collect::<Vec<_>>()
        };
        assert_eq!(read("web.api.3-v7.1"), ["web|api|3"]);
        assert_eq!(read("web.api.n1.lan-v7.1"), ["web|api|n1.lan", "web|api.n1|lan", "web.api|n1|lan"]);
        assert_eq!(read("web.api.03-v7.1"), Vec::<String>::new(), "nobody writes a number so");
        assert_eq!(read("web.api-v7.1"), Vec::<String>::new());
        assert_eq!(read("web"), Vec::<String>::new());
    }

    #[test]
    fn alike_neighbours_are_one_run() {
        let mut slots: Vec<_> = (0..50).map(|index| (index, Slot::new(7))).collect();
        slots[42].1.attempt = 2;
        let roster = Roster::of_numbered(slots.clone());
        assert_eq!(roster.slots.len(), 3);
        assert_eq!(roster.slot(42).map(|slot| slot.attempt), Some(2));
        assert_eq!(roster.slot(50), None);
        assert_eq!(roster.numbered().map(|(index, slot)| (index, slot.clone())).collect::<Vec<_>>(), slots);
        let read: Roster = crate::codec::decode(&crate::codec::encode(&roster)).unwrap();
        assert_eq!(read, roster);
    }
}
