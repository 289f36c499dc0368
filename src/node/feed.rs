//! The agent's one watch: the placements of its node, as news that never goes back in time.
//!
//! A listing is taken once, then changes follow; a compacted history is listed anew. A listing older than what was
//! seen before in the same epoch of the store (a stale member, a rewound cache) is not news and is asked for again.

use std::time::Duration;

use async_stream::stream;
use futures::stream::{BoxStream, StreamExt};
use schemas::entry::Entry;
use schemas::key::{Key, Prefix, Revision};

use crate::store::{Batch, ReadError, Store, WatchError};

/// How long to wait for an unreachable store, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

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
        loop {
            let whole = match whole(&store, &node, &seen).await {
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
                    match watch.next().await {
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
async fn whole<S: Store>(store: &S, node: &str, seen: &Seen) -> Result<Option<Whole>, ReadError> {
    let epoch = store.list(&Prefix::one(&Key::epoch())).await?;
    let epoch = epoch
        .entries
        .first()
        .map_or_else(String::new, |entry| String::from_utf8_lossy(&entry.value).trim_matches('"').to_owned());
    let reports = store.list(&reports_of(node)).await?;
    let placements = store.list(&placements_of(node)).await?;
    // A store without an epoch cannot be told from its successor, whose revisions begin anew.
    if !epoch.is_empty() && epoch == seen.epoch && placements.revision < seen.revision {
        tracing::warn!(listed = %placements.revision, seen = %seen.revision, "the store answered with an older state");
        return Ok(None);
    }
    let seen = Seen { epoch, revision: placements.revision };
    Ok(Some(Whole { seen, placements: placements.entries, reports: reports.entries }))
}
