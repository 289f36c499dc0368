//! The agent's one watch: the placements of its node, as news that never goes back in time.
//!
//! A listing is taken, then changes follow; a compacted history is listed anew, any other now and then. A listing
//! older than what was seen before in the same epoch of the store (a stale member, a rewound cache) is not news and
//! is asked for again. Before anything is believed of an epoch the node's registration is written: the revision of
//! the answer is later than all that an earlier agent of the node can have acted on, and a store that was restored or
//! begun anew knows the node again.
//!
//! A node that holds allocations follows its store into an epoch that names the one it came from. Any other store,
//! an empty one or somebody else's, is not listened to until operators accept it.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use schemas::entry::Entry;
use schemas::epoch::Epoch;
use schemas::key::{Key, Prefix, Revision};
use schemas::node::Fingerprint;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::registration::{Over, Registered, register};
use store::{Batch, Store, Watch, WatchError};

/// How long to wait for an unreachable store, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How often all of the node is listed although nothing broke: old versions of etcd lose events of a watch, and
/// reports that somebody took away are to be written again. A few small reads a minute burden nobody.
const LIST_EVERY: Duration = Duration::from_mins(1);

/// What the feed tells.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// All placements of the node, and its reports, at one moment.
    Whole(Whole),
    /// One revision's changes.
    Changes(Batch),
    /// The store is out of reach. Nothing may be concluded from this.
    Silence,
    /// The store is not the one that this node follows: of this epoch, or of none.
    Foreign(String),
}

/// All there is about the node.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    /// The life of the store; empty if it has no name.
    pub(crate) epoch: String,
    /// The revision that purged the node, if it was.
    pub(crate) purged: Option<Revision>,
    pub(crate) placements: Vec<Entry>,
    pub(crate) reports: Vec<Entry>,
    /// What was placed before this revision was placed on another machine of the same name.
    pub(crate) taken_over_at: Option<Revision>,
}

/// How far the store was seen.
struct Seen {
    /// The life of the store: another after a restore, when revisions go back.
    epoch: String,
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
    /// The epoch that it follows; empty if none.
    pub(crate) follows: watch::Sender<String>,
    /// Whether it holds allocations, which another store must not be asked about.
    pub(crate) is_bound: watch::Receiver<bool>,
}

/// The news of a node's placements, for ever.
pub(crate) fn feed<S: Store>(store: S, node: Node) -> BoxStream<'static, News> {
    let (stage, rest, list_at) = (Stage::List, None, Instant::now() + LIST_EVERY);
    let feed = Feed { store, node, seen: None, stage, rest, pause: PAUSE.0, list_at };
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
    /// Nothing was believed yet.
    seen: Option<Seen>,
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
        match self.list().await {
            Listed::Whole(whole) => {
                (self.stage, self.pause) = (Stage::Join, PAUSE.0);
                News::Whole(whole)
            }
            Listed::Nothing => {
                self.fail();
                News::Silence
            }
            Listed::Foreign(epoch) => {
                self.fail();
                News::Foreign(epoch)
            }
        }
    }

    async fn join(&mut self) -> Option<News> {
        let after = self.seen.as_ref().map(|seen| seen.revision).unwrap_or_default();
        match self.store.watch(&placements_of(&self.node.name), after).await {
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
            Ok(batch) => {
                // A watch that goes back in time repeats what was seen.
                if let Some(seen) = self.seen.as_mut().filter(|seen| batch.revision >= seen.revision) {
                    self.pause = PAUSE.0;
                    seen.revision = batch.revision;
                    return Some(News::Changes(batch));
                }
            }
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
        match self.list().await {
            Listed::Whole(whole) => Some(News::Whole(whole)),
            Listed::Nothing => None,
            Listed::Foreign(epoch) => {
                // Nothing that it tells from now on is meant for this node.
                self.stage = Stage::List;
                self.fail();
                Some(News::Foreign(epoch))
            }
        }
    }

    /// One listing, unless the store is out of reach, answers with an older state than was seen of this epoch, or is
    /// another.
    async fn list(&mut self) -> Listed {
        let epoch = match epoch_of(&self.store).await {
            Ok(epoch) => epoch,
            Err(why) => {
                tracing::debug!("{why}");
                return Listed::Nothing;
            }
        };
        if self.is_foreign(&epoch) {
            return Listed::Foreign(epoch.id);
        }
        self.read(epoch).await.map_or(Listed::Nothing, Listed::Whole)
    }

    /// Whether a node that holds allocations came from another store than this, by all that this one says.
    fn is_foreign(&self, epoch: &Epoch) -> bool {
        let follows = self.node.follows.borrow();
        *self.node.is_bound.borrow() && !follows.is_empty() && !epoch.continues(&follows)
    }

    async fn read(&mut self, epoch: Epoch) -> Option<Whole> {
        let Feed { store, node, seen, .. } = self;
        let epoch = epoch.id;
        if seen.as_ref().is_none_or(|seen| seen.epoch != epoch) {
            let fingerprint = Fingerprint { follows: epoch.clone(), ..node.fingerprint.borrow().clone() };
            let Registered { at, over } = register(store, &node.name, &fingerprint).await.ok()?;
            node.follows.send_if_modified(|follows| {
                let before = std::mem::replace(follows, epoch.clone());
                before != epoch
            });
            let before = seen.as_ref().and_then(|seen| seen.taken_over_at);
            let taken_over_at = (over == Over::Another).then_some(at).or(before);
            *seen = Some(Seen { epoch: epoch.clone(), revision: at, taken_over_at });
        }
        let seen = seen.as_mut()?;
        let reports = store.list(&reports_of(&node.name)).await.ok()?;
        // A server from before there were tombstones refuses to answer: none was written then.
        let tombstone = store.list(&Prefix::one(&Key::tombstone(&node.name))).await.ok();
        let placements = store.list(&placements_of(&node.name)).await.ok()?;
        // A store without an epoch cannot be told from its successor, whose revisions begin anew.
        let listed = placements.revision.min(reports.revision);
        if !epoch.is_empty() && listed < seen.revision {
            tracing::warn!(%listed, seen = %seen.revision, "the store answered with an older state");
            return None;
        }
        seen.revision = placements.revision;
        let purged = tombstone.and_then(|listing| listing.entries.first().map(|entry| entry.modified));
        Some(Whole {
            epoch,
            purged,
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

/// What a listing came to.
enum Listed {
    Whole(Whole),
    Nothing,
    /// The store is of that epoch, which does not name the one that the node follows.
    Foreign(String),
}

/// Which life of the store this is; one without a name if it has not been named. Nothing is concluded from a name that
/// cannot be read.
async fn epoch_of<S: Store>(store: &S) -> Result<Epoch, String> {
    let listing = store.list(&Prefix::one(&Key::epoch())).await.map_err(|error| error.to_string())?;
    let Some(entry) = listing.entries.first() else { return Ok(Epoch::default()) };
    Epoch::read(&entry.value).map_err(|error| format!("/epoch: {error}"))
}

#[cfg(test)]
mod tests;
