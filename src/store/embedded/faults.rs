//! A disk that fails: what is answered, what is shown afterwards, and that the store comes back.

use std::io;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use plan::Write;
use redb::{Database, StorageBackend};
use schemas::key::{Key, Prefix, Revision};

use super::journal::{Journal, fill};
use super::store::Embedded;
use super::survey::Survey;
use crate::any::OpenError;
use crate::{CommitError, Limits, ReadError, Store, Txn, WatchError};

/// What the disk does when it is written to or synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// The next write fails so, and only that.
    RefusesOneWrite(io::ErrorKind),
    /// The next sync fails, and only that.
    RefusesOneSync,
    /// Nothing works until the mood changes.
    Dead,
}

/// A disk in memory, which outlives the databases opened on it.
#[derive(Clone, Debug)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    mood: Arc<Mutex<Mood>>,
}

impl Disk {
    fn new() -> Disk {
        Disk { bytes: Arc::default(), mood: Arc::new(Mutex::new(Mood::Well)) }
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn open(&self) -> Embedded {
        let disk = self.clone();
        let open = move || {
            let unusable = |why: String| OpenError::Unusable { what: "the disk".into(), why };
            let is_new = disk.bytes.lock().unwrap().is_empty();
            let database = Database::builder().create_with_backend(disk.clone());
            let database = database.map_err(|error| unusable(error.to_string()))?;
            if is_new {
                fill(&database, std::iter::empty(), 7, 0).map_err(|error| unusable(error.to_string()))?;
            }
            let survey = Survey::of(&database);
            Journal::over(database, survey, None).map_err(|error| unusable(error.to_string()))
        };
        Embedded::with_journal(Box::new(open), Limits::default()).unwrap()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.bytes.lock().unwrap()[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut mood = self.mood.lock().unwrap();
        match *mood {
            Mood::Well | Mood::RefusesOneWrite(_) => Ok(()),
            Mood::RefusesOneSync => {
                *mood = Mood::Well;
                Err(io::Error::other("the sync failed"))
            }
            Mood::Dead => Err(io::Error::other("the disk is gone")),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut mood = self.mood.lock().unwrap();
        match *mood {
            Mood::RefusesOneWrite(kind) => {
                *mood = Mood::Well;
                return Err(kind.into());
            }
            Mood::Dead => return Err(io::Error::other("the disk is gone")),
            Mood::Well | Mood::RefusesOneSync => {}
        }
        let offset = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn put(value: &str) -> Txn {
    let key = Key::new("/a/x").unwrap();
    Txn { guards: vec![], writes: vec![Write::Put { key, value: value.to_owned().into() }] }
}

async fn value(store: &Embedded) -> Option<String> {
    let listing = store.list(&Prefix::all()).await.unwrap();
    listing.entries.first().map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
}

#[tokio::test]
async fn a_refused_write_is_not_applied_and_the_store_goes_on() {
    for (kind, expected) in
        [(io::ErrorKind::StorageFull, CommitError::Full), (io::ErrorKind::Other, CommitError::NotApplied)]
    {
        let disk = Disk::new();
        let store = disk.open();
        let first = store.commit(put("1")).await.unwrap();
        let mut watch = store.watch(&Prefix::all(), first).await.unwrap();
        disk.set(Mood::RefusesOneWrite(kind));
        assert_eq!(store.commit(put("2")).await, Err(expected));
        assert_eq!(watch.next().await, Some(Err(WatchError::Broken)), "watchers look again");
        assert_eq!(value(&store).await.as_deref(), Some("1"));
        assert_eq!(store.commit(put("3")).await, Ok(Revision(first.0 + 1)));
        drop(store);
        assert_eq!(value(&disk.open()).await.as_deref(), Some("3"));
    }
}

#[tokio::test]
async fn a_failed_sync_is_never_acknowledged() {
    let disk = Disk::new();
    let store = disk.open();
    store.commit(put("1")).await.unwrap();
    disk.set(Mood::RefusesOneSync);
    let refused = store.commit(put("2")).await.unwrap_err();
    assert!(matches!(refused, CommitError::Unknown | CommitError::NotApplied), "{refused}");
    let shown = value(&store).await;
    drop(store);
    let store = disk.open();
    assert_eq!(value(&store).await, shown, "what is shown is what the file holds");
    assert!(store.commit(put("3")).await.is_ok());
}

#[tokio::test]
async fn while_the_disk_is_gone_nothing_is_promised_or_shown() {
    let disk = Disk::new();
    let store = disk.open();
    store.commit(put("1")).await.unwrap();
    disk.set(Mood::Dead);
    assert_eq!(store.commit(put("2")).await, Err(CommitError::Unknown));
    assert_eq!(store.list(&Prefix::all()).await, Err(ReadError::Unavailable));
    assert_eq!(store.watch(&Prefix::all(), Revision(1)).await.err(), Some(WatchError::Broken));
    assert_eq!(store.commit(put("3")).await, Err(CommitError::NotApplied));
    disk.set(Mood::Well);
    assert!(store.commit(put("4")).await.is_ok());
    assert_eq!(value(&store).await.as_deref(), Some("4"));
}
