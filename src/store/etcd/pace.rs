//! How much history etcd should keep, decided from looks at it.
//!
//! Time is an argument. What is forgotten was current a whole `keep` ago, so that only a watch that far behind
//! has to list again. It is forgotten once that is worth a compaction: many revisions, or history that has
//! grown as large as what lives. A cluster at rest makes so few revisions that it compacts once in a quarter
//! of an hour. Space that compaction frees is used again, so etcd's file stops growing.

use std::collections::VecDeque;
use std::time::Duration;

use schemas::key::Revision;

/// As many revisions are worth a compaction: what one server's beat makes in a quarter of an hour.
const WORTH_REVISIONS: u64 = 1_000;
/// Less history than this is never worth a compaction by its size alone.
const WORTH_BYTES: u64 = 4 * 1024 * 1024;
/// So much history is a danger to a quota of 2 GiB, so less of it is kept: [`LOOKS`] parts of `keep` become one.
const HURRY_BYTES: u64 = 256 * 1024 * 1024;
/// How many looks there are in the time that is kept.
const LOOKS: u32 = 6;

/// Etcd at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Since any fixed beginning.
    pub(super) at: Duration,
    /// Where the store stands.
    pub(super) revision: Revision,
    /// What its file holds, without free pages.
    pub(super) used_bytes: u64,
}

/// A look, and how much was written up to then.
#[derive(Clone, Copy, Debug)]
struct Mark {
    look: Look,
    written_bytes: u64,
}

/// What was seen so far.
pub(super) struct Pace {
    keep: Duration,
    /// The oldest is the youngest of those that are at least `keep` old.
    marks: VecDeque<Mark>,
    compacted: Revision,
    /// What had been written when the compacted revision was current.
    compacted_bytes: u64,
}

impl Pace {
    /// Keeps this much history.
    pub(super) fn new(keep: Duration) -> Pace {
        Pace { keep, marks: VecDeque::new(), compacted: Revision(0), compacted_bytes: 0 }
    }

    /// How long to wait between looks.
    pub(super) fn between_looks(&self) -> Duration {
        self.keep / LOOKS
    }

    /// Takes a look into account and says up to where history should be forgotten, if at all.
    pub(super) fn look(&mut self, look: Look) -> Option<Revision> {
        let written_bytes = self.marks.back().map_or(0, |last| {
            // What a compaction freed meanwhile hides a part of it.
            last.written_bytes + look.used_bytes.saturating_sub(last.look.used_bytes)
        });
        let now = Mark { look, written_bytes };
        self.marks.push_back(now);
        while self.marks.get(1).is_some_and(|next| is_before(next, now, self.keep)) {
            self.marks.pop_front();
        }
        self.due(now)
    }

    /// Takes a compaction into account that was done.
    pub(super) fn compacted(&mut self, at: Revision) {
        self.compacted = self.compacted.max(at);
        let target = self.marks.iter().rev().find(|mark| mark.look.revision <= at);
        self.compacted_bytes = target.map_or(self.compacted_bytes, |mark| mark.written_bytes);
    }

    fn due(&self, now: Mark) -> Option<Revision> {
        let history_bytes = now.written_bytes - self.compacted_bytes;
        let age = if history_bytes >= HURRY_BYTES { self.between_looks() } else { self.keep };
        let target = self.marks.iter().rev().find(|mark| is_before(mark, now, age))?;
        let revisions = target.look.revision.0.saturating_sub(self.compacted.0);
        let bytes = target.written_bytes.saturating_sub(self.compacted_bytes);
        let lives_bytes = now.look.used_bytes.saturating_sub(history_bytes);
        let is_large = bytes >= lives_bytes.clamp(WORTH_BYTES, HURRY_BYTES);
        (revisions >= WORTH_REVISIONS || (is_large && revisions > 0)).then_some(target.look.revision)
    }
}

fn is_before(mark: &Mark, now: Mark, age: Duration) -> bool {
    now.look.at.saturating_sub(mark.look.at) >= age
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const KEEP: Duration = Duration::from_secs(30);

    fn look(second: u64, revision: u64, used_mib: u64) -> Look {
        let (at, revision) = (Duration::from_secs(second), Revision(revision));
        Look { at, revision, used_bytes: used_mib * 1024 * 1024 }
    }

    /// What is forgotten, and when, over looks of (second, revision, MiB used).
    fn forgotten(looks: impl IntoIterator<Item = (u64, u64, u64)>) -> String {
        let mut pace = Pace::new(KEEP);
        let told = looks.into_iter().filter_map(|(second, revision, used_mib)| {
            let target = pace.look(look(second, revision, used_mib))?;
            pace.compacted(target);
            Some(format!("up to {target} at {second}s"))
        });
        told.collect::<Vec<_>>().join(" · ")
    }

    #[test]
    fn what_was_current_a_period_ago_is_forgotten() {
        let looks = [(0, 5_000, 10), (5, 5_500, 10), (25, 6_000, 10), (30, 9_000, 10), (35, 9_500, 10)];
        assert_snapshot!(forgotten(looks), @"up to 5000 at 30s");
    }

    #[test]
    fn a_cluster_at_rest_is_hardly_ever_compacted() {
        let looks = (0..=720).map(|look| (look * 5, 100 + look * 5, 3));
        assert_snapshot!(forgotten(looks), @"up to 1000 at 930s · up to 2000 at 1930s · up to 3000 at 2930s");
    }

    #[test]
    fn few_but_large_revisions_are_forgotten_by_size() {
        // The first 5 MiB are not old enough before 60 s.
        let looks = [(0, 10, 3), (30, 20, 8), (50, 30, 9), (60, 40, 10), (65, 50, 5), (100, 60, 8)];
        assert_snapshot!(forgotten(looks), @"up to 20 at 60s");
    }

    #[test]
    fn large_live_state_waits_for_as_much_history() {
        let looks = [(0, 10, 40), (30, 20, 60), (60, 30, 79), (90, 40, 80), (120, 50, 81)];
        assert_snapshot!(forgotten(looks), @"up to 40 at 120s");
    }

    #[test]
    fn a_flood_is_forgotten_sooner() {
        let looks = [(0, 10, 40), (5, 300, 200), (10, 600, 360), (15, 900, 520)];
        assert_snapshot!(forgotten(looks), @"up to 300 at 10s");
    }

    #[test]
    fn nothing_is_forgotten_twice() {
        let looks = [(0, 2_000, 3), (30, 2_001, 30), (35, 2_001, 30), (65, 2_001, 3), (70, 2_001, 3)];
        assert_snapshot!(forgotten(looks), @"up to 2000 at 30s · up to 2001 at 65s");
    }

    #[test]
    fn a_steady_stream_stays_within_its_bounds() {
        // 1 MiB and 10 revisions a second over 10 MiB that live.
        let (mut pace, mut compacted, mut most_mib) = (Pace::new(KEEP), 0, 0);
        for second in (0..3_600).step_by(5) {
            let used_mib = 10 + second - compacted / 10;
            most_mib = used_mib.max(most_mib);
            if let Some(target) = pace.look(look(second, second * 10, used_mib)) {
                pace.compacted(target);
                compacted = target.0;
            }
        }
        // What lives, what is kept, as much again as lives, one look, and what a compaction hides from two looks.
        assert!(most_mib <= 10 + 30 + 10 + 3 * 5, "{most_mib} MiB");
    }
}
