//! Tells of documents that became unreadable or readable again: one line in the log for each change, and a count.

use std::collections::{BTreeMap, BTreeSet};

use plan::View;
use plan::view::Unreadable;
use schemas::entry::Change;
use schemas::key::{Key, kinds};

use telemetry::UNREADABLE_DOCUMENTS;

/// The kind that keys of kinds count for which are not known here.
const UNKNOWN: &str = "unknown";

/// What was unreadable or unknown before the changes.
pub(super) struct Before {
    unreadable: BTreeSet<Key>,
    unknown: usize,
}

/// Those of the changes' documents that cannot be read.
pub(super) fn among(view: &View, changes: &[Change]) -> Before {
    let keys = changes.iter().map(Change::key);
    Before {
        unreadable: keys.filter(|key| view.is_unreadable(key)).cloned().collect(),
        unknown: view.unknown.len(),
    }
}

/// Tells what the changes made of that.
pub(super) fn tell(view: &mut View, changes: &[Change], before: &Before) {
    let mut has_changed = false;
    for key in changes.iter().map(Change::key) {
        let (was, is) = (before.unreadable.contains(key), view.is_unreadable(key));
        if !was && !is {
            continue;
        }
        has_changed = true;
        view.sight.found(key, is);
        if let Some(why) = view.unreadable.get(key) {
            let Unreadable { owner, meanwhile, mended } = Unreadable::of(key);
            tracing::error!(%key, owner, meanwhile, mended, "a document cannot be read: {why}");
        } else {
            tracing::info!(%key, "a document that could not be read is mended or gone");
        }
    }
    if has_changed || before.unknown != view.unknown.len() {
        count(view);
    }
}

fn count(view: &View) {
    let mut counts: BTreeMap<&str, usize> = kinds().map(|kind| (kind, 0)).collect();
    for (key, _) in view.unreadable.iter() {
        if let Some(count) = counts.get_mut(key.kind()) {
            *count += 1;
        }
    }
    counts.insert(UNKNOWN, view.unknown.len());
    for (kind, count) in counts {
        UNREADABLE_DOCUMENTS.with_label_values(&[kind]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
