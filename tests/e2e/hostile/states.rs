//! States of the store that nobody means well with, written into etcd behind the server's back and taken back after.

use std::time::Duration;

use etcd_client::{Client, GetOptions};

use super::bodies;
use super::judge::Judge;
use crate::{cluster::Cluster, jobs, scenarios::pairs, wait};

/// Where the documents lie in etcd.
const ROOT: &str = "/encamp";
/// How long a state stands before it is judged: long enough for a controller, an agent and a driver to act.
const STANDS: Duration = Duration::from_millis(1_200);

/// What is done to a document.
#[derive(Clone, Copy)]
enum Made {
    /// It is none of its kind.
    Garbage,
    /// It has no bytes.
    Empty,
    /// It is as large as etcd takes.
    Huge,
    /// It is gone.
    Absent,
    /// It is this.
    Text(&'static str),
}

use Made::{Absent, Empty, Garbage, Huge, Text};

/// A name, where, and what. A place is a key or the beginning of one: the first document below it is meant.
const STATES: &[(&str, &str, Made)] = &[
    ("the fingerprint is garbage", "/fingerprints/n0", Garbage),
    ("the fingerprint is empty", "/fingerprints/n0", Empty),
    ("the fingerprint is huge", "/fingerprints/n0", Huge),
    ("the fingerprint is absent", "/fingerprints/n0", Absent),
    ("the fingerprint says nothing", "/fingerprints/n0", Text("{}")),
    ("a placement is garbage", "/placements/n0/default/", Garbage),
    ("a placement is empty", "/placements/n0/default/", Empty),
    ("a placement is huge", "/placements/n0/default/", Huge),
    ("a placement is absent", "/placements/n0/default/", Absent),
    ("the report is garbage", "/reports/n0/", Garbage),
    ("the report is huge", "/reports/n0/", Huge),
    ("the report is absent", "/reports/n0/", Absent),
    ("details are garbage", "/details/n0/default/", Garbage),
    ("details are huge", "/details/n0/default/", Huge),
    ("the link is garbage", "/links/n0", Garbage),
    ("the link is absent", "/links/n0", Absent),
    ("the health is garbage", "/health/n0", Garbage),
    ("the health is absent", "/health/n0", Absent),
    ("the node's document is garbage", "/nodes/n0", Garbage),
    ("the job is garbage", "/jobs/default/pairs", Garbage),
    ("the version is garbage", "/versions/default/pairs/", Garbage),
    ("the version is absent", "/versions/default/pairs/", Absent),
    ("the roster is garbage", "/rosters/default/pairs/", Garbage),
    ("the roster is absent", "/rosters/default/pairs/", Absent),
    ("the deployment is garbage", "/deployments/default/pairs/", Garbage),
    ("the deployment is absent", "/deployments/default/pairs/", Absent),
    ("a leader is garbage", "/leaders/", Garbage),
    ("a leader is absent", "/leaders/", Absent),
    ("a beat is garbage", "/beats/nobody", Garbage),
    ("the epoch is absent", "/epoch", Absent),
    ("the epoch is another", "/epoch", Text("\"another\"")),
    ("a kind nobody knows", "/unknown/x", Garbage),
    ("a key that is none", "//", Garbage),
    ("a placement on nobody", "/placements/nobody/default/a.b.0-v0.0", Garbage),
    ("a report of nobody", "/reports/nobody/0", Garbage),
    ("a link of nobody", "/links/nobody", Text("{\"server\":\"x\",\"connected\":true}")),
];

/// A document as it was.
struct Kept {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// Does all of it to one cluster.
pub async fn run(cluster: Cluster) {
    let tasks = pairs::start(&cluster, 2).await;
    let endpoints = cluster.etcd.as_ref().expect("this cluster stores in etcd").endpoints();
    let mut client = Client::connect(endpoints, None).await.expect("etcd answers");
    let mut judge = Judge::new(cluster, tasks);
    for (name, place, made) in STATES {
        let before = judge.before();
        let kept = make(&mut client, place, *made).await;
        tokio::time::sleep(STANDS).await;
        judge.after(name, &before, Ok(())).await;
        take_back(&mut client, kept).await;
        let outcome = settled(judge.cluster()).await;
        judge.after(&format!("{name}, and is as before"), &before, outcome).await;
    }
    // It goes on: a job can still be placed, run and healthy.
    let other = jobs::pairs("other", 1, &judge.cluster().witness());
    judge.cluster().apply("other", &other);
    judge.cluster().until_healthy("other", 1).await;
    judge.verdict();
}

async fn make(client: &mut Client, place: &str, made: Made) -> Kept {
    let prefix = format!("{ROOT}{place}");
    let first = GetOptions::new().with_prefix().with_limit(1);
    let found = client.get(prefix.as_str(), Some(first)).await.expect("etcd answers");
    let kept = match found.kvs().first() {
        Some(found) => Kept { key: found.key().to_vec(), value: Some(found.value().to_vec()) },
        None => Kept { key: prefix.into_bytes(), value: None },
    };
    let value = match made {
        Absent => {
            client.delete(kept.key.clone(), None).await.expect("etcd answers");
            return kept;
        }
        Garbage => b"\xc1garbage\x00".to_vec(),
        Empty => Vec::new(),
        Huge => bodies::fingerprint(&"x".repeat(1_000_000)),
        Text(text) => text.as_bytes().to_vec(),
    };
    client.put(kept.key.clone(), value, None).await.expect("etcd takes it");
    kept
}

async fn take_back(client: &mut Client, Kept { key, value }: Kept) {
    match value {
        Some(value) => drop(client.put(key, value, None).await.expect("etcd takes it")),
        None => drop(client.delete(key, None).await.expect("etcd answers")),
    }
}

/// The node is heard and the job is whole again.
pub(super) async fn settled(cluster: &Cluster) -> Result<(), String> {
    let until = tokio::time::Instant::now() + Duration::from_secs(5).min(wait::STEP);
    loop {
        let nodes = cluster.api.ready_nodes().await.unwrap_or_default();
        let all = cluster.api.allocations("pairs").await.unwrap_or_default();
        if nodes == ["n0"] && all.iter().filter(|one| one.is_serving()).count() == 2 {
            return Ok(());
        }
        if tokio::time::Instant::now() > until {
            return Err(format!("the cluster is not as before: {nodes:?} {all:?}"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
