//! Which slots may be replaced now. Shared by numbered and per-node groups.

use std::collections::BTreeMap;

use schemas::deployment::{Deployment, DeploymentStatus};
use schemas::group::Group;
use schemas::roster::{Index, Slot, SlotState};

use crate::fate::Fate;
use crate::target::Target;

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

/// Which way a rollout leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// To a version that has yet to prove itself.
    Forward,
    /// Back to one that worked, from one that did not.
    Back,
}

/// How fast slots may be replaced.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// How many instances there should be.
    desired: usize,
    /// How many may be under way at a time.
    max_parallel: usize,
    /// Which way it goes.
    course: Course,
}

/// What a member means to the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Old, and users are served by it: until it is known to be bad.
    OldServing,
    /// Old, and nobody would miss it.
    OldIdle,
    /// New and known to be good.
    Proved,
    /// New and not known yet.
    UnderWay,
    /// New, and it shows that the new version does not work, at least not there.
    BadNews,
    /// New, on a node that does not fit: there is nothing to wait for.
    Unfit,
}

impl Member {
    fn standing(&self) -> Standing {
        let waits = match self.slot.state {
            SlotState::Wait { .. } | SlotState::Failed => true,
            SlotState::Run | SlotState::Complete => false,
        };
        match self.fate {
            Fate::Placed { is_healthy: None | Some(true) } if self.is_old => Standing::OldServing,
            _ if self.is_old => Standing::OldIdle,
            _ if waits => Standing::BadNews,
            Fate::Placed { is_healthy: Some(true) } => Standing::Proved,
            Fate::Placed { is_healthy: Some(false) } | Fate::Failed { .. } => Standing::BadNews,
            Fate::Unfit => Standing::Unfit,
            Fate::Placed { is_healthy: None }
            | Fate::Unplaced
            | Fate::Complete
            | Fate::PortTaken
            | Fate::Lost
            | Fate::Evicted => Standing::UnderWay,
        }
    }
}

/// The places whose old slot gives way to a new one now: all at once, unless a rollout watches over them.
pub(crate) fn replaced(
    target: &Target<'_>,
    group: &Group,
    members: &BTreeMap<Index, Member>,
    rollout: Option<&Deployment>,
    desired: usize,
) -> Vec<Index> {
    let Some(max_parallel) = target.max_parallel(group) else {
        return members.iter().filter(|(_, member)| member.is_old).map(|(index, _)| index.clone()).collect();
    };
    let course = target.course();
    let has_failed = rollout.is_some_and(|rollout| rollout.status == DeploymentStatus::Failed);
    match course {
        Course::Forward if has_failed => Vec::new(),
        // A finished rollout has nothing to replace, unless a slot was brought back from an older version.
        Course::Forward | Course::Back => choose(members, &Pace { desired, max_parallel, course }),
    }
}

/// The places that a rollout replaces now.
///
/// Not more than `max_parallel` new ones are under way at a time, and of those that serve only so many are
/// taken that `desired - max_parallel` go on serving. On the way forward none is replaced while one is bad
/// news. On the way back bad news stops nothing, since waiting would only keep what is known not to work:
/// what serves nobody goes at once, and a new one that does not come up counts as neither under way nor
/// desired, so that there is always a next step.
fn choose(members: &BTreeMap<Index, Member>, pace: &Pace) -> Vec<Index> {
    let Pace { desired, max_parallel, course } = *pace;
    let standings: Vec<(&Index, Standing)> =
        members.iter().map(|(index, member)| (index, member.standing())).collect();
    let count = |wanted: Standing| standings.iter().filter(|(_, standing)| *standing == wanted).count();
    let all = |wanted: Standing| {
        let found = standings.iter().filter(move |(_, standing)| *standing == wanted);
        found.map(|(index, _)| (*index).clone())
    };
    let bad_news = count(Standing::BadNews);
    let room = max_parallel.saturating_sub(count(Standing::UnderWay));
    let serving = count(Standing::OldServing) + count(Standing::Proved);
    let spare = |desired: usize| serving.saturating_sub(desired.saturating_sub(max_parallel));
    match course {
        Course::Forward if bad_news > 0 => Vec::new(),
        Course::Forward => {
            all(Standing::OldIdle).chain(all(Standing::OldServing).take(spare(desired))).take(room).collect()
        }
        Course::Back => {
            let spare = spare(desired.saturating_sub(bad_news));
            all(Standing::OldIdle).chain(all(Standing::OldServing).take(spare.min(room))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(letter: char) -> Member {
        let placed = |is_healthy| Fate::Placed { is_healthy };
        let (is_old, fate) = match letter {
            'O' => (true, placed(Some(true))),
            'o' => (true, placed(None)),
            'x' => (true, Fate::Unplaced),
            'N' => (false, placed(Some(true))),
            'n' => (false, placed(None)),
            'B' => (false, placed(Some(false))),
            'U' => (false, Fate::Unfit),
            _ => unreachable!("O o x N n B U"),
        };
        Member { slot: Slot::new(1), fate, is_old }
    }

    fn members(picture: &str) -> BTreeMap<Index, Member> {
        (0..).map(Index::Number).zip(picture.chars().map(member)).collect()
    }

    fn choice(picture: &str, max_parallel: usize, course: Course) -> String {
        let desired = picture.chars().filter(|letter| *letter != 'U').count();
        let chosen = choose(&members(picture), &Pace { desired, max_parallel, course });
        chosen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn never_more_than_may_be_missed() {
        let forward = |picture, max_parallel| choice(picture, max_parallel, Course::Forward);
        assert_eq!(forward("OOO", 1), "0");
        assert_eq!(forward("nOO", 1), "", "one is under way");
        assert_eq!(forward("NOO", 1), "1", "it is proved");
        assert_eq!(forward("OOOOO", 2), "0 1");
        assert_eq!(forward("nOOOO", 2), "1");
        assert_eq!(forward("BOOOO", 2), "", "the new version does not work");
        assert_eq!(forward("xOO", 1), "0", "one that serves nobody goes first");
        assert_eq!(forward("OxxO", 1), "1", "and takes the room of one that serves");
        assert_eq!(forward("OOO", 9), "0 1 2");
        assert_eq!(forward("NNN", 1), "");
        assert_eq!(forward("UOO", 1), "1", "a node that does not fit holds nobody up");
    }

    #[test]
    fn on_the_way_back_bad_news_stops_nothing() {
        let back = |picture, max_parallel| choice(picture, max_parallel, Course::Back);
        assert_eq!(back("xNB", 1), "0", "the broken one goes, whatever else does not come up");
        assert_eq!(back("xxB", 1), "0 1", "all that serve nobody go at once");
        assert_eq!(back("OB", 1), "0", "even the last one that serves: it is not what was asked for");
        assert_eq!(back("OOB", 1), "0");
        assert_eq!(back("nOB", 1), "", "but one at a time");
        assert_eq!(back("NOO", 1), "1");
    }

    proptest! {
        /// Whatever becomes of the new ones, good or bad, a way back ends with nothing old.
        #[test]
        fn a_way_back_always_ends(picture in "[OoxNBU]{1,8}", fates in "[NB]{16}", max_parallel in 1_usize..4) {
            let mut members = members(&picture);
            let desired = picture.chars().filter(|letter| *letter != 'U').count();
            let mut fates = fates.chars();
            while members.values().any(|member| member.is_old) {
                let chosen = choose(&members, &Pace { desired, max_parallel, course: Course::Back });
                prop_assert!(!chosen.is_empty(), "no next step from {members:?}");
                for index in chosen {
                    members.insert(index, member(fates.next().unwrap()));
                }
            }
        }

        /// On any way those that serve stay above the floor, and not more are under way than may be.
        #[test]
        fn no_step_takes_too_many(picture in "[OoxNnBU]{1,10}", max_parallel in 1_usize..4, is_back: bool) {
            let course = if is_back { Course::Back } else { Course::Forward };
            let serves = |letter: char| "OoN".contains(letter);
            let desired = picture.chars().filter(|letter| *letter != 'U').count();
            let bad = picture.chars().filter(|letter| *letter == 'B').count();
            let chosen = choose(&members(&picture), &Pace { desired, max_parallel, course });
            let letter = |index: &Index| match index {
                Index::Number(at) => picture.chars().nth(*at as usize).unwrap(),
                Index::Node(_) => unreachable!("numbers only"),
            };
            let taken = chosen.iter().filter(|index| serves(letter(index))).count();
            let left = picture.chars().filter(|letter| serves(*letter)).count() - taken;
            let floor = desired.saturating_sub(max_parallel + if is_back { bad } else { 0 });
            prop_assert!(taken == 0 || left >= floor, "{taken} taken, {left} left of {desired}");
            let under_way = picture.chars().filter(|letter| *letter == 'n').count();
            prop_assert!(taken == 0 || taken + under_way <= max_parallel);
        }
    }
}
