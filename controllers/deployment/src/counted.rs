//! The roster of a group with a number of instances: service and batch jobs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemas::deployment::Deployment;
use schemas::group::Group;
use schemas::roster::{Index, Roster, Slot, SlotState};

use crate::fate::{Fate, Fates};
use crate::misplaced::Misplaced;
use crate::reschedule;
use crate::rolling::{Member, replaced};
use crate::target::{TakingOver, Target};

/// When the question is asked, and what is known of the job beyond the group.
pub(crate) struct Moment<'a> {
    /// The rollout of the job's version, if it has begun.
    pub(crate) rollout: Option<&'a Deployment>,
    /// The slots that must not take the target over where they are.
    pub(crate) misplaced: &'a Misplaced,
    /// Now.
    pub(crate) now: Timestamp,
}

/// What should be, and when to look again.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) roster: Roster,
    pub(crate) wake_at: Option<Timestamp>,
}

/// The roster of one group.
pub(crate) fn group(
    target: &Target<'_>,
    group: &Group,
    roster: Option<&Roster>,
    fates: &Fates<'_>,
    moment: &Moment<'_>,
) -> Answer {
    let count = if target.is_stopped { 0 } else { group.count() };
    let mut taking_over = TakingOver::new(target, group);
    let misplaced = moment.misplaced.get(&group.name);
    let mut members = BTreeMap::new();
    for (number, slot) in roster.into_iter().flat_map(Roster::numbered).filter(|(number, _)| *number < count)
    {
        let index = Index::Number(number);
        let fate = fates.fate(&index, slot);
        let slot = moved_on(target, group, slot, fate, moment.now);
        let must_move = misplaced.is_some_and(|misplaced| misplaced.contains(&number));
        let (slot, is_old) = if must_move { (slot, true) } else { taking_over.slot(slot) };
        let fate = fates.fate(&index, &slot);
        members.insert(index, Member { slot, fate, is_old });
    }
    let replaced = replaced(target, group, &members, moment.rollout, count as usize);
    for index in replaced {
        if let Some(member) = members.get_mut(&index) {
            member.slot = successor(target, &member.slot);
        }
    }
    let wake_at = members.values().filter_map(|member| until(&member.slot)).min();
    let kept = members.into_iter().filter_map(|(index, member)| match index {
        Index::Number(number) => Some((number, member.slot)),
        Index::Node(_) => None,
    });
    let mut slots: BTreeMap<u32, Slot> = kept.collect();
    for number in 0..count {
        slots.entry(number).or_insert_with(|| first(target));
    }
    Answer { roster: Roster::of_numbered(slots), wake_at }
}

/// A slot after what happened to its allocation.
fn moved_on(target: &Target<'_>, group: &Group, slot: &Slot, fate: Fate, now: Timestamp) -> Slot {
    let is_batch = target.spec.job_type.is_batch();
    match (&slot.state, fate) {
        (SlotState::Wait { until }, _) if *until <= now => Slot { state: SlotState::Run, ..slot.clone() },
        (SlotState::Run, Fate::Complete) if is_batch => Slot { state: SlotState::Complete, ..slot.clone() },
        // A service that ended well has ended too early; it was not told to.
        (SlotState::Run, Fate::Complete) => {
            reschedule::after_failure(slot, group.reschedule.as_ref(), 0, now)
        }
        (SlotState::Run, Fate::Failed { ran_seconds }) => {
            let began = Slot { moves: 0, ..slot.clone() };
            reschedule::after_failure(&began, group.reschedule.as_ref(), ran_seconds, now)
        }
        (SlotState::Run, Fate::PortTaken) => reschedule::moved(slot)
            .unwrap_or_else(|| reschedule::after_failure(slot, group.reschedule.as_ref(), 0, now)),
        (SlotState::Run, Fate::Lost | Fate::Evicted) => Slot { attempt: slot.attempt + 1, ..slot.clone() },
        (SlotState::Run, Fate::Unplaced | Fate::Unfit | Fate::Placed { .. })
        | (SlotState::Wait { .. } | SlotState::Complete | SlotState::Failed, _) => slot.clone(),
    }
}

/// The slot that takes an old one's place, under a new name.
pub(crate) fn successor(target: &Target<'_>, old: &Slot) -> Slot {
    let attempt = if old.version == target.version { old.attempt + 1 } else { 0 };
    Slot { attempt, ..first(target) }
}

/// A new slot.
pub(crate) fn first(target: &Target<'_>) -> Slot {
    Slot::new(target.version)
}

fn until(slot: &Slot) -> Option<Timestamp> {
    match slot.state {
        SlotState::Wait { until } => Some(until),
        SlotState::Run | SlotState::Complete | SlotState::Failed => None,
    }
}
