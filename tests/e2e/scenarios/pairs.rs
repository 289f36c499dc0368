//! The job of most scenarios: instances of two tasks each, whose processes must not notice what happens around them.

use crate::{cluster::Cluster, jobs, process::Identity};

/// Runs this many instances; their processes.
pub async fn start(cluster: &Cluster, count: usize) -> Vec<Identity> {
    cluster.apply("pairs", &jobs::pairs("pairs", count, &cluster.witness()));
    cluster.until_healthy("pairs", count).await;
    let tasks = cluster.tasks();
    assert_eq!(tasks.len(), 2 * count, "{}", cluster.last_words());
    tasks
}

/// Waits until the job has grown to this many: what ran before goes on.
pub async fn until_grown(cluster: &Cluster, count: usize, before: &[Identity]) {
    cluster.until_healthy("pairs", count).await;
    cluster.assert_alive(before);
}
