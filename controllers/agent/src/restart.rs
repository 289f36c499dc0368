//! Whether and when a task that ended is started again on this node.

use jiff::{SignedDuration, Timestamp};
use schemas::policy::{Restart, RestartMode};
use serde::{Deserialize, Serialize};

/// The restarts that count against the policy now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When the first of them was.
    pub began: Timestamp,
    /// How many there were.
    pub count: u32,
}

/// What becomes of a task that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is started again.
    Restart {
        /// When.
        at: Timestamp,
        /// What counts from now on.
        window: Window,
    },
    /// It is not.
    GiveUp {
        /// Why, for people.
        reason: String,
    },
}

/// What the policy says to an end at `now`. `seed` makes the jitter differ between tasks and agree with itself.
pub(crate) fn judge(policy: &Restart, window: Option<Window>, seed: &str, now: Timestamp) -> Verdict {
    let (attempts, interval) = (policy.attempts(), policy.interval());
    let current = window.filter(|window| now < after(window.began, interval.to_signed()));
    let window = current.unwrap_or(Window { began: now, count: 0 });
    if window.count < attempts {
        let delay = policy.delay().to_signed();
        let at = after(after(now, delay), jitter(delay, seed, window.count));
        return Verdict::Restart { at, window: Window { count: window.count + 1, ..window } };
    }
    match policy.mode() {
        RestartMode::Fail if attempts == 0 => {
            Verdict::GiveUp { reason: "the policy allows no restarts".to_owned() }
        }
        RestartMode::Fail => {
            let reason =
                format!("exceeded allowed attempts {attempts} in interval {interval} and mode is \"fail\"");
            Verdict::GiveUp { reason }
        }
        RestartMode::Delay => Verdict::Restart { at: after(window.began, interval.to_signed()), window },
    }
}

/// `at` plus `span`, at most the end of time.
pub(crate) fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// Up to a quarter of the delay, so that what failed together does not come back together.
fn jitter(delay: SignedDuration, seed: &str, count: u32) -> SignedDuration {
    let hash = seed.bytes().chain(count.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let thousandth = i32::try_from((hash >> 32) % 251).unwrap_or(0);
    delay / 1000 * thousandth
}

#[cfg(test)]
mod tests {
    use schemas::duration::Duration;

    use super::*;

    fn policy(mode: RestartMode) -> Restart {
        Restart {
            attempts: Some(2),
            interval: Some(Duration::from_minutes(5)),
            delay: Some(Duration::from_seconds(10)),
            mode: Some(mode),
            render_templates: None,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn restarts_come_after_the_delay_and_at_most_a_quarter_more() {
        for seed in ["a", "b", "c", "d"] {
            let Verdict::Restart { at: time, window } = judge(&policy(RestartMode::Fail), None, seed, at(0))
            else {
                panic!("the first restart is allowed");
            };
            assert!(time >= at(10) && time <= at(13), "{time}");
            assert_eq!(window, Window { began: at(0), count: 1 });
        }
    }

    #[test]
    fn a_spent_window_fails_or_waits_for_the_next() {
        let window = Window { began: at(0), count: 2 };
        let spent = Some(window);
        assert!(matches!(judge(&policy(RestartMode::Fail), spent, "a", at(60)), Verdict::GiveUp { .. }));
        let waits = Verdict::Restart { at: at(300), window };
        assert_eq!(judge(&policy(RestartMode::Delay), spent, "a", at(60)), waits);
        let Verdict::Restart { window, .. } = judge(&policy(RestartMode::Fail), spent, "a", at(300)) else {
            panic!("a new window has begun");
        };
        assert_eq!(window, Window { began: at(300), count: 1 });
    }
}
