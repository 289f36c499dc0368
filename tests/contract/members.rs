//! Three members: one of them may die at any moment, the leader too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use encamp::store::{Change, CommitError, Etcd, Options, Store, Txn, WatchError};
use futures::StreamExt;
use plan::{Guard, Write};
use schemas::key::{Key, Prefix, Revision};

use super::world::{World, key, of_etcd, one, put, within};
use crate::common::etcd::Etcd as Server;

/// How long a member is missed before the next falls.
const PHASE: Duration = Duration::from_secs(3);
const WRITERS: usize = 4;
/// Between attempts to reach a cluster that chooses a leader.
const BETWEEN: Duration = Duration::from_millis(20);

fn options() -> Options {
    Options { timeout: Duration::from_secs(2), ..Options::default() }
}

fn endpoints(members: &[Server]) -> Vec<String> {
    members.iter().map(Server::endpoint).collect()
}

/// A cluster of three as a world of the suite.
pub(crate) async fn three() -> Option<World<Etcd>> {
    let members = Server::cluster(3, &[]).await?;
    let store = Etcd::open(&endpoints(&members), &Options::default()).await.expect("etcd answers");
    Some(of_etcd(store, members))
}

/// Counts one key up, each step guarded by the one before, until told to stop; what was acknowledged.
async fn count_up(store: Etcd, counter: Key, done: Arc<AtomicBool>) -> Vec<(Revision, u64)> {
    let mut acknowledged: Vec<(Revision, u64)> = Vec::new();
    let mut at: Option<(Revision, u64)> = None;
    while !done.load(Ordering::Relaxed) {
        let (guard, number) = match at {
            Some((revision, number)) => (Guard::At(counter.clone(), revision), number + 1),
            None => (Guard::Absent(counter.clone()), 1),
        };
        let write = Write::Put { key: counter.clone(), value: number.to_string().into() };
        match store.commit(Txn { guards: vec![guard], writes: vec![write] }).await {
            Ok(revision) => {
                acknowledged.push((revision, number));
                at = Some((revision, number));
            }
            Err(CommitError::NotApplied) => {}
            // It may have been written, and may yet be: only reading tells.
            Err(CommitError::Unknown | CommitError::Conflict) => {
                let Ok(listing) = store.list(&Prefix::one(&counter)).await else { continue };
                at = listing.entries.first().map(|entry| {
                    let text = std::str::from_utf8(&entry.value).expect("a number");
                    (entry.modified, text.parse().expect("a number"))
                });
            }
            Err(other) => panic!("nothing here is {other}"),
        }
    }
    acknowledged
}

/// Follows everything until a key comes, resuming wherever the watch breaks: the history as a watcher saw it.
async fn follow(store: Etcd, last: Key) -> Vec<(Revision, Key, u64)> {
    let (mut seen, mut history) = (Revision(1), Vec::new());
    loop {
        let mut watch = match store.watch(&Prefix::all(), seen).await {
            Ok(watch) => watch,
            Err(WatchError::Broken) => {
                tokio::time::sleep(BETWEEN).await;
                continue;
            }
            Err(WatchError::Compacted) => panic!("nobody compacted"),
        };
        while let Some(Ok(batch)) = watch.next().await {
            assert!(batch.revision >= seen, "a watch does not go back in time");
            seen = batch.revision;
            for change in batch.changes {
                let Change::Put(entry) = change else { panic!("nothing was deleted") };
                if entry.key == last {
                    return history;
                }
                let number = std::str::from_utf8(&entry.value).expect("a number").parse();
                history.push((entry.modified, entry.key, number.expect("a number")));
            }
        }
    }
}

#[tokio::test]
async fn no_acknowledged_commit_is_lost_when_members_die() {
    let Some(mut members) = Server::cluster(3, &[]).await else { return };
    let store = Etcd::open(&endpoints(&members), &options()).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let counter = |number: usize| key(&format!("/counters/{number}"));
    let start = |number| tokio::spawn(count_up(store.clone(), counter(number), done.clone()));
    let counting: Vec<_> = (0..WRITERS).map(start).collect();
    let following = tokio::spawn(follow(store.clone(), key("/last")));

    let mut leaders_killed = 0;
    for round in 0..4 {
        tokio::time::sleep(PHASE).await;
        // The leader, then any follower, in turn.
        let mut victim = round % members.len();
        for (number, member) in members.iter().enumerate() {
            if (round % 2 == 0) == member.leads().await {
                victim = number;
            }
        }
        leaders_killed += usize::from(members[victim].leads().await);
        members[victim].kill_9();
        tokio::time::sleep(PHASE).await;
        members[victim].restart().await;
    }
    tokio::time::sleep(PHASE).await;
    done.store(true, Ordering::Relaxed);
    assert!(leaders_killed >= 1, "a leader was among the dead");

    let mut acknowledged: BTreeMap<(Revision, Key), u64> = BTreeMap::new();
    for (number, count) in counting.into_iter().enumerate() {
        for (revision, value) in within(count).await.unwrap() {
            acknowledged.insert((revision, counter(number)), value);
        }
    }
    within(async { while store.commit(one(put("/last", "1"))).await.is_err() {} }).await;
    let history = within(following).await.unwrap();

    let seen: BTreeMap<(Revision, Key), u64> =
        history.iter().map(|(revision, key, number)| ((*revision, key.clone()), *number)).collect();
    assert_eq!(seen.len(), history.len(), "no event came twice");
    for (what, number) in &acknowledged {
        assert_eq!(seen.get(what), Some(number), "{what:?} was acknowledged");
    }
    for number in 0..WRITERS {
        let counted: Vec<u64> = history
            .iter()
            .filter(|(_, key, _)| *key == counter(number))
            .map(|(.., number)| *number)
            .collect();
        let whole: Vec<u64> = (1..=counted.len() as u64).collect();
        assert_eq!(counted, whole, "each step once, in order, although answers were lost");
        assert!(counted.len() > 100, "it went on all the time: {}", counted.len());
    }
}

#[tokio::test]
async fn without_a_majority_nothing_is_promised() {
    let Some(mut members) = Server::cluster(3, &[]).await else { return };
    let store = Etcd::open(&endpoints(&members), &options()).await.unwrap();
    let txn = |value: &str| one(put("/a/x", value));
    store.commit(txn("1")).await.unwrap();
    members[1].kill_9();
    members[2].kill_9();
    for _ in 0..3 {
        let refused = within(store.commit(txn("2"))).await.unwrap_err();
        assert!(matches!(refused, CommitError::Unknown | CommitError::NotApplied), "{refused}");
        assert!(within(store.list(&Prefix::all())).await.is_err(), "an old answer is no answer");
    }
    let restarted = members.split_at_mut(2);
    let (second, third) = (&mut restarted.0[1], &mut restarted.1[0]);
    tokio::join!(second.restart(), third.restart());
    within(async { while store.commit(txn("3")).await.is_err() {} }).await;
    assert_eq!(&store.list(&Prefix::all()).await.unwrap().entries[0].value[..], b"3");
}
