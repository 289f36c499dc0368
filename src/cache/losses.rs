//! Tells the view which placements vanished: only whoever was watching can know that there was something.

use std::collections::BTreeSet;

use plan::View;
use schemas::entry::Change;
use schemas::key::Key;

/// The placements that the changes take away although nobody said that their allocations ended. Whoever deletes a
/// placement in order does so after that word.
pub(super) fn among(view: &View, changes: &[Change]) -> BTreeSet<Key> {
    let taken = changes.iter().filter(|change| matches!(change, Change::Delete { .. })).map(Change::key);
    let is_loss =
        |key: &&Key| key.kind() == "placements" && view.counters(key).is_some() && !view.indexes.is_gone(key);
    taken.filter(is_loss).cloned().collect()
}

/// Tells what the changes took away and gave back.
pub(super) fn tell(view: &mut View, changes: &[Change], lost: &BTreeSet<Key>) {
    for key in lost {
        tracing::error!(%key, "a placement vanished although its allocation has not ended");
        view.sight.missed(key, true);
    }
    for change in changes {
        if let Change::Put(entry) = change
            && entry.key.kind() == "placements"
        {
            view.sight.missed(&entry.key, false);
        }
    }
}
