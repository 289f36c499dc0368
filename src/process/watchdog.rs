//! Whether the threads of this server are as quick as they should be.
//!
//! A tick on each lane should come every 100 ms. What comes later was kept waiting, by this process or by its machine:
//! that is no silence of anybody else. Delays are counted; one of a second is a stall, and said.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::lanes::Lanes;

/// How often a lane should tick.
const EVERY: Duration = Duration::from_millis(100);
/// From which delay on a lane has stalled: as long as a server's beat.
const STALL: Duration = Duration::from_secs(1);

/// Watches every lane until told to stop.
pub(super) fn watch(lanes: &Lanes, stop: &CancellationToken, tasks: &mut JoinSet<()>) {
    tasks.spawn_on(ticks("life", stop.clone()), &lanes.life);
    tasks.spawn_on(ticks("plans", stop.clone()), &lanes.plans);
    tasks.spawn(ticks("main", stop.clone()));
}

async fn ticks(lane: &'static str, stop: CancellationToken) {
    let (delays, stalls) =
        (telemetry::LANE_DELAY.with_label_values(&[lane]), telemetry::LANE_STALLS.with_label_values(&[lane]));
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let delay = last.elapsed().saturating_sub(EVERY);
        last = Instant::now();
        delays.observe(delay.as_secs_f64());
        if delay >= STALL {
            stalls.inc();
            tracing::warn!(lane, delay_ms = delay.as_millis(), "the threads of this server stood still");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_is_held_is_noticed() {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let before = telemetry::LANE_STALLS.with_label_values(&["held"]).get();
        tasks.spawn(ticks("held", stop.clone()));
        tokio::time::sleep(EVERY).await;
        std::thread::sleep(STALL + 2 * EVERY);
        tokio::time::sleep(2 * EVERY).await;
        assert_eq!(telemetry::LANE_STALLS.with_label_values(&["held"]).get(), before + 1);
        stop.cancel();
        while tasks.join_next().await.is_some() {}
    }
}
