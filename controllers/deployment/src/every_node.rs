//! The roster of a group with one instance on every node that fits: system and sysbatch jobs.
//!
//! Which nodes fit is the scheduler's to say; this file sees the nodes that have an instance. Nodes that
//! join get the default slot. A failed instance stays failed until the job changes, as in Nomad.

use std::collections::BTreeMap;

use schemas::deployment::{Deployment, DeploymentStatus};
use schemas::diff::Effect;
use schemas::group::Group;
use schemas::roster::{EveryNode, Index, Roster, Slot, SlotState};

use crate::counted::{Answer, first, successor};
use crate::fate::{Fate, Fates};
use crate::rolling::{Member, choose};
use crate::target::Target;

/// The roster of one group.
pub(crate) fn group(
    target: &Target<'_>,
    group: &Group,
    roster: Option<&Roster>,
    fates: &Fates<'_>,
    rollout: Option<&Deployment>,
) -> Answer {
    if target.is_stopped || group.count() == 0 {
        return Answer::default();
    }
    let Some(every) = roster.and_then(|roster| roster.every_node.as_ref()) else {
        return answer(EveryNode { default: first(target), nodes: BTreeMap::new() });
    };
    let (default, is_default_old) = updated(target, group, every.default.clone());
    let names = every.nodes.keys().map(String::as_str).chain(fates.nodes());
    let members: BTreeMap<Index, Member> = names
        .map(|node| {
            let index = Index::Node(node.to_owned());
            let slot = every.nodes.get(node).unwrap_or(&every.default).clone();
            let slot = settled(target, slot.clone(), fates.fate(&index, &slot));
            let (slot, is_old) = updated(target, group, slot);
            let fate = fates.fate(&index, &slot);
            (index, Member { slot, fate, is_old })
        })
        .collect();
    let replaced = replaced(target, group, &members, rollout);
    let mut nodes: BTreeMap<String, Slot> = BTreeMap::new();
    let mut is_any_old = false;
    for (index, member) in &members {
        let Index::Node(node) = index else { continue };
        let is_replaced = replaced.contains(index);
        is_any_old |= member.is_old && !is_replaced;
        nodes.insert(
            node.clone(),
            if is_replaced { successor(target, &member.slot) } else { member.slot.clone() },
        );
    }
    // Once nobody is old, nodes that join shall get the new version too.
    let default = if is_default_old && !is_any_old { successor(target, &default) } else { default };
    nodes.retain(|_, slot| *slot != default);
    answer(EveryNode { default, nodes })
}

fn replaced(
    target: &Target<'_>,
    group: &Group,
    members: &BTreeMap<Index, Member>,
    rollout: Option<&Deployment>,
) -> Vec<Index> {
    if !target.is_rolled(group) {
        return members.iter().filter(|(_, member)| member.is_old).map(|(index, _)| index.clone()).collect();
    }
    let is_failed = rollout.is_some_and(|rollout| rollout.status == DeploymentStatus::Failed);
    if is_failed && target.runs == target.version {
        return Vec::new();
    }
    let max_parallel = group.update.map_or(1, |update| update.max_parallel());
    choose(members, members.len(), max_parallel as usize)
}

/// What ended has ended: a sysbatch instance for good, a system instance until the job changes.
fn settled(target: &Target<'_>, slot: Slot, fate: Fate) -> Slot {
    let state = match (&slot.state, fate) {
        (SlotState::Run, Fate::Complete) if target.spec.job_type.is_batch() => SlotState::Complete,
        (SlotState::Run, Fate::Complete | Fate::Failed { .. }) => SlotState::Failed,
        (SlotState::Run, Fate::Unplaced | Fate::Placed { .. } | Fate::Lost | Fate::Evicted)
        | (SlotState::Wait { .. } | SlotState::Complete | SlotState::Failed, _) => return slot,
    };
    Slot { state, ..slot }
}

fn updated(target: &Target<'_>, group: &Group, slot: Slot) -> (Slot, bool) {
    match target.effect(slot.spec, group) {
        // One that was given up has nothing to take a change over: a new version is a new chance.
        Effect::Unchanged | Effect::InPlace { .. }
            if slot.state == SlotState::Failed && slot.spec != target.runs =>
        {
            (slot, true)
        }
        Effect::Unchanged | Effect::InPlace { .. } => (Slot { spec: target.runs, ..slot }, false),
        Effect::Destructive { .. } | Effect::Create | Effect::Destroy => (slot, true),
    }
}

fn answer(every: EveryNode) -> Answer {
    Answer { roster: Roster { slots: Vec::new(), every_node: Some(every) }, ..Answer::default() }
}
