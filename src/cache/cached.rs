//! A store behind the cache: what never changes is answered from memory, the rest by the store.
//!
//! Job versions are all that never changes, as long as their job lives, and agents read one before each first start.
//! Memory answers only while it is as young as everything that was told through here before: who asks because of what
//! was told gets no answer from before it. Its words are this program's own: what only a newer server wrote into a
//! version is left out, so servers are upgraded before agents.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use schemas::codec;
use schemas::entry::Entry;
use schemas::key::{Key, Prefix, Revision};

use super::Cache;
use store::{Batch, CommitError, Listing, ReadError, Store, Txn, Watch, WatchError};

/// How long the answer to a new node waits for the cache. The write is done either way.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);

/// A store and the cache that follows it.
#[derive(Clone)]
pub struct Cached<S> {
    store: S,
    cache: Cache,
    /// The youngest revision that anybody was told.
    told: Arc<AtomicU64>,
}

impl<S: Store> Cached<S> {
    /// The cache must follow this store.
    pub fn new(store: S, cache: Cache) -> Cached<S> {
        Cached { store, cache, told: Arc::default() }
    }

    /// The one job version that is asked for, if it is known well enough.
    fn version(&self, prefix: &Prefix) -> Option<Listing> {
        let key =
            Key::new(prefix.as_str()).ok().filter(|key| prefix.is_exact() && key.kind() == "versions")?;
        let view = self.cache.view();
        if view.revision.0 < self.told.load(Ordering::Acquire) {
            return None;
        }
        let known = view.versions.stored(&key)?;
        let entry = Entry {
            value: codec::encode(&known.value),
            created: known.created,
            modified: known.modified,
            version: known.version,
            key,
        };
        Some(Listing { revision: view.revision, entries: vec![entry] })
    }
}

impl<S: Store> Store for Cached<S> {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        if let Some(listing) = self.version(prefix) {
            return Ok(listing);
        }
        let listing = self.store.list(prefix).await?;
        self.told.fetch_max(listing.revision.0, Ordering::AcqRel);
        Ok(listing)
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        // Whoever makes a node known goes on as that node: this server is to know it by then.
        let names_node = txn.writes.iter().any(|write| write.key().kind() == "fingerprints");
        let revision = self.store.commit(txn).await?;
        if names_node {
            drop(tokio::time::timeout(KNOWN_WITHIN, self.cache.reached(revision)).await);
        }
        self.told.fetch_max(revision.0, Ordering::AcqRel);
        Ok(revision)
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        let told = self.told.clone();
        let note = move |batch: Result<Batch, WatchError>| {
            let batch = batch?;
            told.fetch_max(batch.revision.0, Ordering::AcqRel);
            Ok(batch)
        };
        Ok(self.store.watch(prefix, after).await?.map(note).boxed())
    }
}

#[cfg(test)]
mod tests {
    use plan::Write;
    use schemas::job::Version;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use clock::Clock;
    use store::Memory;

    async fn commit(store: &Memory, write: Write) -> Revision {
        store.commit(Txn { guards: vec![], writes: vec![write] }).await.unwrap()
    }

    /// A store with one version, behind a cache that has seen it and sees nothing any more.
    async fn blind(store: &Memory, key: &Key) -> Cached<Memory> {
        let (cache, stop) = (Cache::new(Duration::from_mins(1), Clock::system()), CancellationToken::new());
        let following = tokio::spawn({
            let (cache, store, stop) = (cache.clone(), store.clone(), stop.clone());
            async move { cache.run(store, stop).await }
        });
        let version = Version { number: 1, ..Version::default() };
        let made = commit(store, Write::put(key.clone(), &version)).await;
        cache.reached(made).await;
        stop.cancel();
        following.await.unwrap();
        Cached::new(store.clone(), cache)
    }

    #[tokio::test]
    async fn what_never_changes_is_answered_from_memory_and_all_else_by_the_store() {
        let (store, key) = (Memory::default(), Key::version("default", "web", 1));
        let cached = blind(&store, &key).await;
        let (exact, all) = (Prefix::one(&key), Prefix::under("/versions/"));
        let from_store = store.list(&exact).await.unwrap();
        assert_eq!(cached.list(&exact).await.unwrap(), from_store, "the same words");
        let gone = commit(&store, Write::Delete { key }).await;
        assert_eq!(cached.list(&exact).await.unwrap(), from_store, "nobody was told anything younger");
        let mut watch = cached.watch(&all, from_store.revision).await.unwrap();
        assert_eq!(watch.next().await.unwrap().unwrap().revision, gone);
        assert_eq!(cached.list(&exact).await.unwrap().entries, [], "now somebody was");
    }

    #[tokio::test]
    async fn whoever_commits_gets_no_answer_from_before() {
        let (store, key) = (Memory::default(), Key::version("default", "web", 1));
        let cached = blind(&store, &key).await;
        let gone = Txn { guards: vec![], writes: vec![Write::Delete { key: key.clone() }] };
        cached.commit(gone).await.unwrap();
        assert_eq!(cached.list(&Prefix::one(&key)).await.unwrap().entries, []);
    }

    #[tokio::test]
    async fn what_memory_does_not_know_is_asked_of_the_store() {
        let (store, cache) = (Memory::default(), Cache::new(Duration::from_mins(1), Clock::system()));
        let cached = Cached::new(store.clone(), cache);
        let key = Key::version("default", "web", 1);
        commit(&store, Write::put(key.clone(), &Version::default())).await;
        for prefix in [Prefix::one(&key), Prefix::under("/versions/")] {
            assert_eq!(cached.list(&prefix).await.unwrap(), store.list(&prefix).await.unwrap());
        }
    }
}
