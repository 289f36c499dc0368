//! The handle: reads from memory, sends writes to the thread that owns the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use schemas::key::{Prefix, Revision};
use tokio::sync::{mpsc, oneshot};

use super::journal::Journal;
use super::mark;
use super::writer::{Opener, Request, Writer};
use crate::any::OpenError;
use crate::contract::{CommitError, Listing, ReadError, Store, Txn, Watch, WatchError};
use crate::core::Limits;
use crate::live::Live;

/// Transactions that may wait for the writer before their senders have to.
const WAITING_TXNS: usize = 1_024;

/// A durable store in one folder, for one process at a time. Clones share it; the last one closes the file.
#[derive(Clone)]
pub struct Embedded {
    live: Arc<Live>,
    is_sound: Arc<AtomicBool>,
    road: Arc<Road>,
}

/// The way to the writer, and its thread.
struct Road {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Opens or makes the store in a folder. Reads all of it, so call it where blocking is no harm.
    pub fn open(folder: impl AsRef<Path>, limits: Limits) -> Result<Self, OpenError> {
        let folder: PathBuf = folder.as_ref().to_owned();
        Embedded::with_journal(Box::new(move || Journal::open(&folder)), limits)
    }

    /// Says of the file in a folder that it was put there on purpose: a copy may be older than what was here.
    pub fn trust_copy(folder: impl AsRef<Path>) -> Result<(), OpenError> {
        let folder = folder.as_ref();
        mark::forget(folder).map_err(|error| OpenError::Unusable {
            what: folder.display().to_string(),
            why: error.to_string(),
        })
    }

    /// A store over whatever journal `open` opens, now and after a write went wrong.
    pub(super) fn with_journal(open: Opener, limits: Limits) -> Result<Self, OpenError> {
        let writer = Writer::start(open, limits)?;
        let (live, is_sound) = writer.shared();
        let (requests, waiting) = mpsc::channel(WAITING_TXNS);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(waiting))
            .map_err(|error| OpenError::Unusable { what: "a thread".into(), why: error.to_string() })?;
        let road = Arc::new(Road { requests: Some(requests), thread: Some(thread) });
        Ok(Embedded { live, is_sound, road })
    }

    /// Forgets the history up to and including `revision`; open watches keep what they are owed.
    pub fn compact(&self, revision: Revision) {
        self.live.lock().core.compact(revision);
    }

    fn is_sound(&self) -> bool {
        self.is_sound.load(Ordering::SeqCst)
    }
}

impl Store for Embedded {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        let listing = self.live.lock().core.list(prefix);
        if self.is_sound() { Ok(listing) } else { Err(ReadError::Unavailable) }
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        txn.check()?;
        let (answer, answered) = oneshot::channel();
        let requests = self.road.requests.as_ref().expect("it is taken only when the last handle is dropped");
        if requests.send(Request { txn, answer }).await.is_err() {
            return Err(CommitError::NotApplied);
        }
        answered.await.unwrap_or(Err(CommitError::Unknown))
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        if !self.is_sound() {
            return Err(WatchError::Broken);
        }
        self.live.watch(prefix, after)
    }
}

impl Drop for Road {
    /// Waits for the writer, so that the file is free once the last handle is gone.
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}
