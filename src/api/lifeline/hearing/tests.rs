//! Links as they are written to a store.

use jiff::Timestamp;

use super::*;
use store::{Limits, Listing, Memory, ReadError, Watch, WatchError};

async fn link(store: &Memory) -> Option<(Link, Revision)> {
    let listing = store.list(&Prefix::one(&Key::link("n1"))).await.unwrap();
    listing.entries.first().map(|entry| (codec::decode(&entry.value).unwrap(), entry.modified))
}

fn clock() -> Clock {
    Clock::simulated(Timestamp::UNIX_EPOCH)
}

fn hear(store: &Memory, server: &str) -> Hearing<Memory> {
    let hearing = Hearing::new(store.clone(), server, clock());
    tokio::spawn(hearing.clone().run(CancellationToken::new()));
    hearing
}

/// The node beats, and the store takes everything.
fn beat<S: Store>(hearing: &Hearing<S>) {
    hearing.reached_store();
    hearing.beat("n1", AgentBeat::default()).unwrap();
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn links_are_written_when_something_changes_and_only_then() {
    let store = Memory::new(Limits::default());
    let hearing = hear(&store, "s1");
    let mut first = None;
    for _beat in 0..50 {
        beat(&hearing);
        pass(2).await;
        let (link, revision) = link(&store).await.unwrap();
        assert_eq!(link, Link { server: "s1".into(), connected: true, ..Link::default() });
        assert_eq!(*first.get_or_insert(revision), revision, "a beat alone writes nothing");
    }
    pass(3).await;
    assert!(link(&store).await.unwrap().0.connected, "two beats may be missed");
    pass(2).await;
    assert!(!link(&store).await.unwrap().0.connected, "three are silence");
    beat(&hearing);
    pass(1).await;
    assert!(link(&store).await.unwrap().0.connected);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_went_to_another_server_is_not_called_silent() {
    let store = Memory::new(Limits::default());
    let (one, other) = (hear(&store, "s1"), hear(&store, "s2"));
    beat(&one);
    pass(2).await;
    for _beat in 0..10 {
        beat(&other);
        pass(2).await;
        assert_eq!(
            link(&store).await.unwrap().0,
            Link { server: "s2".into(), connected: true, ..Link::default() }
        );
    }
    beat(&one);
    pass(1).await;
    assert_eq!(link(&store).await.unwrap().0.server, "s1", "back again");
}

/// A store whose next list may be an older one.
#[derive(Clone)]
struct Forgetful {
    store: Memory,
    older: Arc<Mutex<Option<Listing>>>,
}

impl Store for Forgetful {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        let older = self.older.lock().unwrap().take();
        if let Some(older) = older { Ok(older) } else { self.store.list(prefix).await }
    }
    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.store.commit(txn).await
    }
    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        self.store.watch(prefix, after).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_link_is_not_believed_for_ever() {
    let (store, stop) = (Memory::new(Limits::default()), CancellationToken::new());
    let cache = Cache::new(Duration::from_secs(600), clock::Clock::system());
    tokio::spawn({
        let (cache, store, stop) = (cache.clone(), store.clone(), stop.clone());
        async move { cache.run(store, stop).await }
    });
    let forgetful = Forgetful { store: store.clone(), older: Arc::default() };
    let hearing = Hearing::new(forgetful.clone(), "s1", clock());
    tokio::spawn(hearing.clone().run(stop.clone()));
    tokio::spawn(hearing.clone().follow(cache, stop));
    beat(&hearing);
    pass(1).await;
    let older = store.list(&Prefix::one(&Key::link("n1"))).await.unwrap();
    pass(9).await;
    assert!(!link(&store).await.unwrap().0.connected, "it was silent");
    *forgetful.older.lock().unwrap() = Some(older);
    let mut waited = 0;
    while !link(&store).await.unwrap().0.connected {
        beat(&hearing);
        pass(2).await;
        waited += 2;
        assert!(waited < 60, "the older link is still believed");
    }
}
