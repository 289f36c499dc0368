//! One server's API: what it serves from, and its routes.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use jiff::Timestamp;
use schemas::key::{Key, Prefix, Revision};
use tokio_util::sync::CancellationToken;
use tower_http::trace::TraceLayer;

use super::feed::Feed;
use super::kind::Kind;
use super::refusal::Refusal;
use super::scene::Scene;
use super::work::Work;
use super::{
    core, discovery, epoch, health, liveness, log, openapi, preview, read, review, rollback, scale,
    unreadable, write,
};
use cache::{Cache, Changes};
use clock::Clock;
use store::{CommitError, Entry, Listing, ReadError, Room, Store, Txn};

/// How long a write waits until this server shows it.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// How many lists are joined at once: each is some times as large meanwhile, and one worker at least is to stay free.
fn readers() -> usize {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    (workers / 2).clamp(1, 4)
}

/// The API of one server. A clone is another handle on the same one.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    name: String,
    cache: Cache,
    clock: Clock,
    feed: Feed,
    /// Writing and foreseeing.
    thinking: Work,
    /// Reading, which does not wait for writers.
    showing: Work,
    store: Box<dyn Writer>,
    /// Subscribed before anything was read, taken by [`Server::run`].
    changes: Mutex<Option<Changes>>,
    stop: CancellationToken,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the API asks of a store, whichever it is: one copy of every handler is enough.
trait Writer: Send + Sync {
    fn commit(&self, txn: Txn) -> Answer<'_, Result<Revision, CommitError>>;
    fn list(&self, prefix: Prefix) -> Answer<'_, Result<Listing, ReadError>>;
    fn room(&self) -> Room;
}

impl<S: Store> Writer for S {
    fn commit(&self, txn: Txn) -> Answer<'_, Result<Revision, CommitError>> {
        Box::pin(Store::commit(self, txn))
    }
    fn list(&self, prefix: Prefix) -> Answer<'_, Result<Listing, ReadError>> {
        Box::pin(async move { Store::list(self, &prefix).await })
    }
    fn room(&self) -> Room {
        Store::room(self)
    }
}

impl Server {
    /// A server of that name over a store and the cache of its process. Watches end when `stop` is cancelled.
    pub fn new<S: Store>(
        name: impl Into<String>,
        store: S,
        cache: Cache,
        clock: Clock,
        stop: CancellationToken,
    ) -> Server {
        let changes = Mutex::new(Some(cache.subscribe()));
        let (store, feed) = (Box::new(store), Feed::default());
        let (name, thinking, showing) = (name.into(), Work::default(), Work::default());
        Server(Arc::new(Inner { name, cache, clock, feed, thinking, showing, store, changes, stop }))
    }

    /// Every route of the API.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(discovery::router())
            .merge(health::router())
            .merge(openapi::router())
            .merge(http_server::bounded(core::router().merge(read::router()), readers()))
            .merge(unreadable::router())
            .merge(write::router())
            .merge(scale::router())
            .merge(rollback::router())
            .merge(preview::router())
            .merge(review::router())
            .merge(liveness::router())
            .merge(log::router())
            .merge(epoch::router())
            .fallback(|| async { Refusal::no_such_path() })
            .method_not_allowed_fallback(|uri: Uri| async move {
                // Where all kinds share an address the kind knows better than the router, which names the rest.
                Refusal::method_not_allowed("the server does not allow this method on the requested resource")
                    .but_allowed(Kind::methods_at(uri.path()))
            })
            .layer(TraceLayer::new_for_http())
            .with_state(self.clone())
    }

    /// Follows the cache, so that watches and events are fed, until stopped. A second call does nothing.
    pub async fn run(&self) {
        let changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(changes) = changes else { return };
        let Inner { cache, clock, feed, stop, .. } = &*self.0;
        feed.run(cache.clone(), changes, clock.clone(), stop.clone()).await;
    }

    /// The server's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The picture of the store.
    pub(super) fn cache(&self) -> &Cache {
        &self.0.cache
    }

    /// The time of day, to the second: what documents carry.
    pub(super) fn now(&self) -> Timestamp {
        let now = self.0.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Cancelled when the server stops.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// The moments that watches are fed from.
    pub(super) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// Looks at everything at once.
    pub(super) fn look<T>(&self, at: impl FnOnce(&Scene<'_>) -> T) -> T {
        let view = self.0.cache.view();
        let events = self.0.feed.events();
        at(&Scene { view: &view, events: &events, explains: false, now: self.0.clock.now() })
    }

    /// Does what takes a while for a write or a plan, see [`Work`].
    pub(super) async fn think<T>(&self, think: impl FnOnce() -> T) -> Result<T, Refusal> {
        self.0.thinking.run(think).await
    }

    /// The same for a read.
    pub(super) async fn show<T>(&self, think: impl FnOnce() -> T) -> Result<T, Refusal> {
        self.0.showing.run(think).await
    }

    /// Writes.
    pub(super) async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.0.store.commit(txn).await
    }

    /// How much room the store has.
    pub(super) fn room(&self) -> Room {
        self.0.store.room()
    }

    /// One document as the store has it now, however far this server's picture lags.
    pub(super) async fn fresh(&self, key: &Key) -> Result<Option<Entry>, ReadError> {
        let listing = self.0.store.list(Prefix::one(key)).await?;
        Ok(listing.entries.into_iter().next())
    }

    /// Waits until this server shows a revision, but not for ever: the write is done either way.
    pub(super) async fn shown(&self, revision: Revision) {
        if tokio::time::timeout(SHOWN_WITHIN, self.0.cache.reached(revision)).await.is_err() {
            tracing::warn!(%revision, "the view lags behind a write of this server");
        }
    }
}
