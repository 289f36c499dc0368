//! Since when a server has been listening without a pause.
//!
//! A process that stood still (stopped, starved, its machine asleep) has heard nobody meanwhile, and has beats of
//! before the pause before it still to read. It notices by a gap between two of its own looks.

use std::time::Duration;

/// How often the listener looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Between two looks lies no more than this, unless the process stood still.
const PAUSED_AFTER: Duration = Duration::from_millis(1_500);
/// After a pause of more than this one knows as little as after a start: it is the usual grace.
const LONG_PAUSE: Duration = Duration::from_secs(6);

/// Without a beat of its own in the store for this long a server cannot say what it hears: it beats once a second.
const DEAF_AFTER: Duration = Duration::from_millis(2_500);

/// What a listener knows of itself. All times are the process's uptime, which goes on while the machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listening {
    looked: Duration,
    /// When the store last took its server's own beat.
    stored: Duration,
    /// Since the end of the last pause.
    pub(super) steady: Duration,
    /// Since the start or the end of the last long pause.
    pub(super) fresh: Duration,
}

impl Listening {
    /// Begins to listen.
    pub(super) fn begin(uptime: Duration) -> Listening {
        Listening { looked: uptime, stored: uptime, steady: uptime, fresh: uptime }
    }

    /// Looks: nothing has kept it from listening since the last look, or it begins anew.
    pub(super) fn look(&mut self, uptime: Duration) {
        let gap = uptime.saturating_sub(self.looked);
        if gap > PAUSED_AFTER {
            tracing::warn!(
                seconds = gap.as_secs_f32(),
                "this server stood still: all nodes get a fresh grace"
            );
            self.begin_anew(uptime, gap);
        }
        self.looked = uptime;
    }

    /// The store took its server's own beat.
    pub(super) fn reached_store(&mut self, uptime: Duration) {
        let gap = uptime.saturating_sub(self.stored);
        if gap > DEAF_AFTER {
            tracing::warn!(seconds = gap.as_secs_f32(), "the store stood still: all nodes get a fresh grace");
            self.begin_anew(uptime, gap);
        }
        self.stored = uptime;
    }

    /// Whether beats had better go to another server, since this one cannot say what it hears.
    pub(super) fn is_deaf(&self, uptime: Duration) -> bool {
        uptime.saturating_sub(self.stored) > DEAF_AFTER
    }

    fn begin_anew(&mut self, uptime: Duration, gap: Duration) {
        self.steady = uptime;
        if gap > LONG_PAUSE {
            self.fresh = uptime;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It looks twice a second, and its own beat comes through every second if `is_stored`.
    fn listen(listening: &mut Listening, seconds: std::ops::Range<u64>, is_stored: bool) {
        for second in seconds {
            listening.look(Duration::from_secs(second));
            if is_stored {
                listening.reached_store(Duration::from_secs(second));
            }
            listening.look(Duration::from_millis(second * 1_000 + 500));
        }
    }

    #[test]
    fn a_stall_of_the_store_is_its_own_silence() {
        let at = Duration::from_secs;
        let mut listening = Listening::begin(at(100));
        listen(&mut listening, 100..110, true);
        listen(&mut listening, 110..112, false);
        assert!(!listening.is_deaf(at(111)), "one beat may be late");
        assert!(listening.is_deaf(at(112)), "it cannot say what it hears");
        listen(&mut listening, 112..114, false);
        assert_eq!(listening.steady, at(100), "it is not known yet how long the stall is");
        listen(&mut listening, 114..120, true);
        assert!(!listening.is_deaf(at(120)));
        assert_eq!((listening.steady, listening.fresh), (at(114), at(100)), "silence is counted anew");
        listen(&mut listening, 120..130, false);
        listen(&mut listening, 130..131, true);
        assert_eq!((listening.steady, listening.fresh), (at(130), at(130)), "a long one is like a start");
    }
}
