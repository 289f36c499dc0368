//! The store through the API: doors that are shut, servers that go, answers that are lost.

use std::sync::Arc;

use encamp::api::store_face::{Ask, allow_all};
use encamp::store::{CommitError, Http, Memory, OpenError, ReadError, Store, WatchError};
use futures::StreamExt;
use schemas::key::{Prefix, Revision};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::world::{delete, next, one, picture, put, serve, under, within};

fn http(servers: &[&str]) -> Http {
    let servers: Vec<String> = servers.iter().map(|&server| server.to_owned()).collect();
    Http::new(&servers, reqwest::Client::new()).unwrap()
}

#[tokio::test]
async fn who_may_not_is_turned_away_before_the_store_hears_of_it() {
    let memory = Memory::default();
    // Bearers of the word may write reports and read placements, and nothing else.
    let served = serve(
        memory.clone(),
        Arc::new(|parts, ask| {
            let is_known = parts.headers.get("authorization").is_some_and(|word| word == "Bearer word");
            let may = is_known
                && match ask {
                    Ask::Read(prefix) => prefix.as_str().starts_with("/placements/n1/"),
                    Ask::Write(txn) => {
                        txn.writes.iter().all(|write| write.key().as_str().starts_with("/reports/n1/"))
                    }
                };
            if may { Ok(()) } else { Err("it is not yours".to_owned()) }
        }),
    )
    .await;
    let headers = [("authorization".parse().unwrap(), "Bearer word".parse().unwrap())].into_iter().collect();
    let client = reqwest::Client::builder().default_headers(headers).build().unwrap();
    let known = Http::new(&[format!("{}/", served.address)], client).unwrap();
    assert!(known.commit(one(put("/reports/n1/0", "1"))).await.is_ok());
    assert!(known.list(&under("/placements/n1/")).await.is_ok());
    assert!(known.watch(&under("/placements/n1/"), Revision(0)).await.is_ok());
    let before = memory.list(&Prefix::all()).await.unwrap();
    for store in [http(&[&served.address]), known] {
        assert_eq!(store.commit(one(put("/jobs/default/web", "1"))).await, Err(CommitError::NotApplied));
        assert_eq!(store.commit(one(delete("/reports/n2/0"))).await, Err(CommitError::NotApplied));
        assert_eq!(store.list(&Prefix::all()).await, Err(ReadError::Unavailable));
        assert_eq!(store.watch(&under("/placements/n"), Revision(0)).await.err(), Some(WatchError::Broken));
    }
    assert_eq!(memory.list(&Prefix::all()).await.unwrap(), before);
}

#[tokio::test]
async fn a_server_that_stops_breaks_its_watches_and_another_takes_over() {
    let memory = Memory::default();
    let first = serve(memory.clone(), allow_all()).await;
    let second = serve(memory.clone(), allow_all()).await;
    let store = http(&[&first.address, &second.address]);
    let mut watch = store.watch(&under("/a/"), Revision(1)).await.unwrap();
    store.commit(one(put("/a/x", "1"))).await.unwrap();
    let seen = next(&mut watch).await.unwrap().revision;
    first.stop.cancel();
    assert_eq!(next(&mut watch).await, Err(WatchError::Broken));
    assert!(within(watch.next()).await.is_none());
    drop(first);
    let mut watch = store.watch(&under("/a/"), seen).await.unwrap();
    store.commit(one(put("/a/x", "2"))).await.unwrap();
    assert_eq!(picture(&mut watch, 1, Revision(1)).await, "2: +/a/x=2#2\n");
}

#[tokio::test]
async fn a_frozen_server_is_left_after_one_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let frozen = format!("http://{}", listener.local_addr().unwrap());
    let alive = serve(Memory::default(), allow_all()).await;
    let store = http(&[&frozen, &alive.address]);
    // Nobody answers in this time, so it may fly.
    tokio::time::pause();
    assert_eq!(store.watch(&Prefix::all(), Revision(0)).await.err(), Some(WatchError::Broken));
    tokio::time::resume();
    assert!(within(store.watch(&Prefix::all(), Revision(0))).await.is_ok());
    drop(listener);
}

#[tokio::test]
async fn nobody_there_means_not_applied() {
    let store = http(&["http://127.0.0.1:1", "http://127.0.0.1:2"]);
    assert_eq!(store.commit(one(put("/a/x", "1"))).await, Err(CommitError::NotApplied));
    assert_eq!(store.list(&Prefix::all()).await, Err(ReadError::Unavailable));
    assert_eq!(store.watch(&Prefix::all(), Revision(0)).await.err(), Some(WatchError::Broken));
    for bad in ["127.0.0.1:1", "", "etcd://a:1", "http://"] {
        let refused = Http::new(&[bad.to_owned()], reqwest::Client::new());
        assert!(matches!(refused, Err(OpenError::Address { .. })), "{bad}");
    }
}

#[tokio::test]
async fn a_lost_or_foreign_answer_means_unknown() {
    let answers =
        ["", "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\nno", "HTTP/1.1 200 OK\r\n\r\n{\"rev"];
    for answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65_536];
            assert!(connection.read(&mut request).await.unwrap() > 0);
            connection.write_all(answer.as_bytes()).await.unwrap();
        });
        let outcome = within(http(&[&address]).commit(one(put("/a/x", "1")))).await;
        assert_eq!(outcome, Err(CommitError::Unknown), "{answer:?}");
        server.await.unwrap();
    }
}
