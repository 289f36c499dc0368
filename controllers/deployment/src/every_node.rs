//! The roster of a group with one instance on every node that fits: system and sysbatch jobs.
//!
//! Which nodes fit is the scheduler's to say; this file sees the nodes that have an instance. Nodes that
//! join get the default slot. A failed instance stays failed until the job changes, as in Nomad.

use std::collections::BTreeMap;

use schemas::deployment::Deployment;
use schemas::group::Group;
use schemas::roster::{EveryNode, Index, Roster, Slot, SlotState};

use crate::counted::{Answer, first, successor};
use crate::fate::{Fate, Fates};
use crate::reschedule;
use crate::rolling::{Member, replaced};
use crate::target::{TakingOver, Target};

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
    let mut taking_over = TakingOver::new(target, group);
    let (default, is_default_old) = taking_over.slot(every.default.clone());
    let slot_of = |node: &str| every.nodes.get(node).unwrap_or(&every.default);
    let is_evicted = |(node, version, attempt): &(&str, u64, u32)| {
        let slot = slot_of(node);
        (slot.version, slot.attempt) == (*version, *attempt)
    };
    let evicted = fates.told_to_stop().filter(is_evicted).map(|(node, _, _)| node);
    let names = every.nodes.keys().map(String::as_str).chain(fates.nodes()).chain(evicted);
    let members: BTreeMap<Index, Member> = names
        .map(|node| {
            let index = Index::Node(node.to_owned());
            let slot = slot_of(node).clone();
            let slot = settled(target, slot.clone(), fates.fate(&index, &slot));
            let (slot, is_old) = taking_over.slot(slot);
            let fate = fates.fate(&index, &slot);
            (index, Member { slot, fate, is_old })
        })
        .collect();
    let desired = members.values().filter(|member| member.fate != Fate::Unfit).count();
    let replaced = replaced(target, group, &members, rollout, desired);
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

/// What ended has ended: a sysbatch instance for good, a system instance until the job changes. One that was
/// told to stop because its node stopped fitting comes back under another name once the node fits again.
fn settled(target: &Target<'_>, slot: Slot, fate: Fate) -> Slot {
    match (&slot.state, fate) {
        (SlotState::Run, Fate::Complete) if target.spec.job_type.is_batch() => {
            Slot { state: SlotState::Complete, ..slot }
        }
        (SlotState::Run, Fate::Complete | Fate::Failed { .. }) => Slot { state: SlotState::Failed, ..slot },
        (SlotState::Run, Fate::PortTaken) => {
            reschedule::moved(&slot).unwrap_or(Slot { state: SlotState::Failed, ..slot })
        }
        (SlotState::Run, Fate::Evicted) => Slot { attempt: slot.attempt + 1, ..slot },
        (SlotState::Run, Fate::Unplaced | Fate::Unfit | Fate::Placed { .. } | Fate::Lost)
        | (SlotState::Wait { .. } | SlotState::Complete | SlotState::Failed, _) => slot,
    }
}

fn answer(every: EveryNode) -> Answer {
    Answer { roster: Roster { slots: Vec::new(), every_node: Some(every) }, ..Answer::default() }
}
