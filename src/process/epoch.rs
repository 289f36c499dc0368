//! The name of the store's history: given once, kept, and watched.
//!
//! A name that was taken away is written again. One that was changed is said loudly and followed, for all that this
//! server knows follows the store anyway, and agents judge by the name themselves. But where the history has also gone
//! back, as after a restore, nothing that this server remembers means anything: it ends, to be started anew.

use std::time::Duration;

use plan::{Guard, Write};
use schemas::epoch::Epoch;
use schemas::key::{Key, Prefix, Revision};
use tokio_util::sync::CancellationToken;

use store::{CommitError, Store, Txn};

/// How often the name is read: one key.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The name as it is stored, and where the history stands.
enum Stored {
    Named(Epoch, Revision),
    Unnamed,
    /// It cannot be read, or nobody answered.
    Unknown,
}

async fn look<S: Store>(store: &S) -> Stored {
    let Ok(listing) = store.list(&Prefix::one(&Key::epoch())).await else { return Stored::Unknown };
    let Some(entry) = listing.entries.first() else { return Stored::Unnamed };
    match Epoch::read(&entry.value) {
        Ok(epoch) => Stored::Named(epoch, listing.revision),
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

/// Keeps the name until told to stop; ends with the two names if the store is another one that began before.
pub(super) async fn keep<S: Store>(store: S, stop: CancellationToken) -> Result<(), (String, String)> {
    let mut known: Option<(Epoch, Revision)> = None;
    loop {
        match look(&store).await {
            Stored::Named(epoch, at) => {
                if let Some((before, reached)) = known.take().filter(|(before, _)| before.id != epoch.id) {
                    if at < reached {
                        return Err((before.id, epoch.id));
                    }
                    if !epoch.continues(&before.id) {
                        let (before, now) = (before.id, &epoch.id);
                        tracing::error!(
                            before,
                            now,
                            "the store says that it is another one; agents do not follow"
                        );
                    }
                }
                known = Some((epoch, at));
            }
            Stored::Unnamed => match &known {
                Some((before, _)) => {
                    tracing::error!(
                        epoch = before.id,
                        "the store's name was taken away; it is written again"
                    );
                    write(&store, before).await;
                }
                None => name(&store).await,
            },
            Stored::Unknown => {}
        }
        tokio::select! { biased;
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use store::{Listing, Memory, ReadError, Watch, WatchError};

    async fn put(store: &Memory, epoch: &Epoch) {
        let writes = vec![Write::put(Key::epoch(), epoch)];
        store.commit(Txn { guards: vec![], writes }).await.unwrap();
    }

    async fn named(store: &Memory) -> String {
        match look(store).await {
            Stored::Named(epoch, _) => epoch.id,
            Stored::Unnamed | Stored::Unknown => String::new(),
        }
    }

    /// Another store in the place of the first, from when it is put there.
    #[derive(Clone)]
    struct Replaced {
        first: Memory,
        second: Arc<Mutex<Option<Memory>>>,
    }

    impl Replaced {
        fn now(&self) -> Memory {
            self.second.lock().unwrap().clone().unwrap_or_else(|| self.first.clone())
        }
    }

    impl Store for Replaced {
        async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
            self.now().list(prefix).await
        }
        async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
            self.now().commit(txn).await
        }
        async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
            self.now().watch(prefix, after).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_given_once_and_kept_and_a_server_ends_when_its_history_has_gone_back() {
        let (first, stop) = (Memory::default(), CancellationToken::new());
        let store = Replaced { first: first.clone(), second: Arc::default() };
        let keeping = tokio::spawn(keep(store.clone(), stop.clone()));
        tokio::time::sleep(LOOK_EVERY * 2).await;
        let id = named(&first).await;
        assert!(!id.is_empty(), "a store gets a name");
        let gone = Txn { guards: vec![], writes: vec![Write::Delete { key: Key::epoch() }] };
        first.commit(gone).await.unwrap();
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert_eq!(named(&first).await, id, "what was taken away is written again");
        put(&first, &Epoch::new("stranger")).await;
        tokio::time::sleep(LOOK_EVERY * 2).await;
        let at = jiff::Timestamp::UNIX_EPOCH;
        put(&first, &Epoch::new("stranger").restored("child".to_owned(), (at, String::new()))).await;
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert!(!keeping.is_finished(), "a history that goes on is gone on with");
        let second = Memory::default();
        put(&second, &Epoch::new("younger")).await;
        *store.second.lock().unwrap() = Some(second);
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert_eq!(keeping.await.unwrap(), Err(("child".to_owned(), "younger".to_owned())));
    }
}
