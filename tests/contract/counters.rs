//! Revisions and versions: what the store counts for its users.

use encamp::store::{Entry, Store};
use schemas::key::{Prefix, Revision};

use super::world::{World, delete, key, put, under};

async fn counters<S: Store>(world: &World<S>, at: &str) -> (Revision, Revision, u64) {
    let entries = world.list(&Prefix::one(&key(at))).await;
    let [Entry { created, modified, version, .. }] = entries[..] else { panic!("{at} is there once") };
    (created, modified, version)
}

pub(crate) async fn counters_follow_puts_and_start_again_after_a_delete<S: Store>(world: &World<S>) {
    let first = world.put("/a/x", "1").await;
    assert_eq!(counters(world, "/a/x").await, (first, first, 1));
    let second = world.put("/a/x", "1").await;
    assert_eq!(counters(world, "/a/x").await, (first, second, 2), "the same value is a put all the same");
    world.put("/a/y", "1").await;
    assert_eq!(counters(world, "/a/x").await, (first, second, 2), "other keys do not count");
    world.write(vec![delete("/a/x")]).await;
    assert!(world.list(&Prefix::one(&key("/a/x"))).await.is_empty());
    let again = world.put("/a/x", "1").await;
    assert_eq!(counters(world, "/a/x").await, (again, again, 1), "a new life");
}

pub(crate) async fn writes_of_one_commit_share_its_revision<S: Store>(world: &World<S>) {
    let first = world.put("/a/x", "1").await;
    let second = world.write(vec![put("/a/z", "1"), put("/a/x", "2"), put("/a/y", "1")]).await;
    assert_eq!(counters(world, "/a/x").await, (first, second, 2));
    assert_eq!(counters(world, "/a/y").await, (second, second, 1));
    assert_eq!(counters(world, "/a/z").await, (second, second, 1));
    assert_eq!(world.revision().await, second);
}

pub(crate) async fn deleting_what_is_not_there_makes_no_revision<S: Store>(world: &World<S>) {
    let first = world.put("/a/x", "1").await;
    assert_eq!(world.write(vec![delete("/a/y"), delete("/a")]).await, first);
    assert_eq!(world.revision().await, first);
    let second = world.write(vec![delete("/a/y"), delete("/a/x")]).await;
    assert_eq!(second.0, first.0 + 1, "one real delete among them does");
    assert!(world.list(&under("/a/")).await.is_empty());
}

pub(crate) async fn revisions_only_grow<S: Store>(world: &World<S>) {
    let mut last = world.revision().await;
    assert_eq!(last, Revision(1), "a fresh store stands at 1");
    for round in 0..40 {
        let revision = world.put(&format!("/a/{}", round % 7), "1").await;
        assert_eq!(revision.0, last.0 + 1);
        last = revision;
    }
}
