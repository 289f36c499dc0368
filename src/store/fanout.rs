//! Who watches what: hands each published change to the watchers whose prefix it lies under.
//!
//! The cost of a commit depends on the watchers it concerns, not on how many there are: prefixes are looked up
//! by the heads of the changed key, one lookup per distinct prefix length. Each watcher has a bounded
//! queue; one that does not keep up loses its place and must come back, so memory stays bounded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use schemas::entry::Change;
use schemas::key::{Key, Prefix};
use tokio::sync::mpsc;

use super::contract::Batch;
use super::core::bytes_of;

/// The most revisions a slow watcher may lag behind before it is cut off.
const QUEUE_BATCHES: usize = 4_096;
/// The most bytes a slow watcher may hold.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// All watchers of one store.
#[derive(Default)]
pub(super) struct Fanout {
    next: u64,
    watchers: BTreeMap<u64, Watcher>,
    /// Watchers by the text of their prefix, apart for those that mean one key.
    under: BTreeMap<String, Vec<u64>>,
    one: BTreeMap<String, Vec<u64>>,
    /// How many watched prefixes have this length.
    lengths: BTreeMap<usize, usize>,
}

struct Watcher {
    prefix: Prefix,
    sender: mpsc::Sender<Batch>,
    queued_bytes: Arc<AtomicUsize>,
}

/// The reading end of one watcher's queue.
pub(super) struct Queue {
    /// Which watcher this is, to leave with.
    pub(super) id: u64,
    receiver: mpsc::Receiver<Batch>,
    queued_bytes: Arc<AtomicUsize>,
}

impl Queue {
    /// The next batch, or `None` once the watcher was cut off and the queue is drained.
    pub(super) async fn next(&mut self) -> Option<Batch> {
        let batch = self.receiver.recv().await?;
        self.queued_bytes.fetch_sub(bytes_of(&batch), Ordering::Relaxed);
        Some(batch)
    }

    /// Whether everything sent so far was read and more may come.
    pub(super) fn is_caught_up(&self) -> bool {
        self.receiver.is_empty() && !self.receiver.is_closed()
    }
}

impl Fanout {
    /// A new watcher that will see everything published from now on.
    pub(super) fn join(&mut self, prefix: Prefix) -> Queue {
        let (sender, receiver) = mpsc::channel(QUEUE_BATCHES);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let id = self.next;
        self.next += 1;
        let text = prefix.as_str();
        if prefix.is_exact() {
            self.one.entry(text.to_owned()).or_default().push(id);
        } else {
            self.under.entry(text.to_owned()).or_default().push(id);
            *self.lengths.entry(text.len()).or_default() += 1;
        }
        self.watchers.insert(id, Watcher { prefix, sender, queued_bytes: queued_bytes.clone() });
        Queue { id, receiver, queued_bytes }
    }

    /// Forgets a watcher; its queue ends after what is already in it.
    pub(super) fn leave(&mut self, id: u64) {
        let Some(watcher) = self.watchers.remove(&id) else { return };
        let text = watcher.prefix.as_str();
        if watcher.prefix.is_exact() {
            drop_from(&mut self.one, text, id);
        } else {
            drop_from(&mut self.under, text, id);
            let left = self.lengths.entry(text.len()).or_default();
            *left -= 1;
            if *left == 0 {
                self.lengths.remove(&text.len());
            }
        }
    }

    /// Cuts every watcher off.
    pub(super) fn clear(&mut self) {
        *self = Fanout { next: self.next, ..Fanout::default() };
    }

    /// Hands one revision to everybody it concerns.
    pub(super) fn send(&mut self, batch: &Batch) {
        let mut concerned: BTreeMap<u64, Vec<Change>> = BTreeMap::new();
        for change in &batch.changes {
            for id in self.watching(change.key()) {
                concerned.entry(id).or_default().push(change.clone());
            }
        }
        for (id, changes) in concerned {
            let batch = Batch { revision: batch.revision, changes };
            if !self.watchers[&id].offer(batch) {
                self.leave(id);
            }
        }
    }

    fn watching<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = u64> + 'a {
        let text = key.as_str();
        let heads = self.lengths.keys().map_while(|&length| (length <= text.len()).then_some(length));
        let under = heads.filter_map(|length| self.under.get(text.get(..length)?));
        under.chain(self.one.get(text)).flatten().copied()
    }
}

impl Watcher {
    /// Whether there was room.
    fn offer(&self, batch: Batch) -> bool {
        let bytes = bytes_of(&batch);
        let queued = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        // An empty queue takes any one batch: a transaction is never larger than the whole bound.
        queued + bytes <= QUEUE_BYTES && self.sender.try_send(batch).is_ok()
    }
}

fn drop_from(index: &mut BTreeMap<String, Vec<u64>>, text: &str, id: u64) {
    if let Some(ids) = index.get_mut(text) {
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            index.remove(text);
        }
    }
}
