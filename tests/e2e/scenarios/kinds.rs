//! Service, batch and system jobs of plain processes.

use crate::{
    cluster::{Cluster, witnesses},
    jobs,
    mounts::mounts_below,
    scenarios::pairs,
    wait,
};

/// Three instances of a group of two tasks are six processes.
pub async fn three_instances_of_two_tasks(cluster: Cluster) {
    pairs::start(&cluster, 3).await;

    cluster.run(&["delete", "job", "pairs"]);
    wait::until(wait::STEP, "all tasks to end", async || {
        let alive = cluster.tasks();
        if alive.is_empty() { Ok(()) } else { Err(format!("{alive:?}")) }
    })
    .await;
}

/// A job is deleted and made again under its name, with the same version number and other tasks: what runs is what
/// was asked for last, and nothing of an earlier life.
pub async fn deleted_and_made_again_at_once(cluster: Cluster) {
    for life in 0..4 {
        let witness = cluster.witness().join(life.to_string());
        std::fs::create_dir(&witness).expect("a new directory can be made");
        let file = cluster.write_job("again", &jobs::pairs("again", 2, &witness));
        cluster.until_done(&["apply", &file]).await;
        wait::until(wait::ROLLOUT, "the tasks of this life alone", async || {
            let here = witnesses(&witness).len();
            let earlier: usize =
                (0..life).map(|life| witnesses(&cluster.witness().join(life.to_string())).len()).sum();
            if (here, earlier) == (4, 0) {
                Ok(())
            } else {
                Err(format!("{here} of this life, {earlier} of earlier ones\n{}", cluster.last_words()))
            }
        })
        .await;
        cluster.until_healthy("again", 2).await;
        cluster.run(&["delete", "job", "again"]);
    }
}

/// Every instance of a batch job ends well once, the job is complete, and what its tasks wrote is there to be read as
/// soon as it is told that they have ended.
pub async fn batch_runs_to_completion(cluster: Cluster) {
    cluster.apply("work", &jobs::batch("work", 3, &cluster.witness()));
    wait::until(wait::STEP, "three complete instances", async || {
        let allocations = cluster.api.allocations("work").await?;
        let complete = allocations.iter().filter(|one| one.state == "complete").count();
        if complete == 3 { Ok(()) } else { Err(format!("{allocations:?}\n{}", cluster.last_words())) }
    })
    .await;
    let logs = cluster.run(&["logs", "work"]);
    for index in 0..3 {
        for line in ["work | done", "aside | noted"] {
            let is_there =
                |text: &str| text.starts_with(&format!("work.main.{index}-")) && text.ends_with(line);
            assert!(logs.lines().any(is_there), "instance {index}, {line}: {logs}");
        }
    }
    let shown = cluster.run(&["get", "allocations"]);
    assert_eq!(shown.lines().count(), 4, "nothing lives, so all are shown: {shown}");
    assert!(!shown.contains("true"), "what has ended is not healthy: {shown}");
    wait::until(wait::STEP, "the secrets of what has ended to be gone", async || {
        let mounted = mounts_below(&cluster.path("n0"));
        if mounted.is_empty() { Ok(()) } else { Err(format!("{mounted:?}")) }
    })
    .await;
    let started = std::fs::read_dir(cluster.witness()).expect("the directory is there").count();
    assert_eq!(started, 6, "each task of each instance ran exactly once");
}

/// A system job has one instance on each of three nodes, and on none twice.
pub async fn system_job_runs_on_every_node(cluster: Cluster) {
    cluster.apply("daemon", &jobs::on_every_node("daemon", &cluster.witness()));
    cluster.until_healthy("daemon", 3).await;
    let mut nodes: Vec<String> = cluster
        .api
        .allocations("daemon")
        .await
        .expect("the API answers")
        .into_iter()
        .map(|one| one.node)
        .collect();
    nodes.sort();
    assert_eq!(nodes, ["n0", "n1", "n2"]);
    assert_eq!(cluster.tasks().len(), 3);
}
