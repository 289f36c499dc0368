//! The agent's one watch: the placements of its node, as news that never goes back in time.
//!
//! A listing is taken, then changes follow; a compacted history is listed anew, any other now and then. A listing
//! older than what was seen before in the same epoch of the store (a stale member, a rewound cache) is not news and
//! is asked for again.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use schemas::entry::Entry;
use schemas::key::{Key, Prefix, Revision};
use tokio::time::{Instant, timeout_at};

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
    pub(crate) seen: Seen,
    pub(crate) placements: Vec<Entry>,
    pub(crate) reports: Vec<Entry>,
}

/// How far the store was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Seen {
    /// The life of the store: another after a restore, when revisions go back.
    pub(crate) epoch: String,
    /// The newest revision acted on.
    pub(crate) revision: Revision,
}

/// Where the placements of a node lie.
pub(crate) fn placements_of(node: &str) -> Prefix {
    Prefix::under(format!("/placements/{node}/"))
}

/// Where the reports of a node lie.
pub(crate) fn reports_of(node: &str) -> Prefix {
    Prefix::under(format!("/reports/{node}/"))
}

/// The news of a node's placements, for ever.
pub(crate) fn feed<S: Store>(store: S, node: String, seen: Seen) -> BoxStream<'static, News> {
    let (stage, rest, list_at) = (Stage::List, None, Instant::now() + LIST_EVERY);
    let feed = Feed { store, node, seen, stage, rest, pause: PAUSE.0, list_at };
    stream::unfold(feed, |mut feed| async {
        let news = feed.next().await;
        Some((news, feed))
    })
    .boxed()
}

/// A feed between two news.
struct Feed<S> {
    store: S,
    node: String,
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
        match list(&self.store, &self.node, &self.seen).await {
            Ok(Some(whole)) => {
                (self.stage, self.pause) = (Stage::Join, PAUSE.0);
                self.whole(whole)
            }
            Ok(None) | Err(ReadError::Unavailable) => {
                self.fail();
                News::Silence
            }
        }
    }

    async fn join(&mut self) -> Option<News> {
        match self.store.watch(&placements_of(&self.node), self.seen.revision).await {
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
        let listed = list(&self.store, &self.node, &self.seen).await;
        listed.ok().flatten().map(|whole| self.whole(whole))
    }

    fn whole(&mut self, whole: Whole) -> News {
        self.seen.clone_from(&whole.seen);
        News::Whole(whole)
    }

    fn fail(&mut self) {
        self.rest = Some(self.pause);
        self.pause = (self.pause * 2).min(PAUSE.1);
    }
}

/// One listing; nothing if the store answers with an older state than was seen before.
async fn list<S: Store>(store: &S, node: &str, seen: &Seen) -> Result<Option<Whole>, ReadError> {
    let epoch = store.list(&Prefix::one(&Key::epoch())).await?;
    let epoch = epoch
        .entries
        .first()
        .map_or_else(String::new, |entry| String::from_utf8_lossy(&entry.value).trim_matches('"').to_owned());
    let reports = store.list(&reports_of(node)).await?;
    let placements = store.list(&placements_of(node)).await?;
    // A store without an epoch cannot be told from its successor, whose revisions begin anew.
    let listed = placements.revision.min(reports.revision);
    if !epoch.is_empty() && epoch == seen.epoch && listed < seen.revision {
        tracing::warn!(%listed, seen = %seen.revision, "the store answered with an older state");
        return Ok(None);
    }
    let seen = Seen { epoch, revision: placements.revision };
    Ok(Some(Whole { seen, placements: placements.entries, reports: reports.entries }))
}

#[cfg(test)]
mod tests {
    use plan::Write;

    use super::*;
    use crate::store::deaf::Deaf;
    use crate::store::{Memory, Txn};

    #[tokio::test(start_paused = true)]
    async fn a_placement_whose_event_was_lost_is_found_in_the_end() {
        let store = Memory::default();
        let lost = Key::placement("n1", "default", "web.api.0-v0.0");
        let mut news = feed(Deaf { store: store.clone(), to: lost.clone() }, "n1".into(), Seen::default());
        assert!(matches!(news.next().await, Some(News::Whole(whole)) if whole.placements.is_empty()));
        let put = Write::Put { key: lost.clone(), value: "{}".into() };
        store.commit(Txn { guards: vec![], writes: vec![put] }).await.unwrap();
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
}
