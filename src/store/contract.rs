//! The promises every store keeps, whatever stands behind it.
//!
//! A store is one history of revisions. Every commit that changes something makes exactly one new
//! revision, one greater than the last in `memory` and `embedded`, greater in `etcd` (others may share it).
//! A fresh store stands at revision 1. Each key carries the revision that created it, the revision that
//! changed it last and a version: 1 when created, one more with every put, and 1 again after a delete.
//! `tests/contract.rs` runs one suite over all stores; a promise that stands here has a test there.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use futures::stream::BoxStream;
use plan::{Guard, Write};
use schemas::entry::{Change, Entry};
use schemas::key::{Prefix, Revision};
use serde::{Deserialize, Serialize};

use super::room::Room;

/// The most guards, and the most writes, of one transaction: etcd's default `--max-txn-ops`.
pub const MAX_OPERATIONS: usize = 128;

/// The most bytes of one transaction as [`Txn::size`] counts them: etcd's default `--max-request-bytes`.
pub const MAX_BYTES: usize = 1024 * 1024 * 3 / 2;

/// What one guard or write costs besides its key and value: more than etcd's framing and root ever need,
/// so that whatever passes here passes there.
const OPERATION_BYTES: usize = 96;

/// A watch on which nothing happens says how far it has seen at least this often.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Three verbs over one history. A clone is another handle on the same store.
pub trait Store: Clone + Send + Sync + 'static {
    /// Everything under `prefix`, sorted by key, as it was at one revision. That revision is no older than
    /// any commit acknowledged before the call.
    fn list(&self, prefix: &Prefix) -> impl Future<Output = Result<Listing, ReadError>> + Send;

    /// Does all the writes or none: all, in one revision, if every guard holds at that moment. Guards see
    /// the state before the writes. `Ok` means durable, and is the revision of the writes.
    ///
    /// A transaction that changes nothing (no writes, or only deletes of absent keys) makes no revision; it
    /// checks its guards and answers the current revision, so an empty one is a fresh read of the guards.
    fn commit(&self, txn: Txn) -> impl Future<Output = Result<Revision, CommitError>> + Send;

    /// Every change under `prefix` made after revision `after`: one batch per revision, whole, in order, none
    /// twice, none left out. Revisions that did not touch the prefix are not shown.
    ///
    /// While nothing happens an empty batch comes at least every [`PROGRESS_EVERY`]. After the first `Err`
    /// the stream is over; it never ends without one.
    fn watch(
        &self,
        prefix: &Prefix,
        after: Revision,
    ) -> impl Future<Output = Result<Watch, WatchError>> + Send;

    /// How much room there is. Only a store with a quota knows of an end.
    fn room(&self) -> Room {
        Room::default()
    }
}

/// The stream that [`Store::watch`] opens.
pub type Watch = BoxStream<'static, Result<Batch, WatchError>>;

/// One consistent cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The revision at which all entries were read; watch after it to miss nothing.
    pub revision: Revision,
    /// Sorted by key.
    pub entries: Vec<Entry>,
}

/// A transaction: at most [`MAX_OPERATIONS`] guards and as many writes, at most [`MAX_BYTES`], no key written
/// twice. Breaking one of these is [`CommitError::TooLarge`] on every store, before anything else is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// All must hold.
    pub guards: Vec<Guard>,
    /// All are done, or none.
    pub writes: Vec<Write>,
}

impl Txn {
    /// Bytes counted against [`MAX_BYTES`]: keys, values and a fixed cost per operation.
    pub fn size(&self) -> usize {
        let guards = self.guards.iter().map(|guard| match guard {
            Guard::Absent(key) | Guard::At(key, _) | Guard::Term { leader: key, .. } => key.as_str().len(),
            // A range travels as two keys.
            Guard::Unchanged { prefix, .. } => 2 * prefix.as_str().len(),
        });
        let writes = self.writes.iter().map(|write| match write {
            Write::Put { key, value } => key.as_str().len() + value.len(),
            Write::Delete { key } => key.as_str().len(),
        });
        guards.chain(writes).map(|bytes| bytes + OPERATION_BYTES).sum()
    }

    /// Whether the transaction keeps the limits. Every store asks this first, so the answer is the same.
    pub fn check(&self) -> Result<(), CommitError> {
        let mut written = BTreeSet::new();
        let distinct = self.writes.iter().all(|write| written.insert(write.key()));
        let few = self.guards.len() <= MAX_OPERATIONS && self.writes.len() <= MAX_OPERATIONS;
        if distinct && few && self.size() <= MAX_BYTES { Ok(()) } else { Err(CommitError::TooLarge) }
    }
}

/// What a watch tells at once: one whole revision, or progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Everything up to and including this revision has now been seen on this watch.
    pub revision: Revision,
    /// All changes of that revision under the watched prefix, sorted by key; none: only progress.
    pub changes: Vec<Change>,
}

/// Why nothing was acknowledged, as the caller's next move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum CommitError {
    /// A guard did not hold and nothing was written: plan again on a fresh view.
    #[error("a guard no longer holds")]
    Conflict,
    /// Nothing was written: the same transaction may be sent again.
    #[error("the store could not be reached; nothing was written")]
    NotApplied,
    /// It may have been written, now or a little later: read before deciding anything.
    #[error("the store did not answer; the transaction may have been written")]
    Unknown,
    /// Nothing was written and never will be in this shape (too many operations, too many bytes, or one key
    /// twice): split the step.
    #[error("the transaction is over the limits: 128 guards, 128 writes of different keys, 1.5 MiB")]
    TooLarge,
    /// Nothing was written since the store has no room: free some. Deletes still work.
    #[error("the store is full")]
    Full,
}

/// Why a list was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum ReadError {
    /// Nobody answered in time: try again later.
    #[error("the store is unavailable")]
    Unavailable,
}

/// Why a watch ended or was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum WatchError {
    /// The store does not know what followed `after`: that history is compacted, or the store was restored and
    /// has never been there. List again and watch after the listing.
    #[error("the history after that revision is gone")]
    Compacted,
    /// The connection broke, or the reader was too slow: watch again after the last revision seen.
    #[error("the watch broke")]
    Broken,
}
