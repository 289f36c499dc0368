//! A listing is one consistent cut, sorted and exact.

use bytes::Bytes;
use encamp::store::{Listing, Store};
use plan::Write;
use schemas::key::{Prefix, Revision};

use super::world::{World, key, put, under, within};

async fn keys<S: Store>(world: &World<S>, prefix: &Prefix) -> String {
    world.list(prefix).await.iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>().join(" ")
}

pub(crate) async fn a_listing_is_sorted_and_exact_about_its_prefix<S: Store>(world: &World<S>) {
    assert_eq!(keys(world, &Prefix::all()).await, "");
    for at in ["/a/bc", "/b/a", "/a/b/2", "/a/b", "/a/b/10", "/a/ä", "/a/b!"] {
        world.put(at, "1").await;
    }
    assert_eq!(keys(world, &under("/a/")).await, "/a/b /a/b! /a/b/10 /a/b/2 /a/bc /a/ä");
    assert_eq!(keys(world, &under("/a/b/")).await, "/a/b/10 /a/b/2");
    assert_eq!(keys(world, &under("/a/b")).await, "/a/b /a/b! /a/b/10 /a/b/2 /a/bc");
    assert_eq!(keys(world, &Prefix::one(&key("/a/b"))).await, "/a/b");
    assert_eq!(keys(world, &Prefix::one(&key("/a"))).await, "");
    assert_eq!(keys(world, &Prefix::all()).await, "/a/b /a/b! /a/b/10 /a/b/2 /a/bc /a/ä /b/a");
}

pub(crate) async fn values_are_any_bytes<S: Store>(world: &World<S>) {
    let values = [Bytes::new(), Bytes::from_static(b"\0\xff\n\"{"), (0..=255).collect()];
    for value in values {
        world.write(vec![Write::Put { key: key("/a/x"), value: value.clone() }]).await;
        assert_eq!(world.list(&under("/a/")).await[0].value, value);
    }
}

pub(crate) async fn a_listing_is_one_cut_while_writers_write<S: Store>(world: &World<S>) {
    let store = world.store.clone();
    let last = 150;
    world.write(vec![put("/cut/a", "0"), put("/cut/b/c", "0")]).await;
    let writer = async {
        for round in 1..=last {
            let text = round.to_string();
            world.write(vec![put("/cut/a", &text), put("/cut/b/c", &text)]).await;
        }
    };
    let reader = async {
        let mut seen = Revision(0);
        loop {
            // A store in memory never waits, and the writer needs its turn.
            tokio::task::yield_now().await;
            let Listing { revision, entries } =
                within(store.list(&under("/cut/"))).await.expect("it is there");
            assert_eq!(entries[0].value, entries[1].value, "both halves of one commit");
            assert_eq!(entries[0].modified, entries[1].modified);
            assert!(entries[0].modified <= revision && revision >= seen, "and never back in time");
            seen = revision;
            if entries[0].value == last.to_string() {
                return;
            }
        }
    };
    tokio::join!(writer, reader);
}

pub(crate) async fn a_listing_of_many_pages_is_one_cut<S: Store>(world: &World<S>) {
    // More than one page of etcd; what changes while they are read must not show.
    let rounds = 81;
    for round in 0..rounds {
        world.write((0..128).map(|n| put(&format!("/page/{round:03}/{n:03}"), "0")).collect()).await;
    }
    let touch = |text: String| vec![put("/page/000/000", &text), put("/page/080/127", &text)];
    let writer = async {
        for round in 0..40 {
            world.write(touch(round.to_string())).await;
        }
    };
    let reader = async {
        for _ in 0..5 {
            tokio::task::yield_now().await;
            let entries = world.list(&under("/page/")).await;
            assert_eq!(entries.len(), rounds * 128);
            assert!(entries.is_sorted_by(|a, b| a.key < b.key));
            let (first, last) = (&entries[0], &entries[entries.len() - 1]);
            assert!(
                first.version == 1 || first.modified == last.modified,
                "first and last page are of one revision: {} and {}",
                first.modified,
                last.modified
            );
        }
    };
    tokio::join!(writer, reader);
}
