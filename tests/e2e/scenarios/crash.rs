//! Processes that die without a word, and what must not notice.

use std::time::Duration;

use crate::{cluster::Cluster, mounts::mounts_below, process::Identity, scenarios::pairs, wait};

/// How long tasks are watched after something came back, to see that nothing is done to them.
const AFTERMATH: Duration = Duration::from_secs(3);

/// Agent and server are killed and come back in both orders: the same processes go on, and scaling works.
pub async fn tasks_outlive_agent_and_server(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;

    cluster.kill_agent(0);
    cluster.start_agent(0);
    cluster.until_nodes_are_ready(1).await;
    until_still_untouched(&cluster, &before).await;

    cluster.kill_server();
    cluster.start_server().await;
    cluster.until_nodes_are_ready(1).await;
    until_still_untouched(&cluster, &before).await;

    cluster.kill_agent(0);
    cluster.kill_server();
    cluster.start_server().await;
    cluster.start_agent(0);
    cluster.until_nodes_are_ready(1).await;
    until_still_untouched(&cluster, &before).await;

    cluster.run(&["scale", "pairs", "3"]);
    pairs::until_grown(&cluster, 3, &before).await;
}

/// etcd is killed and comes back: tasks, and the cluster's ability to change, survive.
pub async fn tasks_outlive_etcd(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;

    let etcd = cluster.etcd.as_mut().expect("this cluster stores in etcd");
    etcd.kill_9(0);
    tokio::time::sleep(AFTERMATH).await; // long enough for beats and leases to be missed
    cluster.etcd.as_mut().expect("this cluster stores in etcd").restart(0).await;
    until_still_untouched(&cluster, &before).await;

    cluster.until_done(&["scale", "pairs", "3"]).await;
    pairs::until_grown(&cluster, 3, &before).await;
}

/// A node dies with its tasks: within the grace its instances run elsewhere.
pub async fn lost_node_is_replaced(mut cluster: Cluster) {
    pairs::start(&cluster, 4).await;
    let victim = cluster.api.allocations("pairs").await.expect("the API answers")[0].node.clone();
    let index = usize::from(victim != "n0");

    cluster.kill_node(index);
    wait::until(wait::ROLLOUT, "four instances on the other node", async || {
        let allocations = cluster.api.allocations("pairs").await?;
        let elsewhere = allocations.iter().filter(|one| one.is_serving() && one.node != victim).count();
        if elsewhere == 4 { Ok(()) } else { Err(format!("{allocations:#?}\n{}", cluster.last_words())) }
    })
    .await;

    // The node returns with nothing running, and what was replaced stays where it is.
    cluster.start_agent(index);
    cluster.until_nodes_are_ready(2).await;
    tokio::time::sleep(AFTERMATH).await;
    assert_eq!(cluster.tasks().len(), 8, "{}", cluster.last_words());
}

/// `dev` is killed: its tasks go on, and the next `dev` over the same directory knows them.
pub async fn dev_picks_up_after_kill_9(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;

    cluster.kill_server();
    assert_eq!(cluster.tasks(), before, "tasks end with the process that watched them");
    cluster.start_server().await;
    cluster.until_nodes_are_ready(1).await;
    until_still_untouched(&cluster, &before).await;
    cluster.until_healthy("pairs", 2).await;
}

/// `dev` that is asked to stop stops its tasks first.
pub async fn dev_stops_its_tasks_when_asked(mut cluster: Cluster) {
    pairs::start(&cluster, 2).await;
    assert!(cluster.stop_server(), "dev did not end well");
    assert_eq!(cluster.tasks(), [], "tasks outlive a dev that was asked to stop");
    let folder = cluster.path("server");
    assert_eq!(mounts_below(&folder), Vec::<std::path::PathBuf>::new(), "secrets outlive a dev");
    std::fs::remove_dir_all(folder).expect("what dev left can be removed");
}

async fn until_still_untouched(cluster: &Cluster, before: &[Identity]) {
    let until = tokio::time::Instant::now() + AFTERMATH;
    while tokio::time::Instant::now() < until {
        let now = cluster.tasks();
        assert_eq!(now, before, "tasks were touched\n{}", cluster.last_words());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
