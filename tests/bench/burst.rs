//! Many instances of one job at once.

use std::time::Duration;

use crate::{cluster::Cluster, stamp, user::User};

const TASKS: usize = 50;
const ROUNDS: usize = 10;

/// How long each round took until all were visible as running.
pub async fn measure(cluster: &Cluster) -> Vec<Duration> {
    let mut user = User::of(cluster).await;
    let mut rounds = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let job = format!("burst-{round}");
        let file = cluster.path("stamp-burst");
        let began = user.apply(&job, TASKS, stamp::command(&file)).await;
        rounds.push(user.until_running(&job, TASKS).await.saturating_sub(began));
        user.remove(&job).await;
    }
    rounds
}
