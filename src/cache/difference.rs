//! What separates the keys a cache knows from what a store really holds.

use std::collections::BTreeMap;

use schemas::entry::{Change, Entry};
use schemas::key::{Key, Revision};

/// When each known key was last written.
pub(super) type Known = BTreeMap<Key, Revision>;

/// The changes that turn what is known into the listing. Keys written after `at` are left alone on both
/// sides: the listing is older than they are.
pub(super) fn difference(known: &Known, entries: Vec<Entry>, at: Revision) -> Vec<Change> {
    let mut missing: BTreeMap<&Key, Revision> = known
        .iter()
        .filter(|(_, modified)| **modified <= at)
        .map(|(key, modified)| (key, *modified))
        .collect();
    let mut changes = Vec::new();
    for entry in entries {
        let known_at = known.get(&entry.key).copied();
        missing.remove(&entry.key);
        if known_at.is_none_or(|known_at| known_at < entry.modified) {
            changes.push(Change::Put(entry));
        }
    }
    changes.extend(missing.into_keys().map(|key| Change::Delete { key: key.clone() }));
    changes.sort_by(|one, other| one.key().cmp(other.key()));
    changes
}

/// Notes what a change did.
pub(super) fn learn(known: &mut Known, change: &Change) {
    match change {
        Change::Put(entry) => drop(known.insert(entry.key.clone(), entry.modified)),
        Change::Delete { key } => drop(known.remove(key)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn entry(job: &str, modified: u64) -> Entry {
        let (created, modified) = (Revision(1), Revision(modified));
        Entry { key: Key::job("default", job), value: Bytes::new(), created, modified, version: 1 }
    }

    #[test]
    fn only_what_differs_is_told() {
        let known: Known = [("same", 3), ("old", 3), ("gone", 4), ("newer", 9)]
            .map(|(job, modified)| (Key::job("default", job), Revision(modified)))
            .into();
        let listed = vec![entry("same", 3), entry("old", 5), entry("new", 6), entry("newer", 6)];
        let told: Vec<String> = difference(&known, listed, Revision(6))
            .iter()
            .map(|change| match change {
                Change::Put(entry) => format!("put {}", entry.key),
                Change::Delete { key } => format!("delete {key}"),
            })
            .collect();
        assert_eq!(told, ["delete /jobs/default/gone", "put /jobs/default/new", "put /jobs/default/old"]);
    }
}
