//! Words that end something: of nodes that are gone for good, and where the store is full.

use plan::Write;
use schemas::key::{Key, Prefix, Revision};
use schemas::node::{Health, NodeState};
use serde_json::{Value, json};

use super::world::{JOBS, NODE, WEB, World, job, node};
use store::{CommitError, Listing, Memory, ReadError, Store, Txn, Watch, WatchError};

#[tokio::test]
async fn a_purged_node_leaves_a_tombstone() {
    let world = World::new().await;
    world.write(node("n1")).await;
    let (status, refused) = world.json("DELETE", NODE, &Value::Null).await;
    assert_eq!(status.as_u16(), 409, "it is heard: {refused}");
    let down = Health { state: NodeState::Down, ..Health::default() };
    world.write(vec![Write::put(Key::health("n1"), &down)]).await;
    let (status, purged) = world.json("DELETE", NODE, &Value::Null).await;
    assert_eq!(status.as_u16(), 200, "{purged}");
    let left = world.store.list(&Prefix::all()).await.unwrap().entries;
    let left: Vec<&str> =
        left.iter().map(|entry| entry.key.as_str()).filter(|key| key.contains("n1")).collect();
    assert_eq!(left, [Key::tombstone("n1").as_str()], "the word that ends what comes back");
}

/// A store that takes nothing but deletes, as etcd does under its alarm.
#[derive(Clone)]
struct Full(Memory);

impl Store for Full {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        self.0.list(prefix).await
    }
    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        if txn.writes.iter().any(|write| matches!(write, Write::Put { .. })) {
            return Err(CommitError::Full);
        }
        self.0.commit(txn).await
    }
    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        self.0.watch(prefix, after).await
    }
}

#[tokio::test]
async fn a_full_store_still_takes_deletes() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    let full = world.over(Full(world.store.clone())).await;
    let (status, refused) = full.json("POST", JOBS, &job("db")).await;
    assert_eq!(status.as_u16(), 507, "{refused}");
    let (status, deleted) = full.json("DELETE", WEB, &json!({})).await;
    assert_eq!(status.as_u16(), 200, "{deleted}");
    let jobs = world.store.list(&Prefix::under("/jobs/")).await.unwrap().entries;
    assert!(jobs.is_empty(), "{jobs:?}");
}
