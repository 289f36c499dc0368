//! What this process saw itself, the one thing in a view that the store does not hold: when it last heard from each
//! server, for how long it has been listening, and what vanished before its eyes.
//!
//! All times are this process's own uptime, which goes on while the machine sleeps; what clocks show never matters.
//! Silence of the observer is not silence of the observed: after a pause of this process, and after a time in which
//! its own server's beat did not get through the store, everybody's silence is counted anew. After a start, a
//! take-over of leadership or a long pause nothing is known of anybody: that is told by `freshness`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use schemas::key::Key;

/// Between two ticks of half a second lies no more than this, unless the process stood still.
const PAUSED_AFTER: SignedDuration = SignedDuration::from_millis(1_500);
/// Without its own server's beat for this long the process sees nothing: it beats once a second.
const BLIND_AFTER: SignedDuration = SignedDuration::from_secs(3);
/// After a pause of more than this one knows as little as after a start: it is the usual grace.
const LONG_PAUSE: SignedDuration = SignedDuration::from_secs(6);
/// How long a loss is remembered: longer than it takes an agent that lives to compare what is stored of it, a minute.
const LOSS_LASTS: SignedDuration = SignedDuration::from_secs(75);

/// What was heard, and since when there was anything to hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    own: Option<String>,
    now: SignedDuration,
    /// When its own server's beat was heard last; none: nothing was heard yet.
    last: Option<SignedDuration>,
    /// Since when nothing has kept it from hearing.
    steady: SignedDuration,
    /// Since the start, the last take-over or the end of the last long pause.
    fresh: SignedDuration,
    heard: BTreeMap<String, SignedDuration>,
    leader: Option<String>,
    unreadable: BTreeMap<Key, SignedDuration>,
    lost: BTreeMap<Key, SignedDuration>,
}

impl Sight {
    /// Sees with the eyes of this server: while its own beat does not get through, it sees nothing.
    pub fn belongs_to(&mut self, server: &str) {
        self.own = Some(server.to_owned());
    }

    /// Time has passed.
    pub fn tick(&mut self, uptime: SignedDuration) {
        let gap = uptime.saturating_sub(self.now);
        if gap > PAUSED_AFTER {
            self.begin_anew(uptime, gap);
        }
        self.now = uptime.max(self.now);
        if !self.lost.is_empty() && self.is_seeing() {
            let (now, steady) = (self.now, self.steady);
            self.lost.retain(|_, lost| now.saturating_sub((*lost).max(steady)) < LOSS_LASTS);
        }
    }

    /// A server's beat has changed.
    pub fn heard(&mut self, server: &str, uptime: SignedDuration) {
        self.tick(uptime);
        self.heard.insert(server.to_owned(), self.now);
        if self.own.as_deref().is_some_and(|own| own != server) {
            return;
        }
        let gap = self.last.map_or(SignedDuration::MAX, |last| self.now.saturating_sub(last));
        if gap > BLIND_AFTER {
            self.begin_anew(self.now, gap);
        }
        self.last = Some(self.now);
    }

    /// Some server leads those who judge.
    pub fn led_by(&mut self, server: &str) {
        if self.leader.as_deref() == Some(server) {
            return;
        }
        if self.leader.replace(server.to_owned()).is_some() {
            self.begin_anew(self.now, SignedDuration::MAX);
        }
    }

    /// A document was found to be unreadable, or not to be any more.
    pub fn found(&mut self, key: &Key, is_unreadable: bool) {
        if is_unreadable {
            self.unreadable.entry(key.clone()).or_insert(self.now);
        } else {
            self.unreadable.remove(key);
        }
    }

    /// A placement vanished although nobody had said that its allocation ended, or is there again.
    pub fn missed(&mut self, placement: &Key, is_missing: bool) {
        if is_missing {
            self.lost.entry(placement.clone()).or_insert(self.now);
        } else {
            self.lost.remove(placement);
        }
    }

    /// Placements that vanished a short while ago, and how long it may take until their agents have told what they run.
    pub fn losses(&self) -> impl Iterator<Item = (&Key, SignedDuration)> {
        let is_seeing = self.is_seeing();
        self.lost.iter().map(move |(key, lost)| {
            let since = self.now.saturating_sub((*lost).max(self.steady));
            (key, if is_seeing { LOSS_LASTS.saturating_sub(since) } else { LOSS_LASTS })
        })
    }

    /// For how long a document has been unreadable and servers could be heard to mend it, as far as this process can
    /// tell; nothing if it cannot.
    pub fn unreadable_for(&self, key: &Key) -> Option<SignedDuration> {
        let found = self.unreadable.get(key)?;
        self.is_seeing().then(|| self.now.saturating_sub((*found).max(self.steady)))
    }

    /// For how long a server has been silent, as far as this process can tell; nothing if it cannot.
    pub fn silence(&self, server: &str) -> Option<SignedDuration> {
        let heard = self.heard.get(server).copied().unwrap_or_default();
        self.is_seeing().then(|| self.now.saturating_sub(heard.max(self.steady)))
    }

    fn is_seeing(&self) -> bool {
        self.last.is_some_and(|last| self.now.saturating_sub(last) <= BLIND_AFTER)
    }

    /// How long ago nothing was known of anybody.
    pub fn freshness(&self) -> SignedDuration {
        if self.last.is_none() { SignedDuration::ZERO } else { self.now.saturating_sub(self.fresh) }
    }

    fn begin_anew(&mut self, at: SignedDuration, gap: SignedDuration) {
        self.steady = at;
        if gap > LONG_PAUSE {
            self.fresh = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> SignedDuration {
        SignedDuration::from_millis(millis)
    }

    /// Hears its own beat and those of `others` every second.
    fn hear(sight: &mut Sight, seconds: std::ops::RangeInclusive<i64>, others: &[&str]) {
        for second in seconds {
            sight.tick(at(second * 1_000 - 500));
            sight.heard("own", at(second * 1_000));
            others.iter().for_each(|other| sight.heard(other, at(second * 1_000)));
        }
    }

    fn sight() -> Sight {
        let mut sight = Sight::default();
        sight.belongs_to("own");
        hear(&mut sight, 100..=140, &["s1"]);
        sight
    }

    #[test]
    fn silence_is_counted_from_the_last_beat_or_the_begin_of_sight() {
        let mut sight = Sight::default();
        sight.belongs_to("own");
        assert_eq!((sight.silence("s1"), sight.freshness()), (None, at(0)), "nothing heard yet");
        sight.heard("s1", at(99_500));
        assert_eq!(sight.silence("s1"), None, "nothing of its own");
        hear(&mut sight, 100..=105, &[]);
        assert_eq!((sight.silence("s1"), sight.silence("s2")), (Some(at(5_000)), Some(at(5_000))));
        assert_eq!(sight.freshness(), at(5_000));
    }

    #[test]
    fn its_own_pause_is_nobodys_silence() {
        let mut sight = sight();
        sight.tick(at(142_600));
        assert_eq!(sight.silence("s1"), Some(at(0)), "after 2.6 s everybody's silence begins anew");
        assert_eq!(sight.freshness(), at(42_600), "which is no reason to doubt all that was known");
        hear(&mut sight, 143..=145, &[]);
        assert_eq!(sight.silence("s1"), Some(at(2_400)));
        sight.tick(at(160_000));
        assert_eq!(sight.freshness(), at(0), "a long pause is like a start");
    }

    #[test]
    fn while_the_store_stalls_nobody_is_silent() {
        let mut sight = sight();
        (281..=290).for_each(|half| sight.heard("s2", at(half * 500)));
        assert_eq!(sight.silence("s1"), None, "its own beat does not get through, whoever else's does");
        hear(&mut sight, 146..=147, &["s2"]);
        assert_eq!(sight.silence("s1"), Some(at(1_000)), "counted since the stall was over");
        assert_eq!(sight.freshness(), at(47_000));
    }

    #[test]
    fn a_loss_is_remembered_until_it_is_made_good_or_every_agent_had_its_say() {
        let (mut sight, key) = (sight(), Key::placement("n1", "default", "web.api.0-v1.0"));
        let left = |sight: &Sight| sight.losses().next().map(|(_, left)| left.as_secs());
        sight.missed(&key, true);
        assert_eq!(left(&sight), Some(75));
        sight.missed(&key, false);
        assert_eq!(left(&sight), None, "it is there again");
        sight.missed(&key, true);
        hear(&mut sight, 141..=200, &[]);
        sight.missed(&key, true);
        assert_eq!(left(&sight), Some(15), "the first loss counts");
        hear(&mut sight, 230..=230, &[]);
        assert_eq!(left(&sight), Some(75), "agents may not have been heard during a pause");
        hear(&mut sight, 231..=306, &[]);
        assert_eq!(left(&sight), None);
    }

    #[test]
    fn who_takes_over_knows_nothing_yet() {
        let mut sight = Sight::default();
        sight.belongs_to("own");
        hear(&mut sight, 100..=140, &[]);
        sight.led_by("s1");
        assert_eq!(sight.freshness(), at(40_000), "the first leader that it sees");
        sight.led_by("s1");
        sight.led_by("own");
        assert_eq!((sight.freshness(), sight.silence("s1")), (at(0), Some(at(0))));
        hear(&mut sight, 141..=145, &[]);
        sight.led_by("own");
        assert_eq!(
            (sight.freshness(), sight.silence("s1")),
            (at(5_000), Some(at(5_000))),
            "the same leads on"
        );
    }
}
