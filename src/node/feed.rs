//! The agent's one watch: the placements of its node, as news that never goes back in time.
//!
//! A listing is taken, then changes follow; a compacted history is listed anew, any other now and then. A listing
//! older than what was seen before in the same epoch of the store (a stale member, a rewound cache) is not news and
//! is asked for again. Before anything is believed of an epoch the node's registration is written: the revision of
//! the answer is later than all that an earlier agent of the node can have acted on, and a store that was restored or
//! begun anew knows the node again.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use schemas::entry::Entry;
use schemas::key::{Key, Prefix, Revision};
use schemas::node::Fingerprint;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::registration::{Over, Registered, register};
use crate::store::{Batch, ReadError, Store, Watch, WatchError};

/// How long to wait for an unreachable store, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How often the placements are listed although nothing broke: old versions of etcd lose events of a watch. A
/// few small reads each five minutes burden nobody, however many nodes there are.
const LIST_EVERY: Duration = Duration::from_secs(300);

/// What the feed tells.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// All placements of the node, and its reports, at one moment.
    Whole(Whole),
    /// One revision's changes.
    Changes(Batch),
    /// The store is out of reach. Nothing may be concluded from this.
    Silence,
}

/// All there is about the node.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) placements: Vec<Entry>,
    pub(crate) reports: Vec<Entry>,
    /// What was placed before this revision was placed on another machine of the same name.
    pub(crate) taken_over_at: Option<Revision>,
}

/// How far the store was seen.
#[derive(Default)]
struct Seen {
    /// The life of the store: another after a restore, when revisions go back. Nothing before the first look.
    epoch: Option<String>,
    /// The newest revision that was told, or that this node wrote before anything was.
    revision: Revision,
    /// When the node's name was taken over from another machine, if it was.
    taken_over_at: Option<Revision>,
}

/// Where the placements of a node lie.
pub(crate) fn placements_of(node: &str) -> Prefix {
    Prefix::under(format!("/placements/{node}/"))
}

/// Where the reports of a node lie.
pub(crate) fn reports_of(node: &str) -> Prefix {
    Prefix::under(format!("/reports/{node}/"))
}

/// The node that listens.
pub(crate) struct Node {
    pub(crate) name: String,
    /// What it is now.
    pub(crate) fingerprint: watch::Receiver<Fingerprint>,
}

/// The news of a node's placements, for ever.
pub(crate) fn feed<S: Store>(store: S, node: Node) -> BoxStream<'static, News> {
    let (stage, rest, list_at) = (Stage::List, None, Instant::now() + LIST_EVERY);
    let feed = Feed { store, node, seen: Seen::default(), stage, rest, pause: PAUSE.0, list_at };
    stream::unfold(feed, |mut feed| async {
        let news = feed.next().await;
        Some((news, feed))
    })
    .boxed()
}

/// A feed between two news.
struct Feed<S> {
    store: S,
    node: Node,
    seen: Seen,
    stage: Stage,
    /// What to wait before the next attempt.
    rest: Option<Duration>,
    /// What a failure waits.
    pause: Duration,
    /// When to list although nothing broke.
    list_at: Instant,
}

/// What comes next.
enum Stage {
    /// All of it must be listed.
    List,
    /// Listed, and not watched.
    Join,
    /// Watched.
    Listen(Watch),
}

impl<S: Store> Feed<S> {
    async fn next(&mut self) -> News {
        loop {
            if let Some(rest) = self.rest.take() {
                tokio::time::sleep(rest).await;
            }
            let news = match &mut self.stage {
                Stage::List => Some(self.begin().await),
                Stage::Join => self.join().await,
                Stage::Listen(watch) => match timeout_at(self.list_at, watch.next()).await {
                    Ok(heard) => self.on_heard(heard),
                    Err(_) => self.look_again().await,
                },
            };
            if let Some(news) = news {
                return news;
            }
        }
    }

    async fn begin(&mut self) -> News {
        let Some(whole) = self.list().await else {
            self.fail();
            return News::Silence;
        };
        (self.stage, self.pause) = (Stage::Join, PAUSE.0);
        News::Whole(whole)
    }

    async fn join(&mut self) -> Option<News> {
        match self.store.watch(&placements_of(&self.node.name), self.seen.revision).await {
            Ok(watch) => self.stage = Stage::Listen(watch),
            Err(WatchError::Compacted) => self.stage = Stage::List,
            Err(WatchError::Broken) => {
                self.fail();
                return Some(News::Silence);
            }
        }
        None
    }

    fn on_heard(&mut self, heard: Option<Result<Batch, WatchError>>) -> Option<News> {
        match heard.unwrap_or(Err(WatchError::Broken)) {
            Ok(batch) if batch.revision >= self.seen.revision => {
                self.pause = PAUSE.0;
                self.seen.revision = batch.revision;
                return Some(News::Changes(batch));
            }
            // A watch that goes back in time repeats what was seen.
            Ok(_) => {}
            Err(WatchError::Compacted) => self.stage = Stage::List,
            Err(WatchError::Broken) => {
                self.stage = Stage::Join;
                self.fail();
            }
        }
        None
    }

    /// A listing beside a watch that goes on; a store that is out of reach is asked the next time.
    async fn look_again(&mut self) -> Option<News> {
        self.list_at = Instant::now() + LIST_EVERY;
        self.list().await.map(News::Whole)
    }

    /// One listing; nothing if the store is out of reach or answers with an older state than was seen of this epoch.
    async fn list(&mut self) -> Option<Whole> {
        let Feed { store, node, seen, .. } = self;
        let epoch = epoch_of(store).await.ok()?;
        if seen.epoch.as_ref() != Some(&epoch) {
            let fingerprint = node.fingerprint.borrow().clone();
            let Registered { at, over } = register(store, &node.name, &fingerprint).await.ok()?;
            let taken_over_at = (over == Over::Another).then_some(at).or(seen.taken_over_at);
            *seen = Seen { epoch: Some(epoch.clone()), revision: at, taken_over_at };
        }
        let reports = store.list(&reports_of(&node.name)).await.ok()?;
        let placements = store.list(&placements_of(&node.name)).await.ok()?;
        // A store without an epoch cannot be told from its successor, whose revisions begin anew.
        let listed = placements.revision.min(reports.revision);
        if !epoch.is_empty() && listed < seen.revision {
            tracing::warn!(%listed, seen = %seen.revision, "the store answered with an older state");
            return None;
        }
        seen.revision = placements.revision;
        Some(Whole {
            placements: placements.entries,
            reports: reports.entries,
            taken_over_at: seen.taken_over_at,
        })
    }

    fn fail(&mut self) {
        self.rest = Some(self.pause);
        self.pause = (self.pause * 2).min(PAUSE.1);
    }
}

/// Which life of the store this is; empty if it has not been named.
async fn epoch_of<S: Store>(store: &S) -> Result<String, ReadError> {
    let listing = store.list(&Prefix::one(&Key::epoch())).await?;
    let text = listing.entries.first().map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
    Ok(text.unwrap_or_default().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use plan::Write;

    use super::*;
    use crate::store::deaf::Deaf;
    use crate::store::{CommitError, Listing, Memory, Txn};

    fn node() -> Node {
        Node { name: "n1".into(), fingerprint: watch::channel(Fingerprint::default()).1 }
    }

    async fn put(store: &Memory, key: Key) -> Revision {
        let write = Write::Put { key, value: "\"x\"".into() };
        store.commit(Txn { guards: vec![], writes: vec![write] }).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_placement_whose_event_was_lost_is_found_in_the_end() {
        let store = Memory::default();
        let lost = Key::placement("n1", "default", "web.api.0-v0.0");
        let mut news = feed(Deaf { store: store.clone(), to: lost.clone() }, node());
        assert!(matches!(news.next().await, Some(News::Whole(whole)) if whole.placements.is_empty()));
        put(&store, lost.clone()).await;
        let began = Instant::now();
        let found = loop {
            match news.next().await.unwrap() {
                News::Whole(whole) => break whole.placements,
                News::Changes(batch) => assert!(batch.changes.is_empty(), "its event is lost"),
                News::Silence => panic!("the store answers"),
            }
        };
        assert_eq!(found[0].key, lost);
        assert!(began.elapsed() <= LIST_EVERY + Duration::from_secs(1));
    }

    /// Lists are answered as of an older state, commits by the store as it is.
    #[derive(Clone)]
    struct Lagging {
        old: Memory,
        new: Memory,
    }

    impl Store for Lagging {
        async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
            self.old.list(prefix).await
        }
        async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
            self.new.commit(txn).await
        }
        async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
            self.old.watch(prefix, after).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_believes_no_state_older_than_its_own_beginning() {
        let (old, new) = (Memory::default(), Memory::default());
        put(&old, Key::epoch()).await;
        put(&new, Key::epoch()).await;
        // What the agent's predecessor started and this reader has not heard of.
        put(&new, Key::placement("n1", "default", "web.api.0-v0.0")).await;
        let mut news = feed(Lagging { old: old.clone(), new }, node());
        assert!(matches!(news.next().await, Some(News::Silence)), "nothing is concluded from an older state");
        put(&old, Key::placement("n1", "default", "web.api.0-v0.0")).await;
        assert!(matches!(news.next().await, Some(News::Silence)), "nor from one before the agent began");
        put(&old, Key::fingerprint("n1")).await;
        assert!(matches!(news.next().await, Some(News::Whole(whole)) if whole.placements.len() == 1));
    }
}
