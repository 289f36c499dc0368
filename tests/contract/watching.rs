//! What a watch shows: every later revision, whole, in order, once.

use encamp::store::{Batch, PROGRESS_EVERY, Store, WatchError};
use futures::StreamExt;
use plan::Write;
use schemas::key::{Prefix, Revision};

use super::world::{World, delete, key, next, picture, put, under, within};

pub(crate) async fn a_revision_comes_whole_in_one_batch<S: Store>(world: &World<S>) {
    let first = world.put("/a/x", "0").await;
    let mut watch = world.watch(&under("/a/"), first).await.expect("it is now");
    world.write(vec![put("/a/z", "1"), delete("/a/x"), put("/b/x", "1"), put("/a/y", "1")]).await;
    world.write(vec![put("/b/x", "2")]).await;
    world.write(vec![put("/a/z", "2"), put("/a/x", "2")]).await;
    let seen = picture(&mut watch, 2, first).await;
    assert_eq!(seen, "1: -/a/x +/a/y=1#1 +/a/z=1#1\n3: +/a/x=2#1 +/a/z=2#2\n");
}

pub(crate) async fn a_watch_from_the_past_shows_exactly_what_came_later<S: Store>(world: &World<S>) {
    let start = world.revision().await;
    let mut whole = world.watch(&under("/a/"), Revision(0)).await.expect("nothing was forgotten yet");
    for round in 1..=6 {
        world.put("/a/x", &round.to_string()).await;
    }
    for back in 0..6 {
        let mut watch = world.watch(&under("/a/"), Revision(start.0 + back)).await.expect("it is remembered");
        for expected in back + 1..=6 {
            let batch = next(&mut watch).await.expect("the watch holds");
            assert_eq!(super::world::line(&batch, start), format!("{expected}: +/a/x={expected}#{expected}"));
        }
    }
    assert_eq!(picture(&mut whole, 1, start).await, "1: +/a/x=1#1\n");
    let mut watch = world.watch(&under("/a/"), Revision(start.0 + 6)).await.expect("it is now");
    world.put("/a/x", "7").await;
    assert_eq!(picture(&mut watch, 1, start).await, "7: +/a/x=7#7\n");
}

pub(crate) async fn a_watch_opened_amid_writes_has_no_gap<S: Store>(world: &World<S>) {
    let start = world.revision().await;
    let last = 120;
    let writer = async {
        for round in 1..=last {
            world.put("/a/x", &round.to_string()).await;
        }
    };
    let watchers = futures::future::join_all((0..8_u64).map(|who| async move {
        // Each waits for a different moment, then watches from a different past.
        let moment = who * 10;
        while world.revision().await.0 < start.0 + moment {
            tokio::task::yield_now().await;
        }
        let after = Revision(start.0 + moment / 2);
        let mut watch = world.watch(&under("/a/"), after).await.expect("it is remembered");
        for expected in after.0 + 1..=start.0 + last {
            let batch = next(&mut watch).await.expect("the watch holds");
            assert_eq!((batch.revision, batch.changes.len()), (Revision(expected), 1));
        }
    }));
    tokio::join!(writer, watchers);
}

pub(crate) async fn a_watch_minds_its_prefix<S: Store>(world: &World<S>) {
    let start = world.revision().await;
    let mut below = world.watch(&under("/a/b/"), start).await.expect("it is now");
    let mut text = world.watch(&under("/a/b"), start).await.expect("it is now");
    let mut one = world.watch(&Prefix::one(&key("/a/b")), start).await.expect("it is now");
    let mut all = world.watch(&Prefix::all(), start).await.expect("it is now");
    for at in ["/a/bc", "/a/b/1", "/a/c", "/a/b"] {
        world.put(at, "1").await;
    }
    world.write(vec![delete("/a/bc"), delete("/a/b"), delete("/a/b/1")]).await;
    assert_eq!(picture(&mut below, 2, start).await, "2: +/a/b/1=1#1\n5: -/a/b/1\n");
    assert_eq!(picture(&mut one, 2, start).await, "4: +/a/b=1#1\n5: -/a/b\n");
    let expected = "1: +/a/bc=1#1\n2: +/a/b/1=1#1\n4: +/a/b=1#1\n5: -/a/b -/a/b/1 -/a/bc\n";
    assert_eq!(picture(&mut text, 4, start).await, expected);
    let expected = expected.replace("4:", "3: +/a/c=1#1\n4:");
    assert_eq!(picture(&mut all, 5, start).await, expected);
}

pub(crate) async fn deletes_and_new_lives_are_told_apart<S: Store>(world: &World<S>) {
    let start = world.revision().await;
    world.put("/a/x", "1").await;
    world.put("/a/x", "2").await;
    world.write(vec![delete("/a/x")]).await;
    world.write(vec![delete("/a/x")]).await;
    world.put("/a/x", "3").await;
    let mut watch = world.watch(&under("/a/"), start).await.expect("it is remembered");
    let seen = picture(&mut watch, 4, start).await;
    assert_eq!(seen, "1: +/a/x=1#1\n2: +/a/x=2#2\n3: -/a/x\n4: +/a/x=3#1\n");
}

pub(crate) async fn a_large_revision_comes_whole<S: Store>(world: &World<S>) {
    let start = world.revision().await;
    let mut watch = world.watch(&under("/big/"), start).await.expect("it is now");
    let big = |n: usize| Write::Put { key: key(&format!("/big/{n:03}")), value: vec![7; 12_000].into() };
    for _ in 0..6 {
        world.write((0..120).map(big).collect()).await;
    }
    let mut from_the_past = world.watch(&under("/big/"), start).await.expect("it is remembered");
    for watch in [&mut watch, &mut from_the_past] {
        for round in 1..=6 {
            let batch = next(watch).await.expect("the watch holds");
            assert_eq!((batch.revision.0 - start.0, batch.changes.len()), (round, 120));
        }
    }
}

pub(crate) async fn a_dropped_watch_resumes_where_it_was<S: Store>(world: &World<S>) {
    let start = world.revision().await;
    let mut seen = start;
    for round in 1..=5_u64 {
        let mut watch = world.watch(&under("/a/"), seen).await.expect("it is remembered");
        world.put("/a/x", &round.to_string()).await;
        world.put("/a/y", &round.to_string()).await;
        // Only the first of two is read before the watch is dropped, so each life begins with a leftover.
        let batch = next(&mut watch).await.expect("the watch holds");
        assert_eq!(batch.revision.0, start.0 + round);
        seen = batch.revision;
    }
}

pub(crate) async fn compacted_history_is_refused<S: Store>(world: &World<S>) {
    let start = world.revision().await;
    for round in 1..=10 {
        world.put("/a/x", &round.to_string()).await;
    }
    world.write(vec![delete("/a/x")]).await;
    let mut open = world.watch(&under("/a/"), start).await.expect("it is remembered");
    assert_eq!(picture(&mut open, 1, start).await, "1: +/a/x=1#1\n");
    let border = Revision(start.0 + 7);
    (world.compact)(border).await;
    for after in [start, Revision(border.0 - 1)] {
        assert_eq!(refusal(world, after).await, WatchError::Compacted);
    }
    let mut kept = world.watch(&under("/a/"), border).await.expect("what came after is kept");
    let seen = picture(&mut kept, 4, start).await;
    assert_eq!(seen, "8: +/a/x=8#8\n9: +/a/x=9#9\n10: +/a/x=10#10\n11: -/a/x\n");
    // Compacting the very revision of a delete must not lose it for a watch that stands before it.
    (world.compact)(Revision(start.0 + 11)).await;
    assert_eq!(refusal(world, Revision(start.0 + 10)).await, WatchError::Compacted);
    assert!(world.watch(&under("/a/"), Revision(start.0 + 11)).await.is_ok());
}

pub(crate) async fn a_revision_never_reached_is_refused<S: Store>(world: &World<S>) {
    let now = world.put("/a/x", "1").await;
    assert_eq!(refusal(world, Revision(now.0 + 1)).await, WatchError::Compacted);
    assert_eq!(refusal(world, Revision(u64::MAX)).await, WatchError::Compacted);
}

/// How a watch that must not be given is refused: at once, or as the first and last word of the stream.
async fn refusal<S: Store>(world: &World<S>, after: Revision) -> WatchError {
    match world.watch(&under("/a/"), after).await {
        Err(error) => error,
        Ok(mut watch) => {
            let error = next(&mut watch).await.expect_err("this history is gone");
            assert!(within(watch.next()).await.is_none(), "nothing follows an error");
            error
        }
    }
}

pub(crate) async fn an_idle_watch_tells_how_far_it_has_seen<S: Store>(world: &World<S>) {
    let start = world.revision().await;
    let mut watch = world.watch(&under("/a/"), start).await.expect("it is now");
    let elsewhere = world.put("/b/x", "1").await;
    let mut told = start;
    while told < elsewhere {
        let progress =
            tokio::time::timeout(PROGRESS_EVERY * 3 / 2, watch.next()).await.expect("it comes often");
        let Batch { revision, changes } =
            progress.expect("a watch ends with an error").expect("the watch holds");
        assert!(revision >= told && changes.is_empty());
        told = revision;
    }
    assert_eq!(told, elsewhere);
    world.put("/a/x", "1").await;
    assert_eq!(picture(&mut watch, 1, start).await, "2: +/a/x=1#1\n", "and the watch goes on");
}
