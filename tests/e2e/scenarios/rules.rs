//! Rules about places that leave nothing to run, or move what runs.

use crate::{cluster::Cluster, jobs, wait};

/// A job with one more line at its top.
fn with(text: &str, rule: &str) -> String {
    text.replacen("  group ", &format!("  {rule}\n  group "), 1)
}

/// A system job that fits no node says so wherever people look, and its rollout ends; a job that is scaled to 0 is over.
pub async fn all_of_none_is_told_as_none(cluster: Cluster) {
    let nowhere = with(
        &jobs::on_every_node("daemon", &cluster.witness()),
        "constraint {\n    attribute = \"${node.datacenter}\"\n    value = \"nowhere\"\n  }",
    );
    let file = cluster.write_job("daemon", &nowhere);
    let plan = cluster.try_run(&["plan", &file]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(plan.contains("no node fits"), "{plan}");
    cluster.run(&["apply", &file]);
    rolled_out(&cluster, "daemon", 1).await;
    let why = cluster.run(&["why", "daemon"]);
    assert!(why.contains("Placed is False: no node fits"), "{why}");
    assert!(why.contains("group \"main\": no node fits"), "{why}");

    cluster.apply("pairs", &jobs::pairs("pairs", 2, &cluster.witness()));
    cluster.until_healthy("pairs", 2).await;
    cluster.run(&["scale", "pairs", "0"]);
    let phase = ["status", "pairs", "-o", "jsonpath={.status.phase}"];
    wait::until(wait::STEP, "the job to be over", async || {
        let phase = cluster.run(&phase);
        if phase == "dead" { Ok(()) } else { Err(phase) }
    })
    .await;
    let why = cluster.run(&["why", "pairs"]);
    assert!(why.contains("every group is scaled to 0"), "{why}");
    cluster.run(&["scale", "pairs", "1"]);
    cluster.until_healthy("pairs", 1).await;
}

/// Two instances on one node are told to be on two: one moves, and the other never ends.
pub async fn neighbours_move_apart(cluster: Cluster) {
    let pairs = jobs::pairs("pairs", 2, &cluster.witness());
    let on_one = "constraint {\n    attribute = \"${node.unique.name}\"\n    value = \"n0\"\n  }";
    cluster.apply("pairs", &with(&pairs, on_one));
    cluster.until_healthy("pairs", 2).await;
    let before = cluster.names("pairs").await;

    let apart = with(&pairs, "constraint {\n    distinct_hosts = true\n  }");
    let file = cluster.write_job("apart", &apart);
    let plan = cluster.try_run(&["plan", "-o", "json", &file]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(plan.contains("\"destructive\": 1") && plan.contains("\"inPlace\": 1"), "{plan}");
    cluster.run(&["apply", &file]);
    rolled_out(&cluster, "pairs", 2).await;
    cluster.until_healthy("pairs", 2).await;
    let after = cluster.names("pairs").await;
    assert_eq!(before.intersection(&after).count(), 1, "{before:?} {after:?}");
    let allocations = cluster.api.allocations("pairs").await.expect("the API answers");
    let running = allocations.iter().filter(|one| after.contains(&one.name));
    let mut nodes: Vec<&str> = running.map(|one| one.node.as_str()).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["n0", "n1"]);
}

async fn rolled_out(cluster: &Cluster, job: &str, version: u64) {
    wait::until(wait::ROLLOUT, "the rollout to end", async || {
        let status = cluster.api.rollout(job, version).await?;
        if status == "successful" { Ok(()) } else { Err(status) }
    })
    .await;
}
