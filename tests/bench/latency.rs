//! One job after another: how long until its process runs, and until a user who watches knows.

use crate::{chain, cluster::Cluster, numbers::Chain, stamp, user::User};

/// Runs before the measured ones: caches fill, connections open.
const WARM_UP: usize = 10;

/// Measures this many runs.
pub async fn measure(cluster: &Cluster, runs: usize) -> Vec<Chain> {
    let mut user = User::of(cluster).await;
    let mut measured = Vec::with_capacity(runs);
    for run in 0..WARM_UP + runs {
        let (job, file) = (format!("run-{run}"), cluster.path(&format!("stamp-{run}")));
        let began = user.apply(&job, 1, stamp::command(&file)).await;
        let seen = user.until_running(&job, 1).await;
        let started = chain::started(&file).await.saturating_sub(began);
        measured.push(Chain { started, visible: seen.saturating_sub(began) });
        user.remove(&job).await;
    }
    measured.split_off(WARM_UP)
}
