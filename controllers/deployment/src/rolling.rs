//! How many slots may be replaced now. Shared by numbered and per-node groups.

use std::collections::BTreeMap;

use schemas::roster::{Index, Slot, SlotState};

use crate::fate::Fate;

/// One slot during a change.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// What it is now.
    pub(crate) slot: Slot,
    /// What became of it.
    pub(crate) fate: Fate,
    /// Whether it must be replaced to reach the target.
    pub(crate) is_old: bool,
}

impl Member {
    /// Whether users are served by it: an old one until it is known to be bad, a new one once it is known
    /// to be good.
    fn serves(&self) -> bool {
        match self.fate {
            Fate::Placed { is_healthy: Some(is_healthy) } => is_healthy,
            Fate::Placed { is_healthy: None } => self.is_old,
            Fate::Unplaced | Fate::Complete | Fate::Failed { .. } | Fate::Lost | Fate::Evicted => false,
        }
    }

    /// Whether it is new and shows that the new version does not work.
    fn is_bad_news(&self) -> bool {
        let has_failed = match self.fate {
            Fate::Placed { is_healthy } => is_healthy == Some(false),
            Fate::Failed { .. } => true,
            Fate::Unplaced | Fate::Complete | Fate::Lost | Fate::Evicted => false,
        };
        let waits = match self.slot.state {
            SlotState::Wait { .. } | SlotState::Failed => true,
            SlotState::Run | SlotState::Complete => false,
        };
        !self.is_old && (has_failed || waits)
    }
}

/// The places whose old slot gives way to a new one now.
///
/// Not more than `max_parallel` new ones are unproved at a time, none is replaced while one is bad news, and
/// of those that serve only so many are taken that `desired - max_parallel` go on serving.
pub(crate) fn choose(members: &BTreeMap<Index, Member>, desired: usize, max_parallel: usize) -> Vec<Index> {
    if members.values().any(Member::is_bad_news) {
        return Vec::new();
    }
    let unproved = members.values().filter(|member| !member.is_old && !member.serves()).count();
    let room = max_parallel.saturating_sub(unproved);
    let serving = members.values().filter(|member| member.serves()).count();
    let spare = serving.saturating_sub(desired.saturating_sub(max_parallel));
    let old = || members.iter().filter(|(_, member)| member.is_old);
    let idle = old().filter(|(_, member)| !member.serves());
    let serving = old().filter(|(_, member)| member.serves()).take(spare);
    idle.chain(serving).take(room).map(|(index, _)| index.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(picture: &str, desired: usize, max_parallel: usize) -> String {
        let members = picture.chars().enumerate().map(|(at, letter)| {
            let placed = |is_healthy| Fate::Placed { is_healthy };
            let (is_old, fate) = match letter {
                'O' => (true, placed(Some(true))),
                'o' => (true, placed(None)),
                'x' => (true, Fate::Unplaced),
                'N' => (false, placed(Some(true))),
                'n' => (false, placed(None)),
                'B' => (false, placed(Some(false))),
                _ => unreachable!("O o x N n B"),
            };
            let index = Index::Number(u32::try_from(at).unwrap());
            (index, Member { slot: Slot::new(1), fate, is_old })
        });
        let chosen = choose(&members.collect(), desired, max_parallel);
        chosen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn never_more_than_may_be_missed() {
        assert_eq!(choice("OOO", 3, 1), "0");
        assert_eq!(choice("nOO", 3, 1), "", "one is under way");
        assert_eq!(choice("NOO", 3, 1), "1", "it is proved");
        assert_eq!(choice("OOOOO", 5, 2), "0 1");
        assert_eq!(choice("nOOOO", 5, 2), "1");
        assert_eq!(choice("BOOOO", 5, 2), "", "the new version does not work");
        assert_eq!(choice("xOO", 3, 1), "0", "one that serves nobody goes first");
        assert_eq!(choice("OxxO", 4, 1), "1", "and takes the room of one that serves");
        assert_eq!(choice("OOO", 3, 9), "0 1 2");
        assert_eq!(choice("NNN", 3, 1), "");
    }
}
