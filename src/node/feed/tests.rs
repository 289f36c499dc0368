//! What the feed tells of stores that lose events, lag behind or are other ones.

use plan::Write;

use super::*;
use store::deaf::Deaf;
use store::{CommitError, Listing, Memory, ReadError, Txn};

fn node() -> Node {
    following("", false)
}

fn following(epoch: &str, is_bound: bool) -> Node {
    Node {
        name: "n1".into(),
        fingerprint: watch::channel(Fingerprint::default()).1,
        follows: watch::Sender::new(epoch.to_owned()),
        is_bound: watch::channel(is_bound).1,
    }
}

async fn put(store: &Memory, key: Key) -> Revision {
    let write = Write::Put { key, value: "\"x\"".into() };
    store.commit(Txn { guards: vec![], writes: vec![write] }).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_placement_whose_event_was_lost_is_found_in_the_end() {
    let store = Memory::default();
    let lost = Key::placement("n1", "default", "web.api.0-v0.0");
    let mut news = feed(Deaf { store: store.clone(), to: lost.clone() }, node());
    assert!(matches!(news.next().await, Some(News::Whole(whole)) if whole.placements.is_empty()));
    put(&store, lost.clone()).await;
    let began = Instant::now();
    let found = loop {
        match news.next().await.unwrap() {
            News::Whole(whole) => break whole.placements,
            News::Changes(batch) => assert!(batch.changes.is_empty(), "its event is lost"),
            News::Silence | News::Foreign(_) => panic!("the store answers"),
        }
    };
    assert_eq!(found[0].key, lost);
    assert!(began.elapsed() <= LIST_EVERY + Duration::from_secs(1));
}

/// Lists are answered as of an older state, commits by the store as it is.
#[derive(Clone)]
struct Lagging {
    old: Memory,
    new: Memory,
}

impl Store for Lagging {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        self.old.list(prefix).await
    }
    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.new.commit(txn).await
    }
    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        self.old.watch(prefix, after).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_believes_no_state_older_than_its_own_beginning() {
    let (old, new) = (Memory::default(), Memory::default());
    put(&old, Key::epoch()).await;
    put(&new, Key::epoch()).await;
    // What the agent's predecessor started and this reader has not heard of.
    put(&new, Key::placement("n1", "default", "web.api.0-v0.0")).await;
    let mut news = feed(Lagging { old: old.clone(), new }, node());
    assert!(matches!(news.next().await, Some(News::Silence)), "nothing is concluded from an older state");
    put(&old, Key::placement("n1", "default", "web.api.0-v0.0")).await;
    assert!(matches!(news.next().await, Some(News::Silence)), "nor from one before the agent began");
    put(&old, Key::fingerprint("n1")).await;
    assert!(matches!(news.next().await, Some(News::Whole(whole)) if whole.placements.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_holds_something_follows_its_store_and_those_that_name_it() {
    use schemas::epoch::{Ancestor, Reason};
    let named = |id: &str| {
        Epoch::new("b").with(Ancestor {
            id: id.to_owned(),
            reason: Reason::Restored,
            at: jiff::Timestamp::UNIX_EPOCH,
            by: String::new(),
        })
    };
    let cases = [
        ("the same", "b", true, Some(Epoch::new("b")), true),
        ("a descendant", "a", true, Some(named("a")), true),
        ("another", "a", true, Some(named("c")), false),
        ("another, with empty hands", "a", false, Some(named("c")), true),
        ("the first ever", "", true, Some(Epoch::new("b")), true),
        ("an empty one", "a", true, None, false),
        ("an empty one, with empty hands", "a", false, None, true),
    ];
    for (what, follows, is_bound, epoch, is_followed) in cases {
        let store = Memory::default();
        if let Some(epoch) = &epoch {
            let write = Write::put(Key::epoch(), epoch);
            store.commit(Txn { guards: vec![], writes: vec![write] }).await.unwrap();
        }
        let id = epoch.map(|epoch| epoch.id).unwrap_or_default();
        let first = feed(store.clone(), following(follows, is_bound)).next().await.unwrap();
        let is_registered = store.list(&Prefix::under("/fingerprints/")).await.unwrap().entries.len() == 1;
        match first {
            News::Whole(whole) => assert!(is_followed && is_registered && whole.epoch == id, "{what}"),
            News::Foreign(other) => assert!(!is_followed && !is_registered && other == id, "{what}"),
            News::Silence | News::Changes(_) => panic!("{what}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_concluded_from_an_epoch_that_cannot_be_read() {
    let store = Memory::default();
    let garbage = Write::Put { key: Key::epoch(), value: "b".into() };
    store.commit(Txn { guards: vec![], writes: vec![garbage] }).await.unwrap();
    assert!(matches!(feed(store, node()).next().await, Some(News::Silence)));
}
