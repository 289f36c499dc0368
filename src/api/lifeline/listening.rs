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
