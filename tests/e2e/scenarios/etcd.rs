//! What a cluster has to bear from its etcd, and etcd from the cluster.

use std::time::Instant;

use etcd_client::Client;

use crate::{
    cluster::{Cluster, Special},
    jobs,
    keys::Authority,
    scenarios::pairs,
    wait,
};

/// So small that a few job files fill it.
const SMALL: &[&str] = &["--quota-backend-bytes", "16777216"];
/// A cluster that keeps little history.
pub const FORGETFUL: Special =
    Special { agents: 1, members: 1, etcd: SMALL, server: &["--store-history", "1s"] };
/// One that leaves compaction to etcd, which here does not do it either.
pub const HOARDING: Special =
    Special { agents: 1, members: 1, etcd: SMALL, server: &["--store-history", "0s"] };
/// Three members, all of them known to the server.
pub const OF_THREE: Special = Special { agents: 1, members: 3, etcd: &[], server: &[] };

/// One member that asks for a certificate, and a server that has one.
pub fn with_certificates(authority: &Authority) -> Special {
    // Flags of a special cluster live as long as the test.
    let file = |name: &str| -> &'static str { authority.flag(name).leak() };
    let etcd =
        vec!["--cert-file", file("server.pem"), "--key-file", file("server.key"), "--client-cert-auth"];
    let etcd = [etcd, vec!["--trusted-ca-file", file("ca.pem")]].concat();
    let server = vec!["--store-ca", file("ca.pem"), "--store-cert", file("client.pem")];
    let server = [server, vec!["--store-key", file("client.key")]].concat();
    Special { agents: 1, members: 1, etcd: etcd.leak(), server: server.leak() }
}

/// As large as a job file may reasonably be; its version is stored beside it.
const LARGE_BYTES: usize = 300_000;

/// Applies one version after another of a large job without instances.
fn apply_large(cluster: &Cluster, number: usize) -> Result<(), String> {
    let file = cluster.write_job("large", &jobs::large("large", number, LARGE_BYTES));
    let output = cluster.try_run(&["apply", &file]);
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Three times the quota passes through; an agent that was away meanwhile finds its way, and no task notices.
pub async fn a_cluster_never_fills_its_etcd(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;

    for number in 0..80 {
        apply_large(&cluster, number).expect("etcd is not full");
    }
    let compacted = cluster.api.metric("encamp_etcd_compacted_revision").await.expect("it is measured");
    assert!(compacted > 1, "history was forgotten: {compacted}");

    // What the agent saw last is forgotten: it lists anew.
    cluster.kill_agent(0);
    apply_large(&cluster, 80).expect("etcd is not full");
    let endpoints = cluster.etcd.as_ref().expect("this cluster stores in etcd").endpoints();
    let mut client = Client::connect(endpoints, None).await.expect("etcd answers");
    let now = client.put("/encamp/nobody/knows", "", None).await.expect("etcd takes it");
    client.compact(now.header().expect("it has one").revision(), None).await.expect("etcd compacts");
    cluster.start_agent(0);
    cluster.until_nodes_are_ready(1).await;
    cluster.run(&["scale", "pairs", "3"]);
    pairs::until_grown(&cluster, 3, &before).await;
}

/// The server's watch breaks, and what follows is compacted before it can resume.
pub async fn a_server_lists_again_when_its_watch_is_compacted(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;

    cluster.freeze_server();
    let etcd = cluster.etcd.as_mut().expect("this cluster stores in etcd");
    etcd.kill_9(0);
    etcd.restart(0).await;
    let mut client = Client::connect(etcd.endpoints(), None).await.expect("etcd answers");
    let mut last = 0;
    for number in 0..10 {
        let answer = client.put("/encamp/nobody/knows", number.to_string(), None).await;
        last = answer.expect("etcd takes it").header().expect("it has one").revision();
    }
    client.compact(last, None).await.expect("etcd compacts");
    cluster.thaw_server();

    cluster.until_done(&["scale", "pairs", "3"]).await;
    pairs::until_grown(&cluster, 3, &before).await;
}

/// In how many pieces a mebibyte is put.
const PIECES: usize = 16;

/// Fills etcd from outside with what lives, until it refuses or this much is in.
async fn fill(cluster: &Cluster, mebibytes: usize) -> (Client, usize) {
    let endpoints = cluster.etcd.as_ref().expect("this cluster stores in etcd").endpoints();
    let mut client = Client::connect(endpoints, None).await.expect("etcd answers");
    // In pieces: etcd writes what stands beside a large value again with each of its commits.
    for number in 0..mebibytes * PIECES {
        if client.put(format!("/ballast/{number}"), vec![7; 1024 * 1024 / PIECES], None).await.is_err() {
            return (client, number / PIECES);
        }
    }
    (client, mebibytes)
}

async fn empty(client: &mut Client) {
    client
        .delete("/ballast/", Some(etcd_client::DeleteOptions::new().with_prefix()))
        .await
        .expect("deletes work all the time");
}

/// Growth ends before the quota: what is new is refused with a reason, stopping goes on, and readiness tells.
pub async fn growth_ends_before_etcd_is_full(cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;
    let (mut client, _) = fill(&cluster, 14).await;
    wait::until(wait::STEP, "the server to say that its store is full", async || {
        match cluster.api.is_ready().await {
            Err(why) if why.contains("503") && why.contains("the store is full") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(cluster.api.metric("encamp_store_full").await, Ok(1));
    let refusal = apply_large(&cluster, 1).expect_err("there is no room for anything new");
    assert!(refusal.contains("the store is full; nothing was changed"), "{refusal}");
    assert_eq!(cluster.tasks(), before, "tasks were touched");
    cluster.run(&["scale", "pairs", "1"]);
    cluster.until_healthy("pairs", 1).await;

    empty(&mut client).await;
    wait::until(wait::STEP, "etcd to have room", async || cluster.api.is_ready().await).await;
    wait::until(wait::STEP, "room for a large job", async || apply_large(&cluster, 2)).await;
}

/// An etcd that has raised its alarm: deleting a job succeeds, harms no other, and once there is room its tasks end.
#[expect(clippy::print_stderr, reason = "how long it took is told, not judged")]
pub async fn a_full_etcd_is_opened_again(cluster: Cluster) {
    let before = pairs::start(&cluster, 2).await;
    let (mut client, filled) = fill(&cluster, 64).await;
    assert!(filled < 64, "etcd is full");
    let refusal = apply_large(&cluster, 1).expect_err("there is no room for anything");
    assert!(refusal.contains("the store is full; nothing was changed"), "{refusal}");
    assert_eq!(cluster.tasks(), before, "tasks were touched");
    cluster.run(&["stop", "--purge", "--detach", "pairs"]);

    empty(&mut client).await;
    let emptied = Instant::now();
    wait::until(wait::STEP, "etcd to take writes again", async || apply_large(&cluster, 1_000)).await;
    eprintln!("a full etcd took writes {:.1} s after room returned", emptied.elapsed().as_secs_f64());
    wait::until(wait::STEP, "the tasks of the deleted job to end", async || match cluster.tasks() {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    })
    .await;
}

/// Each time the leader of etcd dies, the cluster goes on with the others.
pub async fn the_leader_of_etcd_may_die(mut cluster: Cluster) {
    let mut before = pairs::start(&cluster, 1).await;
    for count in 2..=4 {
        let leader = cluster.etcd.as_ref().expect("this cluster stores in etcd").leader().await;
        cluster.etcd.as_mut().expect("this cluster stores in etcd").kill_9(leader);
        cluster.until_done(&["scale", "pairs", &count.to_string()]).await;
        pairs::until_grown(&cluster, count, &before).await;
        before = cluster.tasks();
        cluster.etcd.as_mut().expect("this cluster stores in etcd").restart(leader).await;
    }
}
