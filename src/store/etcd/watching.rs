//! One watch on etcd as a stream of whole revisions.
//!
//! Without fragments etcd sends each revision whole in one response, so batches go out at once. Versions before
//! 3.4.25 repeat events, replay old ones after a snapshot, and may send a progress note ahead of
//! events that it covers. So: events at or below the last seen revision are dropped, and a note is
//! passed on only after the next one came, half a period later; should an event still come below a revision
//! that was passed on, the reader's picture cannot be trusted any more and the watch ends with `Compacted`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use etcd_client::{Error, WatchClient, WatchOptions, WatchResponse, WatchStream};
use futures::stream::{self, StreamExt};
use schemas::entry::Change;
use schemas::key::Revision;
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::words::{Range, Root, revision};
use crate::contract::{Batch, PROGRESS_EVERY, Watch, WatchError};

/// etcd sends up to 1,000 revisions of the past in one message, and never less than one whole.
const MESSAGE_BYTES: usize = 2 * 1024 * 1024 * 1024 - 1;

/// Opens the watch and waits until etcd has made it, or has said that it will not.
pub(super) fn open(
    client: WatchClient,
    range: &Range,
    start: i64,
) -> impl Future<Output = Result<Result<WatchStream, WatchError>, Error>> + use<> {
    let mut options = WatchOptions::new().with_start_revision(start);
    if let Some(end) = &range.end {
        options = options.with_range(end.clone());
    }
    let first = range.first.clone();
    let mut client = client.max_decoding_message_size(MESSAGE_BYTES);
    async move {
        let mut stream = client.watch(first, Some(options)).await?;
        match stream.message().await? {
            Some(response) if response.canceled() => match refusal(&response) {
                // Perhaps only the token is old, which is for the caller to know.
                WatchError::Broken => Err(Error::WatchError(response.cancel_reason().to_owned())),
                WatchError::Compacted => Ok(Err(WatchError::Compacted)),
            },
            Some(_) => Ok(Ok(stream)),
            None => Err(Error::WatchError("it ended before it began".to_owned())),
        }
    }
}

/// The batches of an open watch.
pub(super) fn batches(stream: WatchStream, root: Root, after: Revision, patience: Duration) -> Watch {
    let watching = Watching {
        stream,
        root,
        patience,
        ready: VecDeque::new(),
        seen: after,
        passed_on: after,
        noted: None,
        asked: None,
    };
    let batches = stream::unfold(Some(watching), |watching| async move {
        let mut watching = watching?;
        match watching.next().await {
            Ok(batch) => Some((Ok(batch), Some(watching))),
            Err(error) => Some((Err(error), None)),
        }
    });
    batches.boxed()
}

struct Watching {
    stream: WatchStream,
    root: Root,
    /// How long a question for progress may stay without any answer.
    patience: Duration,
    ready: VecDeque<Batch>,
    /// The revision of the last events.
    seen: Revision,
    /// The last revision the reader was told, by events or by progress.
    passed_on: Revision,
    /// The last progress note, not yet believed.
    noted: Option<Revision>,
    /// Since when a question for progress is open.
    asked: Option<Instant>,
}

impl Watching {
    async fn next(&mut self) -> Result<Batch, WatchError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(batch);
            }
            match timeout(PROGRESS_EVERY / 2, self.stream.message()).await {
                Ok(Ok(Some(response))) => self.take(&response)?,
                Ok(Ok(None)) => return Err(WatchError::Broken),
                Ok(Err(error)) => {
                    debug!(%error, "a watch on etcd broke");
                    return Err(WatchError::Broken);
                }
                Err(_) => self.ask().await?,
            }
        }
    }

    /// Asks how far etcd is, unless an earlier question has been open for too long.
    async fn ask(&mut self) -> Result<(), WatchError> {
        let asked = *self.asked.get_or_insert_with(Instant::now);
        if asked.elapsed() >= self.patience {
            return Err(WatchError::Broken);
        }
        let asking = timeout(self.patience, self.stream.request_progress()).await;
        asking.map_err(|_| WatchError::Broken)?.map_err(|_| WatchError::Broken)
    }

    fn take(&mut self, response: &WatchResponse) -> Result<(), WatchError> {
        self.asked = None;
        if response.canceled() {
            return Err(refusal(response));
        }
        if response.events().is_empty() {
            if let Some(header) = response.header() {
                self.note(revision(header.revision()));
            }
            return Ok(());
        }
        let mut revisions: BTreeMap<Revision, Vec<Change>> = BTreeMap::new();
        for (at, change) in response.events().iter().filter_map(|event| self.root.change(event)) {
            revisions.entry(at).or_default().push(change);
        }
        for (at, changes) in revisions {
            self.deliver(at, changes)?;
        }
        Ok(())
    }

    fn deliver(&mut self, at: Revision, mut changes: Vec<Change>) -> Result<(), WatchError> {
        if at <= self.seen {
            debug!(%at, seen = %self.seen, "etcd repeated itself");
            return Ok(());
        }
        if at <= self.passed_on {
            debug!(%at, told = %self.passed_on, "etcd sent an event below its own progress note");
            return Err(WatchError::Compacted);
        }
        changes.sort_by(|a, b| a.key().cmp(b.key()));
        changes.dedup_by(|a, b| a.key() == b.key());
        self.seen = at;
        self.passed_on = at;
        self.ready.push_back(Batch { revision: at, changes });
        Ok(())
    }

    fn note(&mut self, at: Revision) {
        if let Some(settled) = self.noted.replace(at) {
            self.passed_on = self.passed_on.max(settled);
            self.ready.push_back(Batch { revision: self.passed_on, changes: Vec::new() });
        }
    }
}

fn refusal(response: &WatchResponse) -> WatchError {
    let is_compacted = response.compact_revision() > 0 || response.cancel_reason().contains("compacted");
    if is_compacted { WatchError::Compacted } else { WatchError::Broken }
}
