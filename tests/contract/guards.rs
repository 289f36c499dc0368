//! Each guard true and each guard false.

use encamp::store::{CommitError, Store};
use plan::Guard;
use schemas::key::{Prefix, Revision};

use super::world::{World, delete, key, put, unchanged, under};

pub(crate) async fn absent_holds_only_while_the_key_is_missing<S: Store>(world: &World<S>) {
    let absent = || vec![Guard::Absent(key("/a/x"))];
    assert!(world.holds(absent()).await);
    world.put("/a/xy", "a longer name is another key").await;
    assert!(world.holds(absent()).await);
    world.put("/a/x", "1").await;
    assert!(!world.holds(absent()).await);
    world.write(vec![delete("/a/x")]).await;
    assert!(world.holds(absent()).await);
}

pub(crate) async fn at_holds_only_at_that_very_revision<S: Store>(world: &World<S>) {
    let at = |revision| vec![Guard::At(key("/a/x"), revision)];
    assert!(!world.holds(at(Revision(0))).await, "a missing key is at no revision, not at 0");
    let first = world.put("/a/x", "1").await;
    assert!(world.holds(at(first)).await);
    assert!(!world.holds(at(Revision(0))).await);
    let second = world.put("/a/x", "1").await;
    assert!(world.holds(at(second)).await);
    assert!(!world.holds(at(first)).await, "an older revision");
    assert!(!world.holds(at(Revision(second.0 + 1))).await, "a later revision");
    assert!(!world.holds(at(Revision(u64::MAX))).await, "an impossible revision");
    world.write(vec![delete("/a/x")]).await;
    assert!(!world.holds(at(second)).await, "a deleted key");
}

pub(crate) async fn a_term_ends_when_somebody_writes_the_leader<S: Store>(world: &World<S>) {
    let term = |term| Guard::Term { leader: key("/leaders/scheduler"), term };
    assert!(!world.holds(vec![term(Revision(0))]).await, "nobody leads, so nobody may write");
    let mine = world.put("/leaders/scheduler", "me").await;
    assert_eq!(world.commit(vec![term(mine)], vec![put("/a/x", "1")]).await.map(|r| r > mine), Ok(true));
    world.put("/leaders/scheduler", "you").await;
    assert_eq!(world.commit(vec![term(mine)], vec![put("/a/x", "2")]).await, Err(CommitError::Conflict));
    let entries = world.list(&Prefix::one(&key("/a/x"))).await;
    assert_eq!(entries[0].value, "1", "the old leader wrote nothing");
}

pub(crate) async fn unchanged_sees_newer_puts_and_only_those<S: Store>(world: &World<S>) {
    let quiet = |since| vec![unchanged(under("/a/"), since)];
    assert!(world.holds(quiet(Revision(0))).await, "an empty prefix has never changed");
    let first = world.put("/a/x", "1").await;
    assert!(world.holds(quiet(first)).await);
    assert!(world.holds(quiet(Revision(u64::MAX))).await);
    assert!(!world.holds(quiet(Revision(first.0 - 1))).await);
    assert!(!world.holds(quiet(Revision(0))).await);
    let elsewhere = world.put("/b/x", "1").await;
    assert!(world.holds(quiet(first)).await, "another prefix does not count");
    let second = world.put("/a/y", "1").await;
    assert!(!world.holds(quiet(elsewhere)).await);
    assert!(world.holds(quiet(second)).await);
    world.write(vec![delete("/a/y")]).await;
    assert!(world.holds(quiet(first)).await, "a delete does not count, and its puts are gone");
}

pub(crate) async fn unchanged_minds_where_a_prefix_ends<S: Store>(world: &World<S>) {
    let before = world.put("/a/b", "1").await;
    world.put("/a/bc", "1").await;
    assert!(world.holds(vec![unchanged(Prefix::one(&key("/a/b")), before)]).await, "one key is one key");
    assert!(world.holds(vec![unchanged(under("/a/b/"), Revision(0))]).await, "nothing lies below it");
    assert!(!world.holds(vec![unchanged(under("/a/b"), before)]).await, "a prefix without slash is text");
    assert!(!world.holds(vec![unchanged(Prefix::one(&key("/a/bc")), before)]).await);
    assert!(!world.holds(vec![unchanged(Prefix::all(), before)]).await);
}

pub(crate) async fn unchanged_answers_for_the_distant_past<S: Store>(world: &World<S>) {
    let before = world.revision().await;
    let old = world.put("/a/x", "1").await;
    for round in 0..60 {
        world.put("/b/x", &round.to_string()).await;
    }
    let last = world.revision().await;
    (world.compact)(Revision(last.0 - 5)).await;
    assert!(world.holds(vec![unchanged(under("/a/"), old)]).await);
    assert!(!world.holds(vec![unchanged(under("/a/"), before)]).await);
    assert!(!world.holds(vec![unchanged(under("/b/"), Revision(last.0 - 1))]).await);
}

pub(crate) async fn guards_see_the_state_before_the_writes<S: Store>(world: &World<S>) {
    let first = world
        .commit(vec![Guard::Absent(key("/a/x"))], vec![put("/a/x", "1")])
        .await
        .expect("it was absent before");
    let guards = vec![Guard::At(key("/a/x"), first), unchanged(under("/a/"), first)];
    assert!(world.commit(guards, vec![put("/a/x", "2"), put("/a/y", "1")]).await.is_ok());
}

pub(crate) async fn one_false_guard_writes_nothing<S: Store>(world: &World<S>) {
    let first = world.put("/a/x", "1").await;
    let guards = vec![Guard::At(key("/a/x"), first), Guard::Absent(key("/a/x")), Guard::Absent(key("/a/y"))];
    let writes = vec![put("/a/x", "2"), put("/a/y", "1")];
    assert_eq!(world.commit(guards, writes).await, Err(CommitError::Conflict));
    let entries = world.list(&under("/a/")).await;
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0].value[..], entries[0].modified), (&b"1"[..], first));
    assert_eq!(world.revision().await, first);
}

pub(crate) async fn of_many_commits_at_once_one_wins<S: Store>(world: &World<S>) {
    for round in 0..5 {
        let at = format!("/race/{round}");
        let commits = (0..16).map(|who| {
            let at = at.clone();
            async move {
                let guards = vec![Guard::Absent(key(&at))];
                (who, world.commit(guards, vec![put(&at, &who.to_string())]).await)
            }
        });
        let answers = futures::future::join_all(commits).await;
        let winners: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_ok()).collect();
        let losers = answers.iter().filter(|(_, answer)| *answer == Err(CommitError::Conflict)).count();
        assert_eq!((winners.len(), losers), (1, 15));
        let entries = world.list(&Prefix::one(&key(&at))).await;
        assert_eq!(entries[0].value, winners[0].0.to_string());
        assert_eq!(Ok(entries[0].modified), winners[0].1);
    }
}
