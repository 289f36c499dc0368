//! A server's side of the lifeline: which nodes it hears, written on a change only.
//!
//! The first beat of a node writes `/links/<node>`; three missed beats write it again. Nothing is written while a
//! node goes on beating, so the cost of liveness follows transitions, never the number of nodes. Only this server's
//! own monotonic clock counts. A node that now beats to another server is that server's to judge: a link is taken
//! back only while it still names this one. What others write about a node is overheard: a link that was taken from
//! this server is written again with the node's next beat, and a link that names this server though it heard nothing
//! (it was restarted, or an old write of its own arrived late) is believed for as long as any silence.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use plan::{Guard, View, Write};
use schemas::key::{Key, Prefix, Revision};
use schemas::node::{Link, NodeState};
use schemas::{codec, node_name};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::kind::Kind;
use super::refusal::Refusal;
use crate::cache::{Cache, Pulse};
use crate::store::{CommitError, Store, Txn};

/// After how long without a beat a node is silent: three missed beats of two seconds.
const SILENCE: Duration = Duration::from_secs(6);
/// How often all links are compared with what is heard: a store that once answered with an older state is not
/// believed for ever.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long a beat waits for the fingerprint of its node.
const MOMENT: Duration = Duration::from_millis(500);
/// How long to wait after a link that was not written.
const AGAIN: Duration = Duration::from_millis(200);

/// The route that agents beat on.
pub fn router<S: Store>(hearing: Hearing<S>, cache: Cache) -> Router {
    type Ears<S> = State<(Hearing<S>, Cache)>;
    let beat = |State((hearing, cache)): Ears<S>, Path(node): Path<String>| async move {
        // A name becomes a key: whoever says to be a node must not write anywhere else.
        node_name::check(&node)
            .map_err(|why| Refusal::bad_request(format!("{node:?} is not the name of a node: {why}")))?;
        if !hearing.hears(&node) && !is_known(&cache, &node).await {
            return Err(Refusal::not_found(Kind::Node, &node));
        }
        hearing.beat(&node);
        Ok(())
    };
    Router::new().route("/apis/encamp.dev/v1/nodes/{node}/beat", post(beat)).with_state((hearing, cache))
}

/// Whether there is such a node. A moment is waited for: it may have told another server, a moment ago.
async fn is_known(cache: &Cache, node: &str) -> bool {
    let mut changes = cache.subscribe();
    let until = Instant::now() + MOMENT;
    loop {
        if cache.view().speaks_for(node) {
            return true;
        }
        match tokio::time::timeout_at(until, changes.recv()).await {
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
            Ok(Err(RecvError::Closed)) | Err(_) => return false,
        }
    }
}

/// The nodes that beat to this server. A clone hears for the same server.
#[derive(Clone)]
pub struct Hearing<S> {
    store: S,
    server: String,
    nodes: Arc<Mutex<BTreeMap<String, Heard>>>,
    changed: Arc<Notify>,
}

/// One node as this server hears it.
#[derive(Clone, Copy, Debug)]
struct Heard {
    last: Instant,
    /// What its link says, as far as this server wrote it.
    link: Option<bool>,
    /// The node was called down since its link was written: only a newer link brings it back.
    is_called_down: bool,
}

impl Heard {
    fn new(now: Instant) -> Heard {
        Heard { last: now, link: None, is_called_down: false }
    }
}

impl<S: Store> Hearing<S> {
    /// Hears for the server of that name.
    pub fn new(store: S, server: impl Into<String>) -> Hearing<S> {
        Hearing { store, server: server.into(), nodes: Arc::default(), changed: Arc::default() }
    }

    /// Whether the node was heard before, or its link names this server: it stays heard whatever becomes of its
    /// other documents.
    fn hears(&self, node: &str) -> bool {
        self.lock().contains_key(node)
    }

    /// A node beats. Never waits.
    pub fn beat(&self, node: &str) {
        let mut nodes = self.lock();
        let now = Instant::now();
        let heard = nodes.entry(node.to_owned()).or_insert(Heard::new(now));
        heard.last = now;
        if heard.link != Some(true) {
            self.changed.notify_one();
        }
    }

    /// Writes links until told to stop. Links stay as they are then: whether the nodes live is for the next server
    /// to hear, and for the heartbeat controller to judge.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let mut next = self.next_silence();
            for (node, connected) in self.due() {
                if self.write(&node, connected).await.is_err() {
                    next = Some(Instant::now() + AGAIN);
                }
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = until(next) => {}
            }
        }
    }

    /// Follows the links in the store until told to stop.
    pub async fn follow(self, cache: Cache, stop: CancellationToken) {
        let mut changes = cache.subscribe();
        let mut pulse = None;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            {
                let view = cache.view();
                let told = |key: &&Key| matches!(key.kind(), "links" | "health");
                let changed = pulse.iter().flat_map(Pulse::keys).filter(told);
                let unreadable = view.unreadable.under(&["links"]).map(|(key, _)| key);
                let all = view.links.iter().map(|(key, _)| key).chain(unreadable).filter(|_| pulse.is_none());
                changed.chain(all).for_each(|key| self.overhear(&view, key.segment(1)));
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                next = changes.recv() => pulse = match next {
                    Ok(pulse) => Some(pulse),
                    Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => return,
                },
                _ = looks.tick() => pulse = None,
            }
        }
    }

    /// Compares what is known of a node with its link in the store.
    fn overhear(&self, view: &View, node: &str) {
        let link = view.links.stored(&Key::link(node));
        let down =
            view.health.stored(&Key::health(node)).filter(|health| health.value.state == NodeState::Down);
        let is_called_down =
            down.is_some_and(|health| link.is_none_or(|link| link.modified < health.modified));
        let is_unreadable = view.is_unreadable(&Key::link(node));
        let mut nodes = self.lock();
        if is_unreadable {
            // Whose it was cannot be read: who hears the node now says so again, and nobody else.
            let now = Instant::now();
            if let Some(heard) = nodes.get_mut(node).filter(|heard| now < heard.last + SILENCE) {
                heard.link = None;
                self.changed.notify_one();
            }
            return;
        }
        match link.map(|link| &link.value).filter(|link| link.server == self.server) {
            Some(Link { connected: true, .. }) => {
                let new = || Heard::new(Instant::now());
                let heard = nodes.entry(node.to_owned()).or_insert_with(new);
                heard.link = (!is_called_down).then_some(true);
                heard.is_called_down = is_called_down;
                // The silence that may follow is to be waited for.
                self.changed.notify_one();
            }
            Some(Link { connected: false, .. }) => {
                if let Some(heard) = nodes.get_mut(node) {
                    heard.link = Some(false);
                }
            }
            None => {
                if let Some(heard) = nodes.get_mut(node).filter(|heard| heard.link == Some(true)) {
                    heard.link = None;
                }
                if link.is_none() {
                    // It was collected: nobody waits for the node any more.
                    nodes.retain(|name, heard| name != node || Instant::now() < heard.last + SILENCE);
                }
            }
        }
    }

    /// The links that should be written now, and what they should say.
    fn due(&self) -> Vec<(String, bool)> {
        let (now, nodes) = (Instant::now(), self.lock());
        let wanted = |heard: &Heard| now < heard.last + SILENCE;
        let due = nodes.iter().filter(|(_, heard)| heard.link != Some(wanted(heard)));
        due.map(|(node, heard)| (node.clone(), wanted(heard))).collect()
    }

    /// When the next node may fall silent.
    fn next_silence(&self) -> Option<Instant> {
        let nodes = self.lock();
        nodes.values().filter(|heard| heard.link != Some(false)).map(|heard| heard.last + SILENCE).min()
    }

    /// Writes one link, if it is this server's to write.
    async fn write(&self, node: &str, connected: bool) -> Result<(), CommitError> {
        let key = Key::link(node);
        let (at, link) = self.read(&key).await?;
        let is_unreadable = at.is_some() && link.is_none();
        let wanted = Link { server: self.server.clone(), connected };
        let is_ours = link.as_ref().is_some_and(|link| link.server == self.server);
        if !connected && !is_ours && !is_unreadable {
            // The node has gone to another server, or nobody knows it any more.
            self.forget(node);
            return Ok(());
        }
        let is_called_down = self.lock().get(node).is_some_and(|heard| heard.is_called_down);
        if link.as_ref() != Some(&wanted) || is_called_down {
            let guard = at.map_or(Guard::Absent(key.clone()), |at| Guard::At(key.clone(), at));
            let txn = Txn { guards: vec![guard], writes: vec![Write::put(key, &wanted)] };
            self.store
                .commit(txn)
                .await
                .inspect_err(|error| tracing::debug!(node, "link not written: {error}"))?;
            tracing::info!(node, connected, "link");
        }
        let mut nodes = self.lock();
        if let Some(heard) = nodes.get_mut(node) {
            heard.link = Some(connected);
            heard.is_called_down = false;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Heard>> {
        self.nodes.lock().expect("nothing panics while it holds the lock")
    }

    fn forget(&self, node: &str) {
        let mut nodes = self.lock();
        nodes.retain(|name, heard| name != node || Instant::now() < heard.last + SILENCE);
    }

    async fn read(&self, key: &Key) -> Result<(Option<Revision>, Option<Link>), CommitError> {
        let listing = self.store.list(&Prefix::one(key)).await.map_err(|_| CommitError::NotApplied)?;
        let entry = listing.entries.first();
        Ok((entry.map(|entry| entry.modified), entry.and_then(|entry| codec::decode(&entry.value).ok())))
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Limits, Listing, Memory, ReadError, Watch, WatchError};

    async fn link(store: &Memory) -> Option<(Link, Revision)> {
        let listing = store.list(&Prefix::one(&Key::link("n1"))).await.unwrap();
        listing.entries.first().map(|entry| (codec::decode(&entry.value).unwrap(), entry.modified))
    }

    fn hear(store: &Memory, server: &str) -> Hearing<Memory> {
        let hearing = Hearing::new(store.clone(), server);
        tokio::spawn(hearing.clone().run(CancellationToken::new()));
        hearing
    }

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn links_are_written_when_something_changes_and_only_then() {
        let store = Memory::new(Limits::default());
        let hearing = hear(&store, "s1");
        let mut first = None;
        for _beat in 0..50 {
            hearing.beat("n1");
            pass(2).await;
            let (link, revision) = link(&store).await.unwrap();
            assert_eq!(link, Link { server: "s1".into(), connected: true });
            assert_eq!(*first.get_or_insert(revision), revision, "a beat alone writes nothing");
        }
        pass(3).await;
        assert!(link(&store).await.unwrap().0.connected, "two beats may be missed");
        pass(2).await;
        assert!(!link(&store).await.unwrap().0.connected, "three are silence");
        hearing.beat("n1");
        pass(1).await;
        assert!(link(&store).await.unwrap().0.connected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_went_to_another_server_is_not_called_silent() {
        let store = Memory::new(Limits::default());
        let (one, other) = (hear(&store, "s1"), hear(&store, "s2"));
        one.beat("n1");
        pass(2).await;
        for _beat in 0..10 {
            other.beat("n1");
            pass(2).await;
            assert_eq!(link(&store).await.unwrap().0, Link { server: "s2".into(), connected: true });
        }
        one.beat("n1");
        pass(1).await;
        assert_eq!(link(&store).await.unwrap().0.server, "s1", "back again");
    }

    #[tokio::test]
    async fn a_beat_is_no_way_to_write_elsewhere() {
        use tower::ServiceExt;
        let store = Memory::new(Limits::default());
        let cache = Cache::new(Duration::from_secs(600), crate::clock::Clock::system());
        tokio::spawn({
            let (cache, store) = (cache.clone(), store.clone());
            async move { cache.run(store, CancellationToken::new()).await }
        });
        let found = Write::put(Key::fingerprint("n1"), &schemas::node::Fingerprint::default());
        let lost = Write::put(Key::link("lost"), &Link { server: "s9".into(), connected: true });
        store.commit(Txn { guards: vec![], writes: vec![found, lost] }).await.unwrap();
        let hearing = Hearing::new(store, "s1");
        let table = [
            ("n1", 200),
            ("lost", 200),
            ("invented", 404),
            ("a%2Fb", 400),
            ("a%0Ab", 400),
            ("..", 400),
            ("a%20b", 400),
        ];
        for (name, status) in table {
            let beat = axum::http::Request::post(format!("/apis/encamp.dev/v1/nodes/{name}/beat"));
            let beat = beat.body(axum::body::Body::empty()).unwrap();
            let answer = router(hearing.clone(), cache.clone()).oneshot(beat).await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{name}");
        }
        assert_eq!(hearing.lock().len(), 2);
    }

    /// A store whose next list may be an older one.
    #[derive(Clone)]
    struct Forgetful {
        store: Memory,
        older: Arc<Mutex<Option<Listing>>>,
    }

    impl Store for Forgetful {
        async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
            let older = self.older.lock().unwrap().take();
            if let Some(older) = older { Ok(older) } else { self.store.list(prefix).await }
        }
        async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
            self.store.commit(txn).await
        }
        async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
            self.store.watch(prefix, after).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_link_is_not_believed_for_ever() {
        let (store, stop) = (Memory::new(Limits::default()), CancellationToken::new());
        let cache = Cache::new(Duration::from_secs(600), crate::clock::Clock::system());
        tokio::spawn({
            let (cache, store, stop) = (cache.clone(), store.clone(), stop.clone());
            async move { cache.run(store, stop).await }
        });
        let forgetful = Forgetful { store: store.clone(), older: Arc::default() };
        let hearing = Hearing::new(forgetful.clone(), "s1");
        tokio::spawn(hearing.clone().run(stop.clone()));
        tokio::spawn(hearing.clone().follow(cache, stop));
        hearing.beat("n1");
        pass(1).await;
        let older = store.list(&Prefix::one(&Key::link("n1"))).await.unwrap();
        pass(9).await;
        assert!(!link(&store).await.unwrap().0.connected, "it was silent");
        *forgetful.older.lock().unwrap() = Some(older);
        let mut waited = 0;
        while !link(&store).await.unwrap().0.connected {
            hearing.beat("n1");
            pass(2).await;
            waited += 2;
            assert!(waited < 60, "the older link is still believed");
        }
        assert!(waited > 2, "the older link was believed for a while");
    }
}
