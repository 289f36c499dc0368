//! Documents in etcd that nobody can read: they harm nobody, hold nobody up and are mended by their owners.

use etcd_client::Client;

use crate::{cluster::Cluster, scenarios::pairs, wait};

/// Neither JSON nor MessagePack of anything.
const GARBAGE: &[u8] = b"\xffgarbage";

/// Health and links are garbage, also while no server runs: tasks go on, and the cluster places.
pub async fn under_health_and_links(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;
    let keys = ["/health/n0", "/links/n0", "/health/n1", "/links/n1"];

    let spoiled = spoil(&cluster, &keys).await;
    until_mended(&cluster, spoiled).await;
    cluster.run(&["scale", "pairs", "3"]);
    pairs::until_grown(&cluster, 3, &before).await;

    let before = cluster.tasks();
    cluster.kill_server();
    spoil(&cluster, &keys).await;
    spoil(&cluster, &["/jobs/nobody", "/placements/x", "/leaders/scheduler", "/moods/today"]).await;
    cluster.start_server().await;
    cluster.until_nodes_are_ready(2).await;
    cluster.run(&["scale", "pairs", "4"]);
    pairs::until_grown(&cluster, 4, &before).await;
    let status = cluster.run(&["status"]);
    assert!(status.contains("2 documents cannot be read"), "{status}");
    assert!(status.contains("/jobs/nobody"), "{status}");
}

/// Placements are garbage: their tasks go on, and end when their job is deleted.
pub async fn under_placements(cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;
    let placements = placements(&cluster).await;

    let spoiled = spoil(&cluster, &placements).await;
    until_mended(&cluster, spoiled).await;
    cluster.run(&["scale", "pairs", "3"]);
    pairs::until_grown(&cluster, 3, &before).await;

    // The job cannot be read either: it is shown, and it can be deleted.
    spoil(&cluster, &placements).await;
    spoil(&cluster, &["/jobs/default/pairs"]).await;
    wait::until(wait::STEP, "the job to be shown as unreadable", async || {
        let shown = cluster.run(&["describe", "job", "pairs"]);
        if shown.contains("/jobs/default/pairs: ") { Ok(()) } else { Err(shown) }
    })
    .await;
    cluster.assert_alive(&before);
    cluster.run(&["delete", "job", "pairs"]);
    wait::until(wait::ROLLOUT, "all tasks to end", async || {
        let left = cluster.tasks();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}\n{}", cluster.last_words())) }
    })
    .await;
}

/// The keys of the placements of the job.
async fn placements(cluster: &Cluster) -> Vec<String> {
    let allocations = cluster.api.allocations("pairs").await.expect("the API answers");
    allocations.iter().map(|one| format!("/placements/{}/default/{}", one.node, one.name)).collect()
}

/// Writes garbage; the revision of the last.
async fn spoil<K: AsRef<str>>(cluster: &Cluster, keys: &[K]) -> i64 {
    let endpoints = cluster.etcd.as_ref().expect("this cluster stores in etcd").endpoints();
    let mut client = Client::connect(endpoints, None).await.expect("etcd answers");
    let mut last = 0;
    for key in keys {
        let key = format!("/encamp{}", key.as_ref());
        let answer = client.put(key, GARBAGE, None).await.expect("etcd takes it");
        last = answer.header().expect("it has one").revision();
    }
    last
}

/// Waits until the server has seen a revision and nothing is unreadable any more.
async fn until_mended(cluster: &Cluster, since: i64) {
    wait::until(wait::ROLLOUT, "everything to be readable again", async || {
        let told = cluster.api.list("/apis/encamp.dev/v1/unreadable").await?;
        if told["count"] == 0 && told["revision"].as_i64() >= Some(since) {
            Ok(())
        } else {
            Err(format!("{told:#}\n{}", cluster.last_words()))
        }
    })
    .await;
}
