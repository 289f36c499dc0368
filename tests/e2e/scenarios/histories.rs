//! Another store under a running cluster: what runs goes on, until a readable word says otherwise.

use std::path::Path;
use std::time::Duration;

use crate::{cluster::Cluster, jobs, process::Identity, scenarios::pairs, wait};

/// How long nothing may happen to what runs: several looks of an agent at its store.
const AFTERMATH: Duration = Duration::from_secs(6);

/// The store is lost and a server begun with an empty one: nothing stops, one word of an operator is waited for.
pub async fn an_empty_store_stops_nothing_until_it_is_accepted(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;
    cluster.kill_server();
    std::fs::remove_dir_all(cluster.path("server")).expect("the server's directory can be removed");
    cluster.start_server().await;
    until_told(&cluster, "1 nodes follow another store").await;
    tokio::time::sleep(AFTERMATH).await;
    cluster.assert_alive(&before);
    cluster.apply("other", &jobs::pairs("other", 1, &cluster.witness()));
    assert_eq!(
        cluster
            .api
            .allocations("other")
            .await
            .expect("the API answers")
            .iter()
            .filter(|one| one.is_serving())
            .count(),
        0
    );
    cluster.assert_alive(&before);

    // A server that starts again has not accepted anything.
    cluster.kill_server();
    cluster.start_server().await;
    until_told(&cluster, "1 nodes follow another store").await;
    cluster.assert_alive(&before);

    let told = cluster.run(&["operator", "store", "accept"]);
    assert!(told.contains("accepted"), "{told}");
    cluster.until_healthy("other", 1).await;
    until_gone(&cluster, &before).await;
    until_told(&cluster, "Every node follows it.").await;
}

/// A copy of the store is put back: the node follows it by itself, what it knows goes on, what it does not know ends.
pub async fn a_restored_store_is_followed(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 1).await;
    assert!(cluster.stop_server(), "the server ends well");
    let (store, kept) = (cluster.path("server").join("store"), cluster.path("kept"));
    copy(&store, &kept);
    cluster.start_server().await;
    cluster.until_nodes_are_ready(1).await;
    cluster.apply("later", &jobs::pairs("later", 1, &cluster.witness()));
    cluster.until_healthy("later", 1).await;
    let later: Vec<Identity> = cluster.tasks().into_iter().filter(|one| !before.contains(one)).collect();
    assert!(!later.is_empty());

    cluster.kill_server();
    std::fs::remove_file(store.join("store.redb")).expect("the file can be removed");
    std::fs::copy(kept.join("store.redb"), store.join("store.redb")).expect("the copy can be put back");
    let place = format!("embedded:{}", store.display());
    let told = cluster.run(&["operator", "store", "restored", &place]);
    assert!(told.contains("restored"), "{told}");
    cluster.start_server().await;
    cluster.until_nodes_are_ready(1).await;
    until_gone(&cluster, &later).await;
    cluster.until_healthy("pairs", 1).await;
    cluster.assert_alive(&before);
    cluster.run(&["scale", "pairs", "2"]);
    pairs::until_grown(&cluster, 2, &before).await;
}

/// A job is purged while its node is cut off and given up; the node comes back after all was collected. What ran of
/// the job ends, and what others run goes on.
pub async fn what_was_purged_ends_when_its_node_returns(mut cluster: Cluster) {
    cluster.apply("everywhere", &jobs::pairs("everywhere", 2, &cluster.witness()));
    cluster.until_healthy("everywhere", 2).await;
    let allocations = cluster.api.allocations("everywhere").await.expect("the API answers");
    let away = usize::from(allocations[0].node != "n0");
    let before = cluster.tasks();
    // An agent that is gone is cut off, as far as anybody can tell; its tasks go on.
    cluster.kill_agent(away);
    cluster.until_nodes_are_ready(1).await;
    cluster.run(&["stop", "everywhere", "--purge"]);
    let answer = cluster.try_run(&["get", "job", "everywhere"]);
    assert!(!answer.status.success(), "the job is collected");
    let left: Vec<Identity> = cluster.tasks().into_iter().filter(|one| before.contains(one)).collect();
    assert_eq!(left.len(), 2, "those of the node that is away: {left:?}");
    cluster.apply("other", &jobs::pairs("other", 1, &cluster.witness()));
    cluster.until_healthy("other", 1).await;
    let others: Vec<Identity> = cluster.tasks().into_iter().filter(|one| !left.contains(one)).collect();
    cluster.start_agent(away);
    cluster.until_nodes_are_ready(2).await;
    until_gone(&cluster, &left).await;
    cluster.assert_alive(&others);
}

/// A node is purged while it is away; what it ran ends when it comes back after all.
pub async fn a_purged_node_ends_what_it_ran(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 1).await;
    let refused = cluster.try_run(&["node", "purge", "n0"]);
    assert!(!refused.status.success(), "a node that is heard is not purged");
    cluster.kill_agent(0);
    cluster.until_nodes_are_ready(0).await;
    cluster.run(&["node", "purge", "n0"]);
    assert!(!cluster.run(&["get", "nodes"]).contains("n0"), "it is not shown any more");
    cluster.assert_alive(&before);
    cluster.start_agent(0);
    cluster.until_nodes_are_ready(1).await;
    until_gone(&cluster, &before).await;
    cluster.until_healthy("pairs", 1).await;
}

async fn until_gone(cluster: &Cluster, tasks: &[Identity]) {
    wait::until(wait::ROLLOUT, "the tasks to end", async || {
        let left: Vec<Identity> = cluster.tasks().into_iter().filter(|one| tasks.contains(one)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}\n{}", cluster.last_words())) }
    })
    .await;
}

async fn until_told(cluster: &Cluster, words: &str) {
    wait::until(wait::ROLLOUT, words, async || {
        let told = cluster.run(&["operator", "store", "status"]);
        if told.contains(words) { Ok(()) } else { Err(format!("{told}\n{}", cluster.last_words())) }
    })
    .await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a new directory can be made");
    for entry in std::fs::read_dir(from).expect("the store is there") {
        let entry = entry.expect("the directory can be read");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
    }
}
