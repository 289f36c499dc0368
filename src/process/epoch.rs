//! The name of the store's history: given once, kept, and watched.
//!
//! Whatever this server knows is about one history. A name that was taken away from it is written again; a store
//! that turns out to be another one ends the server, for nothing that it remembers means anything there.

use std::time::Duration;

use plan::{Guard, Write};
use schemas::epoch::Epoch;
use schemas::key::{Key, Prefix};
use tokio_util::sync::CancellationToken;

use crate::store::{CommitError, Store, Txn};

/// How often the name is read: one key.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The name as it is stored.
enum Stored {
    Named(Epoch),
    Unnamed,
    /// It cannot be read, or nobody answered.
    Unknown,
}

async fn look<S: Store>(store: &S) -> Stored {
    let Ok(listing) = store.list(&Prefix::one(&Key::epoch())).await else { return Stored::Unknown };
    let Some(entry) = listing.entries.first() else { return Stored::Unnamed };
    match Epoch::read(&entry.value) {
        Ok(epoch) => Stored::Named(epoch),
        Err(error) => {
            tracing::error!("/epoch cannot be read, so agents take nothing from this store: {error}");
            Stored::Unknown
        }
    }
}

/// Gives the store's history a name if it has none: agents and uids tell one store from another by it.
pub(super) async fn name<S: Store>(store: &S) {
    // A full etcd refuses every put, needed or not.
    if let Stored::Unnamed = look(store).await {
        write(store, &Epoch::new(uuid::Uuid::new_v4().to_string())).await;
    }
}

async fn write<S: Store>(store: &S, epoch: &Epoch) {
    let key = Key::epoch();
    let txn = Txn { guards: vec![Guard::Absent(key.clone())], writes: vec![Write::put(key, epoch)] };
    match store.commit(txn).await {
        // Another server was faster.
        Ok(_) | Err(CommitError::Conflict) => {}
        Err(error) => tracing::warn!("the store's history has no name yet: {error}"),
    }
}

/// Keeps the name until told to stop; ends with the two names if the store is another one.
pub(super) async fn keep<S: Store>(store: S, stop: CancellationToken) -> Result<(), (String, String)> {
    let mut known: Option<Epoch> = None;
    loop {
        match (look(&store).await, &known) {
            (Stored::Named(epoch), Some(before)) if !epoch.continues(&before.id) => {
                return Err((before.id.clone(), epoch.id));
            }
            (Stored::Named(epoch), _) => known = Some(epoch),
            (Stored::Unnamed, Some(before)) => {
                tracing::error!(epoch = before.id, "the store's name was taken away; it is written again");
                write(&store, before).await;
            }
            (Stored::Unnamed, None) => name(&store).await,
            (Stored::Unknown, _) => {}
        }
        tokio::select! { biased;
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::epoch::{Ancestor, Reason};

    use super::*;
    use crate::store::Memory;

    async fn put(store: &Memory, epoch: &Epoch) {
        let writes = vec![Write::put(Key::epoch(), epoch)];
        store.commit(Txn { guards: vec![], writes }).await.unwrap();
    }

    async fn named(store: &Memory) -> String {
        match look(store).await {
            Stored::Named(epoch) => epoch.id,
            Stored::Unnamed | Stored::Unknown => String::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_given_once_kept_and_followed_to_its_descendants_alone() {
        let (store, stop) = (Memory::default(), CancellationToken::new());
        let keeping = tokio::spawn(keep(store.clone(), stop.clone()));
        tokio::time::sleep(LOOK_EVERY).await;
        let first = named(&store).await;
        assert!(!first.is_empty(), "a store gets a name");
        store
            .commit(Txn { guards: vec![], writes: vec![Write::Delete { key: Key::epoch() }] })
            .await
            .unwrap();
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert_eq!(named(&store).await, first, "what was taken away is written again");
        let at = jiff::Timestamp::UNIX_EPOCH;
        let ancestor = Ancestor { id: first, reason: Reason::Restored, at, by: String::new() };
        put(&store, &Epoch::new("child").with(ancestor)).await;
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert!(!keeping.is_finished(), "a descendant is the same store");
        put(&store, &Epoch::new("stranger")).await;
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert_eq!(keeping.await.unwrap(), Err(("child".to_owned(), "stranger".to_owned())));
    }
}
