//! When a failed allocation is followed by another, if at all.

use jiff::{SignedDuration, Timestamp};
use schemas::policy::{DelayFunction, Reschedule};
use schemas::roster::{Slot, SlotState};

/// How many attempts in a row may find a port taken before that counts as a failure. Ports are chosen at random and
/// those found taken are left out, so that more than one such attempt is rare where any port is free.
const MOVES: u32 = 5;

/// The slot after its allocation found a port taken: the next attempt begins at once, on another port or node.
/// Nothing once that has happened too often.
pub(crate) fn moved(slot: &Slot) -> Option<Slot> {
    (slot.moves < MOVES).then(|| Slot { attempt: slot.attempt + 1, moves: slot.moves + 1, ..slot.clone() })
}

/// The slot after its allocation failed: waiting for the next attempt, or given up.
pub(crate) fn after_failure(
    slot: &Slot,
    policy: Option<&Reschedule>,
    ran_seconds: u64,
    now: Timestamp,
) -> Slot {
    let given_up = Slot { state: SlotState::Failed, ..slot.clone() };
    let Some(policy) = policy.filter(|policy| policy.is_enabled()) else { return given_up };
    let ran = SignedDuration::from_secs(i64::try_from(ran_seconds).unwrap_or(i64::MAX));
    let ceiling = ceiling(policy);
    // One that ran longer than the longest wait has proved itself: the next wait is the first again. How often it may
    // be tried within an interval is another matter.
    let is_proved = ran > ceiling && !policy.delay().is_zero();
    let begins_anew = if policy.is_unlimited() {
        is_proved
    } else {
        slot.failing_since.is_some_and(|since| now.duration_since(since) > policy.interval().to_signed())
    };
    let (failures, since) = if begins_anew { (0, None) } else { (slot.failures, slot.failing_since) };
    if !policy.is_unlimited() && failures >= policy.attempts() {
        return given_up;
    }
    let wait = delay(policy, if is_proved { 0 } else { failures });
    let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
    Slot {
        attempt: slot.attempt + 1,
        failures: failures + 1,
        failing_since: Some(since.unwrap_or(now)),
        state: SlotState::Wait { until },
        ..slot.clone()
    }
}

/// The longest wait.
fn ceiling(policy: &Reschedule) -> SignedDuration {
    match policy.delay_function() {
        DelayFunction::Constant => policy.delay().to_signed(),
        DelayFunction::Exponential | DelayFunction::Fibonacci => policy.max_delay().to_signed(),
    }
}

/// The wait after so many failures before this one.
fn delay(policy: &Reschedule, failures: u32) -> SignedDuration {
    let base = policy.delay().to_signed();
    let factor: i32 = match policy.delay_function() {
        DelayFunction::Constant => 1,
        DelayFunction::Exponential => 2_i32.saturating_pow(failures),
        DelayFunction::Fibonacci => fibonacci(failures),
    };
    base.checked_mul(factor)
        .unwrap_or(SignedDuration::MAX)
        .min(ceiling(policy))
        .max(base.min(ceiling(policy)))
}

/// 1, 1, 2, 3, 5, …
fn fibonacci(at: u32) -> i32 {
    let (mut one, mut other) = (1_i32, 1_i32);
    for _ in 0..at.min(45) {
        (one, other) = (other, one.saturating_add(other));
    }
    one
}

#[cfg(test)]
mod tests {
    use schemas::duration::Duration;

    use super::*;

    fn waits(policy: &Reschedule, times: usize, ran_seconds: u64) -> Vec<Option<i64>> {
        let mut slot = Slot::new(1);
        let now = Timestamp::UNIX_EPOCH;
        let mut waits = Vec::new();
        for _ in 0..times {
            slot = after_failure(&slot, Some(policy), ran_seconds, now);
            waits.push(match slot.state {
                SlotState::Wait { until } => Some(until.duration_since(now).as_secs()),
                SlotState::Run | SlotState::Complete | SlotState::Failed => None,
            });
        }
        waits
    }

    #[test]
    fn delays_grow_as_the_policy_says() {
        let policy = |function, max_minutes| Reschedule {
            delay: Some(Duration::from_seconds(30)),
            delay_function: Some(function),
            max_delay: Some(Duration::from_minutes(max_minutes)),
            unlimited: Some(true),
            ..Reschedule::default()
        };
        let exponential = policy(DelayFunction::Exponential, 5);
        assert_eq!(waits(&exponential, 6, 0), [30, 60, 120, 240, 300, 300].map(Some));
        assert_eq!(waits(&exponential, 3, 301), [30, 30, 30].map(Some), "long runs begin anew");
        let fibonacci = policy(DelayFunction::Fibonacci, 60);
        assert_eq!(waits(&fibonacci, 6, 0), [30, 30, 60, 90, 150, 240].map(Some));
        assert_eq!(waits(&policy(DelayFunction::Constant, 60), 3, 0), [30, 30, 30].map(Some));
    }

    #[test]
    fn limited_attempts_end_and_a_job_without_policy_has_none() {
        let policy = Reschedule {
            attempts: Some(2),
            interval: Some(Duration::from_hours(1)),
            delay: Some(Duration::from_seconds(5)),
            delay_function: Some(DelayFunction::Constant),
            unlimited: Some(false),
            ..Reschedule::default()
        };
        assert_eq!(waits(&policy, 3, 0), [Some(5), Some(5), None]);
        assert_eq!(waits(&policy, 3, 60), [Some(5), Some(5), None], "long runs give no further attempts");
        let slot = after_failure(&Slot::new(1), None, 0, Timestamp::UNIX_EPOCH);
        assert_eq!(slot.state, SlotState::Failed);
    }
}
