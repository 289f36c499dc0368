//! Waiting for something to become true, by asking again until a deadline that has its reason.

use std::{
    panic::Location,
    time::{Duration, Instant},
};

/// For a process to answer: a debug build on a busy machine of two cores.
pub const START: Duration = Duration::from_secs(30);
/// For one step of a job: placed, started, reported.
pub const STEP: Duration = Duration::from_secs(30);
/// For a rollout, or for a lost node to be noticed and replaced.
pub const ROLLOUT: Duration = Duration::from_secs(90);

const BETWEEN: Duration = Duration::from_millis(50);

/// Asks until the answer is `Ok`; panics with the last answer when the time is over.
#[track_caller]
pub fn until<T>(
    within: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let deadline = Instant::now() + within;
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(last) if Instant::now() > deadline => {
                    panic!("{caller}: waited {} s for {what}; last seen: {last}", within.as_secs())
                }
                Err(_) => tokio::time::sleep(BETWEEN).await,
            }
        }
    }
}
