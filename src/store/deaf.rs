//! A store whose watches miss what happens to one key, as those of old versions of etcd do. For tests alone.

use futures::StreamExt;
use plan::Write;
use schemas::key::{Key, Prefix, Revision};

use super::{Batch, CommitError, Listing, Memory, ReadError, Store, Txn, Watch, WatchError};

/// Tells everything of a store but the changes of one key; and never stands still: something is written just before
/// every listing, so that no watch has told yet all that a listing shows.
#[derive(Clone)]
pub struct Deaf {
    /// The store behind it.
    pub store: Memory,
    /// Whose changes are not heard.
    pub to: Key,
}

impl Store for Deaf {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        let beat = Write::Put { key: Key::beat("restless"), value: "{}".into() };
        self.store
            .commit(Txn { guards: vec![], writes: vec![beat] })
            .await
            .expect("nothing stands against it");
        self.store.list(prefix).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.store.commit(txn).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        let to = self.to.clone();
        let hush = move |batch: Result<Batch, WatchError>| {
            let mut batch = batch?;
            batch.changes.retain(|change| *change.key() != to);
            Ok(batch)
        };
        Ok(self.store.watch(prefix, after).await?.map(hush).boxed())
    }
}
