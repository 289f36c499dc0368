//! The worlds the suite runs in: a store, and a hand that compacts it.

use std::any::Any;
use std::future::{Ready, ready};
use std::time::Duration;

use bytes::Bytes;
use encamp::api::store_face::{self, Allow, allow_all};
use encamp::store::{
    Batch, Change, CommitError, Embedded, Entry, Etcd, Http, Limits, Memory, Options, Store, Txn, Watch,
    WatchError,
};
use futures::StreamExt;
use futures::future::BoxFuture;
use plan::{Guard, Write};
use schemas::key::{Key, Prefix, Revision};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::common::etcd::Etcd as Server;

/// Nothing in the suite takes longer than this unless it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A hand on a store that makes it forget.
type Compact = Box<dyn Fn(Revision) -> BoxFuture<'static, ()> + Send + Sync>;

/// One store under test.
pub(crate) struct World<S> {
    /// The store.
    pub(crate) store: S,
    /// Makes it forget its history up to a revision.
    pub(crate) compact: Compact,
    /// What has to live as long as the store: servers, folders.
    pub(crate) _keep: Box<dyn Any + Send + Sync>,
}

/// The store that lives in memory.
pub(crate) fn memory() -> Ready<Option<World<Memory>>> {
    let store = Memory::new(Limits::default());
    let hand = store.clone();
    let compact = at_once(move |revision| hand.compact(revision));
    ready(Some(World { store, compact, _keep: Box::new(()) }))
}

/// The store in a folder.
pub(crate) fn embedded() -> Ready<Option<World<Embedded>>> {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let store = Embedded::open(folder.path(), Limits::default()).expect("an empty folder is fine");
    let hand = store.clone();
    let compact = at_once(move |revision| hand.compact(revision));
    ready(Some(World { store, compact, _keep: Box::new(folder) }))
}

/// A real etcd, if there is one.
pub(crate) async fn etcd() -> Option<World<Etcd>> {
    let server = Server::start(&[]).await?;
    let store = Etcd::open(&[server.endpoint()], &Options::default()).await.expect("etcd answers");
    Some(of_etcd(store, server))
}

/// An open etcd as a world of the suite.
pub(crate) fn of_etcd(store: Etcd, keep: impl Send + Sync + 'static) -> World<Etcd> {
    let hand = store.clone();
    let compact = move |revision| -> BoxFuture<'static, ()> {
        let hand = hand.clone();
        Box::pin(async move { hand.compact(revision).await.expect("etcd compacts") })
    };
    World { store, compact: Box::new(compact), _keep: Box::new(keep) }
}

/// The store in memory as it is seen through the API of another process.
pub(crate) async fn http() -> Option<World<Http>> {
    let memory = Memory::new(Limits::default());
    let served = serve(memory.clone(), allow_all()).await;
    let store = Http::new(std::slice::from_ref(&served.address), reqwest::Client::new()).expect("an address");
    let compact = at_once(move |revision| memory.compact(revision));
    Some(World { store, compact, _keep: Box::new(served) })
}

/// The hand on a store that forgets without waiting.
fn at_once(compact: impl Fn(Revision) + Send + Sync + 'static) -> Compact {
    Box::new(move |revision| {
        compact(revision);
        Box::pin(async {})
    })
}

/// A server of the store face, which ends when this is dropped.
pub(crate) struct Served {
    pub(crate) address: String,
    /// Ends the open watches.
    pub(crate) stop: CancellationToken,
    /// Closes the listener and all its connections when dropped.
    _tasks: JoinSet<()>,
}

/// Serves a store on a port of its own.
pub(crate) async fn serve<S: Store>(store: S, allow: Allow) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
    let stop = CancellationToken::new();
    let router = store_face::router(store, allow, stop.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    Served { address, stop, _tasks: tasks }
}

impl<S: Store> World<S> {
    /// Commits writes without guards; must succeed.
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Revision {
        self.commit(vec![], writes).await.expect("nothing stands against it")
    }

    /// Commits.
    pub(crate) async fn commit(
        &self,
        guards: Vec<Guard>,
        writes: Vec<Write>,
    ) -> Result<Revision, CommitError> {
        within(self.store.commit(Txn { guards, writes })).await
    }

    /// One put; must succeed.
    pub(crate) async fn put(&self, at: &str, value: &str) -> Revision {
        self.write(vec![put(at, value)]).await
    }

    /// Whether these guards hold now.
    pub(crate) async fn holds(&self, guards: Vec<Guard>) -> bool {
        match self.commit(guards, vec![]).await {
            Ok(_) => true,
            Err(CommitError::Conflict) => false,
            Err(other) => panic!("expected a yes or no, got {other}"),
        }
    }

    /// Everything under a prefix.
    pub(crate) async fn list(&self, prefix: &Prefix) -> Vec<Entry> {
        within(self.store.list(prefix)).await.expect("the store is there").entries
    }

    /// The revision the store stands at.
    pub(crate) async fn revision(&self) -> Revision {
        within(self.store.list(&under("/nothing/"))).await.expect("the store is there").revision
    }

    /// Opens a watch.
    pub(crate) async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        within(self.store.watch(prefix, after)).await
    }
}

/// Fails the test instead of hanging it.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it answers in time")
}

/// The next batch that says more than progress.
pub(crate) async fn next(watch: &mut Watch) -> Result<Batch, WatchError> {
    loop {
        let batch = within(watch.next()).await.expect("a watch ends with an error")?;
        if !batch.changes.is_empty() {
            return Ok(batch);
        }
    }
}

/// The next batches, printed one per line as `revision: +key=value -key`.
pub(crate) async fn picture(watch: &mut Watch, batches: usize, first: Revision) -> String {
    let mut lines = String::new();
    for _ in 0..batches {
        lines += &line(&next(watch).await.expect("the watch holds"), first);
        lines.push('\n');
    }
    lines
}

/// One batch as text, its revision counted from `first`.
pub(crate) fn line(batch: &Batch, first: Revision) -> String {
    let words = batch.changes.iter().map(|change| match change {
        Change::Put(entry) => {
            format!(" +{}={}#{}", entry.key, String::from_utf8_lossy(&entry.value), entry.version)
        }
        Change::Delete { key } => format!(" -{key}"),
    });
    format!("{}:{}", batch.revision.0 - first.0, words.collect::<String>())
}

/// A key.
pub(crate) fn key(text: &str) -> Key {
    Key::new(text).expect("the test wrote a key")
}

/// A prefix.
pub(crate) fn under(text: &str) -> Prefix {
    Prefix::under(text)
}

/// A transaction of one write that nothing guards.
pub(crate) fn one(write: Write) -> Txn {
    Txn { guards: vec![], writes: vec![write] }
}

/// A put.
pub(crate) fn put(at: &str, value: &str) -> Write {
    Write::Put { key: key(at), value: Bytes::copy_from_slice(value.as_bytes()) }
}

/// A delete.
pub(crate) fn delete(at: &str) -> Write {
    Write::Delete { key: key(at) }
}

/// A guard over a prefix.
pub(crate) fn unchanged(prefix: Prefix, since: Revision) -> Guard {
    Guard::Unchanged { prefix, since }
}
