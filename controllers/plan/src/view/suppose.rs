//! A view in which something has been written that the store has never seen.

use schemas::entry::{Change, Entry};
use schemas::key::Revision;

use super::View;
use crate::Write;

impl View {
    /// Takes the writes in as one revision, the next, and tells what changed: only for views that follow no store, such
    /// as copies, to ask what would be then.
    pub fn suppose(&mut self, writes: &[Write]) -> Vec<Change> {
        let revision = Revision(self.revision.0 + 1);
        let changes: Vec<Change> = writes
            .iter()
            .map(|write| match write {
                Write::Delete { key } => Change::Delete { key: key.clone() },
                Write::Put { key, value } => {
                    let old = self.counters(key);
                    Change::Put(Entry {
                        key: key.clone(),
                        value: value.clone(),
                        created: old.map_or(revision, |old| old.created),
                        modified: revision,
                        version: old.map_or(0, |old| old.version) + 1,
                    })
                }
            })
            .collect();
        self.apply(revision, &changes);
        changes
    }
}
