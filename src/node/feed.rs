//! The agent's one watch: the placements of its node, as news that never goes back in time.
//!
//! A listing is taken once, then changes follow; a compacted history is listed anew. A listing older than what was
//! seen before in the same epoch of the store (a stale member, a rewound cache) is not news and is asked for again.

use std::time::Duration;

use async_stream::stream;
use futures::stream::{BoxStream, StreamExt};
use schemas::entry::Entry;
use schemas::key::{Key, Prefix, Revision};
use tokio::time::{Instant, timeout_at};

use crate::store::{Batch, ReadError, Store, WatchError};

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
pub(crate) fn feed<S: Store>(store: S, node: String, mut seen: Seen) -> BoxStream<'static, News> {
    let prefix = placements_of(&node);
    stream! {
        let mut pause = PAUSE.0;
        let mut list_at = Instant::now() + LIST_EVERY;
        loop {
            let whole = match list(&store, &node, &seen).await {
                Ok(Some(whole)) => whole,
                Ok(None) | Err(ReadError::Unavailable) => {
                    yield News::Silence;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                    continue;
                }
            };
            pause = PAUSE.0;
            seen = whole.seen.clone();
            yield News::Whole(whole);
            loop {
                let mut watch = match store.watch(&prefix, seen.revision).await {
                    Ok(watch) => watch,
                    Err(WatchError::Compacted) => break,
                    Err(WatchError::Broken) => {
                        yield News::Silence;
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE.1);
                        continue;
                    }
                };
                let end = loop {
                    let Ok(heard) = timeout_at(list_at, watch.next()).await else {
                        list_at = Instant::now() + LIST_EVERY;
                        if let Ok(Some(whole)) = list(&store, &node, &seen).await {
                            seen = whole.seen.clone();
                            yield News::Whole(whole);
                        }
                        continue;
                    };
                    match heard {
                        Some(Ok(batch)) if batch.revision >= seen.revision => {
                            pause = PAUSE.0;
                            seen.revision = batch.revision;
                            yield News::Changes(batch);
                        }
                        // A watch that goes back in time repeats what was seen.
                        Some(Ok(_)) => {}
                        Some(Err(error)) => break error,
                        None => break WatchError::Broken,
                    }
                };
                match end {
                    WatchError::Compacted => break,
                    WatchError::Broken => {
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE.1);
                    }
                }
            }
        }
    }
    .boxed()
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
