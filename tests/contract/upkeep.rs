//! A real etcd that is written to for long: it neither fills nor forgets what somebody still follows.

use std::time::Duration;

use encamp::store::{CommitError, Etcd, Options, Store, Txn, WatchError};
use futures::StreamExt;
use plan::Write;
use schemas::key::Prefix;
use tokio_util::sync::CancellationToken;

use super::world::{delete, key, next, put, under, within};
use crate::common::etcd::Etcd as Server;

const KEEP: Duration = Duration::from_millis(600);
/// Three times the quota in writes of this size.
const QUOTA_BYTES: usize = 16 * 1024 * 1024;
const VALUE_BYTES: usize = 128 * 1024;
const WRITES: usize = 3 * QUOTA_BYTES / VALUE_BYTES;
/// Ten times slower than a disk, so that the history of `KEEP` is far smaller than the quota.
const BETWEEN: Duration = Duration::from_millis(30);

fn one(write: Write) -> Txn {
    Txn { guards: vec![], writes: vec![write] }
}

fn large(at: &str, number: usize) -> Write {
    Write::Put { key: key(at), value: vec![u8::try_from(number % 251).unwrap(); VALUE_BYTES].into() }
}

async fn small_etcd() -> Option<(Server, Etcd)> {
    let server = Server::start(&["--quota-backend-bytes", &QUOTA_BYTES.to_string()]).await?;
    let store = Etcd::open(&[server.endpoint()], &Options::default()).await.unwrap();
    Some((server, store))
}

/// Writes over a few keys until this is done or etcd refuses.
async fn overwrite(store: &Etcd) -> Result<(), CommitError> {
    let mut pace = tokio::time::interval(BETWEEN);
    for number in 0..WRITES {
        pace.tick().await;
        store.commit(one(large(&format!("/big/{}", number % 4), number))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_etcd_that_forgets_never_fills() {
    let Some((_server, store)) = small_etcd().await else { return };
    let stop = CancellationToken::new();
    let (keeper, stopped) = (store.clone(), stop.clone());
    let forgetting = tokio::spawn(async move { keeper.forget(KEEP, stopped).await });
    let beginning = store.commit(one(put("/a/x", "1"))).await.unwrap();
    let mut follower = store.watch(&Prefix::all(), beginning).await.unwrap();
    let following = tokio::spawn(async move {
        let mut seen = 0;
        while seen < WRITES {
            seen += next(&mut follower).await?.changes.len();
        }
        Ok::<usize, WatchError>(seen)
    });

    assert_eq!(overwrite(&store).await, Ok(()), "three times the quota pass through");
    assert_eq!(within(following).await.unwrap(), Ok(WRITES), "a watch that keeps up misses nothing");
    assert_eq!(
        store.watch(&Prefix::all(), beginning).await.err(),
        Some(WatchError::Compacted),
        "the beginning is forgotten"
    );
    stop.cancel();
    within(forgetting).await.unwrap();
}

#[tokio::test]
async fn an_etcd_full_of_history_is_opened_again() {
    let Some((_server, store)) = small_etcd().await else { return };
    let refused = overwrite(&store).await;
    assert!(matches!(refused, Err(CommitError::Full | CommitError::Unknown)), "nobody lets it forget");
    let stop = CancellationToken::new();
    let (keeper, stopped) = (store.clone(), stop.clone());
    let relieving = tokio::spawn(async move { keeper.make_room(stopped).await });
    let reopened = within(async {
        loop {
            match store.commit(one(put("/a/x", "1"))).await {
                Ok(revision) => return revision,
                Err(error) => assert_eq!(error, CommitError::Full),
            }
            tokio::time::sleep(BETWEEN).await;
        }
    });
    let reopened = reopened.await;
    stop.cancel();
    within(relieving).await.unwrap();
    // It was made in earnest: a quarter of the quota goes in with nobody relieving any more.
    for number in 0..QUOTA_BYTES / VALUE_BYTES / 4 {
        assert!(store.commit(one(large("/big/0", number))).await.unwrap() > reopened);
    }
}

#[tokio::test]
async fn an_etcd_full_of_documents_is_opened_once_some_are_deleted() {
    let Some((_server, store)) = small_etcd().await else { return };
    let mut documents = 0;
    while store.commit(one(large(&format!("/big/{documents}"), 7))).await != Err(CommitError::Full) {
        documents += 1;
    }
    for document in 1..documents {
        store.commit(one(delete(&format!("/big/{document}")))).await.unwrap();
    }
    let stop = CancellationToken::new();
    let (keeper, stopped) = (store.clone(), stop.clone());
    let relieving = tokio::spawn(async move { keeper.make_room(stopped).await });
    within(async {
        while store.commit(one(put("/a/x", "1"))).await.is_err() {
            tokio::time::sleep(BETWEEN).await;
        }
    })
    .await;
    stop.cancel();
    within(relieving).await.unwrap();
    assert_eq!(store.list(&under("/big/")).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn a_watch_that_fell_behind_is_told_to_list_again() {
    let Some((server, store)) = small_etcd().await else { return };
    let beginning = store.commit(one(put("/a/x", "0"))).await.unwrap();
    let mut last = beginning;
    for round in 0..100 {
        last = store.commit(one(put("/a/x", &round.to_string()))).await.unwrap();
    }
    store.compact(last).await.unwrap();
    assert_eq!(store.watch(&under("/a/"), beginning).await.err(), Some(WatchError::Compacted));
    // From the compaction on, and not one revision earlier, there is a history.
    let mut watch = store.watch(&under("/a/"), last).await.unwrap();
    store.commit(one(delete("/a/x"))).await.unwrap();
    assert_eq!(within(watch.next()).await.unwrap().unwrap().changes.len(), 1);
    drop(server);
}
