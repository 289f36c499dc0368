//! etcd frozen, killed, full, shared, missing: every call ends, and says what to do next.

use std::time::{Duration, Instant};

use encamp::store::{
    AnyStore, CommitError, Etcd, OpenError, Options, ReadError, Store, Txn, WatchError, open,
};
use futures::StreamExt;
use plan::{Guard, Write};
use schemas::key::{Prefix, Revision};

use super::world::{delete, key, next, one, picture, put, under, within};
use crate::common::etcd::Etcd as Server;

/// Short, so that a frozen server is noticed soon; long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(2);

fn options() -> Options {
    Options { timeout: TIMEOUT, ..Options::default() }
}

#[tokio::test]
async fn a_frozen_etcd_never_hangs_a_call() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = Etcd::open(&[server.endpoint()], &options()).await.unwrap();
    let first = store.commit(one(put("/a/x", "1"))).await.unwrap();
    let mut watch = store.watch(&under("/a/"), first).await.unwrap();

    server.freeze();
    let (frozen, all, below) = (Instant::now(), Prefix::all(), under("/a/"));
    let (list, commit, open, broken) = tokio::join!(
        store.list(&all),
        store.commit(one(put("/a/x", "2"))),
        store.watch(&below, first),
        next(&mut watch),
    );
    assert_eq!(list, Err(ReadError::Unavailable));
    assert_eq!(commit, Err(CommitError::Unknown), "it may be written once etcd goes on");
    assert_eq!(open.err(), Some(WatchError::Broken));
    assert_eq!(broken, Err(WatchError::Broken));
    assert!(frozen.elapsed() < Duration::from_secs(20), "within pings and timeouts: {:?}", frozen.elapsed());
    assert!(matches!(Etcd::open(&[server.endpoint()], &options()).await, Err(OpenError::Away { .. })));

    server.thaw();
    let revision = eventually(&store, put("/a/y", "1")).await;
    let mut watch = store.watch(&under("/a/y"), first).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap().revision, revision);
}

#[tokio::test]
async fn a_killed_etcd_breaks_watches_which_resume() {
    let Some(mut server) = Server::start(&[]).await else { return };
    let store = Etcd::open(&[server.endpoint()], &options()).await.unwrap();
    let start = Revision(1);
    let mut seen = store.commit(one(put("/a/x", "0"))).await.unwrap();
    for round in 1..=3 {
        let mut watch = store.watch(&under("/a/"), seen).await.unwrap();
        eventually(&store, put("/a/x", &round.to_string())).await;
        seen = next(&mut watch).await.unwrap().revision;
        server.kill_9();
        assert_eq!(next(&mut watch).await, Err(WatchError::Broken));
        assert!(within(watch.next()).await.is_none());
        assert_eq!(store.list(&Prefix::all()).await, Err(ReadError::Unavailable));
        assert_eq!(store.commit(one(put("/a/x", "lost"))).await, Err(CommitError::NotApplied));
        server.restart().await;
    }
    eventually(&store, put("/a/x", "4")).await;
    let mut watch = store.watch(&under("/a/"), start).await.unwrap();
    let whole = picture(&mut watch, 5, start).await;
    let expected = "1: +/a/x=0#1\n2: +/a/x=1#2\n3: +/a/x=2#3\n4: +/a/x=3#4\n5: +/a/x=4#5\n";
    assert_eq!(whole, expected, "nothing acknowledged is lost, nothing refused is written");
}

#[tokio::test]
async fn a_full_etcd_still_deletes() {
    let Some(server) = Server::start(&["--quota-backend-bytes", "4194304"]).await else { return };
    let store = Etcd::open(&[server.endpoint()], &options()).await.unwrap();
    let big = |n: usize| Write::Put { key: key(&format!("/big/{n}")), value: vec![7; 1_000_000].into() };
    let mut refusal = None;
    // etcd looks at the size of its file, which grows only when it writes its batches: ten times a second.
    for n in 0..500 {
        match store.commit(one(big(n))).await {
            // The one that fills it is written.
            Ok(_) | Err(CommitError::Unknown) => {}
            Err(error) => {
                refusal = Some((n, error));
                break;
            }
        }
    }
    let Some((refused, CommitError::Full)) = refusal else { panic!("it is full: {refusal:?}") };
    assert!(store.list(&under(&format!("/big/{refused}"))).await.unwrap().entries.is_empty(), "not written");
    assert_eq!(store.commit(one(put("/a/x", "1"))).await, Err(CommitError::Full));
    let listed = store.list(&under("/big/0")).await.unwrap();
    assert_eq!(listed.entries.len(), 1);
    assert!(store.commit(one(delete("/big/0"))).await.is_ok());
    assert!(store.list(&under("/big/0")).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn clusters_may_share_one_etcd() {
    let Some(server) = Server::start(&[]).await else { return };
    let rooted = |root: &str| Options { root: root.to_owned(), ..options() };
    let endpoints = [server.endpoint()];
    let (short, long) = (rooted("/one"), rooted("/one2"));
    let (first, second) = tokio::join!(Etcd::open(&endpoints, &short), Etcd::open(&endpoints, &long));
    let (first, second) = (first.unwrap(), second.unwrap());
    let mut watch = first.watch(&Prefix::under(""), Revision(1)).await.unwrap();
    let other = second.commit(one(put("/a/x", "2"))).await.unwrap();
    let quiet = Guard::Unchanged { prefix: Prefix::under(""), since: Revision(0) };
    let guards = vec![Guard::Absent(key("/a/x")), quiet];
    let mine = first.commit(Txn { guards, writes: vec![put("/a/x", "1")] }).await.unwrap();
    assert!(mine > other, "one history of revisions");
    assert_eq!(next(&mut watch).await.unwrap().revision, mine);
    for (store, value) in [(&first, "1"), (&second, "2")] {
        let listing = store.list(&Prefix::all()).await.unwrap();
        assert_eq!((listing.entries.len(), &listing.entries[0].value[..]), (1, value.as_bytes()));
    }
}

#[tokio::test]
async fn of_several_endpoints_one_alive_is_enough() {
    let Some(server) = Server::start(&[]).await else { return };
    let address = format!("etcd://127.0.0.1:1,{},127.0.0.1:2", server.endpoint());
    let AnyStore::Etcd(store) = open(&address, &options()).await.unwrap() else { panic!("an etcd") };
    for round in 0..30 {
        store.commit(one(put("/a/x", &round.to_string()))).await.unwrap();
        store.list(&Prefix::all()).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_there_is_said_at_once() {
    let refused = open("etcd://127.0.0.1:1", &options()).await.err().unwrap();
    let OpenError::Away { what, why } = refused else { panic!("it may come") };
    assert!(why.contains("nothing listens there"), "{why}");
    assert_eq!(what, "etcd at 127.0.0.1:1");
    for bad in
        ["etcd://", "etcd://localhost", "etcd://http://a:1", "memory", "memory:x", "embedded:", "redis:a"]
    {
        assert!(matches!(open(bad, &options()).await, Err(OpenError::Address { .. })), "{bad}");
    }
}

/// Tries until etcd takes it; every refusal on the way must be one that allows a retry of a plain put.
async fn eventually(store: &Etcd, write: Write) -> Revision {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match store.commit(one(write.clone())).await {
            Ok(revision) => return revision,
            Err(CommitError::NotApplied | CommitError::Unknown) => {
                assert!(Instant::now() < until, "etcd is back");
            }
            Err(other) => panic!("etcd is back but says {other}"),
        }
    }
}
