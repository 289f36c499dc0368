//! A web service through its life, watched from outside.

use crate::{
    cluster::Cluster,
    jobs::Web,
    outside::{Client, ask},
    wait,
};

const FIRST: Web<'static> = Web { name: "web", count: 3, version: "one", max_parallel: 1, listens: true };

/// 2, then 5, then 1: what stays is never restarted.
pub async fn scale_up_and_down(cluster: Cluster) {
    cluster.apply("web", &Web { count: 2, ..FIRST }.hcl());
    cluster.until_healthy("web", 2).await;
    let first = cluster.names("web").await;

    cluster.run(&["scale", "web", "5"]);
    cluster.until_healthy("web", 5).await;
    let five = cluster.names("web").await;
    assert!(first.is_subset(&five), "scaling up replaced instances: {first:?} became {five:?}");

    cluster.run(&["scale", "web", "1"]);
    cluster.until_healthy("web", 1).await;
    let last = cluster.names("web").await;
    assert!(last.is_subset(&first), "scaling down replaced instances: {first:?} became {last:?}");
}

/// A new version, one instance at a time: the client is never refused and two of three always answer.
pub async fn rolling_update_never_fails_a_client(cluster: Cluster) {
    cluster.apply("web", &FIRST.hcl());
    cluster.until_healthy("web", 3).await;
    let client = Client::of(&cluster.api, "web");

    cluster.apply("web", &Web { version: "two", ..FIRST }.hcl());
    until_all_answer(&cluster, 3, "two").await;
    let seen = client.stop().await;

    seen.assert_served(2, &["one", "two"]);
}

/// A version that never becomes healthy stops after its first instances, and the old one goes on serving.
pub async fn broken_version_leaves_the_old_one(cluster: Cluster) {
    cluster.apply("web", &FIRST.hcl());
    cluster.until_healthy("web", 3).await;
    let client = Client::of(&cluster.api, "web");

    cluster.apply_broken("web", &Web { version: "broken", listens: false, ..FIRST }.hcl());
    wait::until(wait::ROLLOUT, "the rollout to fail", async || {
        let status = cluster.api.latest_rollout("web").await?;
        if status == "failed" { Ok(()) } else { Err(format!("{status}\n{}", cluster.last_words())) }
    })
    .await;
    let seen = client.stop().await;

    seen.assert_served(2, &["one"]);
}

async fn until_all_answer(cluster: &Cluster, count: usize, version: &str) {
    let web = reqwest::Client::new();
    wait::until(wait::ROLLOUT, "every instance to answer with the new version", async || {
        let mut answers = Vec::new();
        for one in cluster.api.allocations("web").await?.iter().filter(|one| one.is_serving()) {
            let address = one.address("http").ok_or("an instance has no address")?;
            answers.push(ask(&web, &address).await?);
        }
        let done = answers.len() == count && answers.iter().all(|answer| answer == version);
        if done { Ok(()) } else { Err(format!("{answers:?}\n{}", cluster.last_words())) }
    })
    .await;
}
