//! The three verbs over a client of etcd.

use bytes::Bytes;
use etcd_client::{Client, GetOptions, GetResponse, Txn as EtcdTxn};
use plan::Write;
use schemas::key::{Key, Prefix, Revision};
use tracing::{debug, info, warn};

use super::members::{Failure, Members};
use super::words::{Range, Root, revision};
use super::{failure, watching};
use crate::any::{OpenError, Options};
use crate::contract::{CommitError, Listing, ReadError, Store, Txn, Watch, WatchError};
use crate::room::Room;

/// Keys a page: measured as the fastest for 100,000 keys of 600 bytes, 470,000 keys a second.
const PAGE_KEYS: i64 = 10_000;
/// The largest answer taken; a page over it is asked for again in smaller ones.
const PAGE_BYTES: usize = 64 * 1024 * 1024;
/// How often a list is begun anew because its revision was compacted under it.
const LIST_ATTEMPTS: usize = 3;

/// A cluster of etcd. Clones share the connections.
#[derive(Clone)]
pub struct Etcd {
    members: Members,
    root: Root,
    room: Room,
}

/// Why a page did not come.
enum Stopped {
    /// Its revision is gone.
    Compacted,
    Unavailable,
}

impl Etcd {
    /// Connects to the members at `HOST:PORT` and asks one of them for its status.
    pub async fn open(endpoints: &[String], options: &Options) -> Result<Self, OpenError> {
        assert!(!endpoints.is_empty(), "a cluster has a member");
        let root = Root::new(&options.root)
            .map_err(|why| OpenError::Address { address: options.root.clone(), why: why.to_owned() })?;
        let members = Members::new(endpoints, options);
        let what = format!("etcd at {}", endpoints.join(", "));
        let closed = |failure: Failure| failure::of_opening(&failure, what.clone(), options);
        let status = members.call(|client| async move { client.maintenance_client().status().await }).await;
        let status = status.map_err(closed)?;
        info!(version = status.version(), db_bytes = status.db_size(), "etcd answers");
        let etcd = Etcd { members, root, room: Room::default() };
        let one_key = || GetOptions::new().with_limit(1).with_keys_only();
        // Whether this user may read is for any member to say; that there is a leader, for the cluster.
        for options in [one_key().with_serializable(), one_key()] {
            etcd.get(&etcd.root.range(&Prefix::all()), options).await.map_err(closed)?;
        }
        Ok(etcd)
    }

    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Makes etcd forget its history up to `revision`, for everybody that shares it.
    pub async fn compact(&self, revision: Revision) -> Result<(), ReadError> {
        let revision = i64::try_from(revision.0).unwrap_or(i64::MAX);
        let compact = |client: Client| async move { client.kv_client().compact(revision, None).await };
        match self.members.call(compact).await {
            Ok(_) => Ok(()),
            Err(failure) if failure::is_out_of_history(&failure) => Ok(()),
            Err(failure) => {
                warn!(why = failure.explain(), "etcd was not compacted; it fills if this goes on");
                Err(ReadError::Unavailable)
            }
        }
    }

    async fn get(&self, range: &Range, options: GetOptions) -> Result<GetResponse, Failure> {
        let options = match &range.end {
            Some(end) => options.with_range(end.clone()),
            None => options,
        };
        let get = |client: Client| {
            let (first, options) = (range.first.clone(), options.clone());
            let mut client = client.kv_client().max_decoding_message_size(PAGE_BYTES);
            async move { client.get(first, Some(options)).await }
        };
        self.members.call(get).await
    }

    async fn list_once(&self, prefix: &Prefix) -> Result<Listing, Stopped> {
        let mut range = self.root.range(prefix);
        let (mut entries, mut cut, mut page_keys) = (Vec::new(), None, PAGE_KEYS);
        loop {
            let options = GetOptions::new().with_limit(page_keys).with_revision(cut.unwrap_or(0));
            let mut page = match self.get(&range, options).await {
                Ok(page) => page,
                Err(failure) if failure::is_too_much(&failure) && page_keys > 1 => {
                    page_keys = (page_keys / 10).max(1);
                    continue;
                }
                Err(failure) if failure::is_out_of_history(&failure) => return Err(Stopped::Compacted),
                Err(failure) => {
                    warn!(?failure, %prefix, "etcd did not answer a list");
                    return Err(Stopped::Unavailable);
                }
            };
            let at = page.header().map(etcd_client::ResponseHeader::revision).ok_or(Stopped::Unavailable)?;
            let cut = *cut.get_or_insert(at);
            let stored = page.take_kvs();
            let last = stored.last().map(|last| last.key().to_owned());
            entries.extend(stored.into_iter().filter_map(|stored| self.root.entry(stored)));
            match last {
                Some(last) if page.more() => range.first = [last, vec![0]].concat(),
                Some(_) | None => return Ok(Listing { revision: revision(cut), entries }),
            }
        }
    }

    /// Whether this may be what a key holds. The transaction with which etcd's file reaches its quota is written
    /// and yet answered with "space exceeded"; the later ones are not.
    async fn may_hold(&self, written: Option<(Key, Bytes)>) -> bool {
        let Some((key, value)) = written else { return true };
        let range = self.root.range(&Prefix::one(&key));
        match self.get(&range, GetOptions::new()).await {
            Ok(answer) => answer.kvs().iter().any(|stored| *stored.value() == *value),
            Err(_) => true,
        }
    }

    /// Whether the history after a revision is all there: asks for the state at that revision, which only
    /// exists from the last compaction up to now.
    async fn remembers(&self, prefix: &Prefix, after: i64) -> Result<(), WatchError> {
        let range = self.root.range(prefix);
        let options = GetOptions::new().with_revision(after).with_limit(1).with_keys_only();
        match self.get(&range, options).await {
            Ok(_) => Ok(()),
            Err(failure) if failure::is_out_of_history(&failure) => Err(WatchError::Compacted),
            Err(_) => Err(WatchError::Broken),
        }
    }
}

impl Store for Etcd {
    fn room(&self) -> Room {
        self.room.clone()
    }

    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        for _ in 0..LIST_ATTEMPTS {
            match self.list_once(prefix).await {
                Ok(listing) => return Ok(listing),
                Err(Stopped::Compacted) => {}
                Err(Stopped::Unavailable) => return Err(ReadError::Unavailable),
            }
        }
        Err(ReadError::Unavailable)
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        txn.check()?;
        let compares: Vec<_> = txn.guards.iter().map(|guard| self.root.compare(guard)).collect();
        let mut operations: Vec<_> =
            txn.writes.iter().cloned().map(|write| self.root.operation(write)).collect();
        if operations.is_empty() {
            operations.push(self.root.fresh_read());
        }
        let first_put = txn.writes.iter().find_map(|write| match write {
            Write::Put { key, value } => Some((key.clone(), value.clone())),
            Write::Delete { .. } => None,
        });
        let txn = EtcdTxn::new().when(compares).and_then(operations);
        let send = |client: Client| {
            let txn = txn.clone();
            async move { client.kv_client().txn(txn).await }
        };
        let answer = match self.members.call(send).await {
            Ok(answer) => answer,
            Err(failure) => {
                let mut next_move = failure::of_commit(&failure);
                if next_move == CommitError::Full && Box::pin(self.may_hold(first_put)).await {
                    next_move = CommitError::Unknown;
                }
                warn!(why = failure.explain(), ?next_move, "etcd did not take a transaction");
                return Err(next_move);
            }
        };
        if !answer.succeeded() {
            return Err(CommitError::Conflict);
        }
        answer.header().map(|header| revision(header.revision())).ok_or(CommitError::Unknown)
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        let start = i64::try_from(after.0).ok().and_then(|after| after.checked_add(1));
        let start = start.ok_or(WatchError::Compacted)?;
        let range = self.root.range(prefix);
        let open = |client: Client| watching::open(client.watch_client(), &range, start);
        let stream = self.members.call(open).await.map_err(|failure| {
            debug!(why = failure.explain(), %prefix, "etcd opened no watch");
            WatchError::Broken
        })??;
        // Asked after the watch stands, so that no compaction can slip in between. Before the first revision
        // there is no state to ask for; if the beginning is gone the watch itself is refused.
        if after > Revision(0) {
            self.remembers(prefix, start - 1).await?;
        }
        Ok(watching::batches(stream, self.root.clone(), after, self.members.timeout()))
    }
}
