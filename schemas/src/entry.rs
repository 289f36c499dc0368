//! A document as a store holds it: bytes and the counters that the store keeps for it.

use bytes::Bytes;

use crate::key::{Key, Revision};

/// One stored document at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it lives.
    pub key: Key,
    /// Its bytes, see [`crate::codec`].
    pub value: Bytes,
    /// The revision that made it: its identity; a document made again has another.
    pub created: Revision,
    /// The revision that wrote it last.
    pub modified: Revision,
    /// How many times it was written since it was made; 1 for a new one.
    pub version: u64,
}

/// What happened to one key in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was written.
    Put(Entry),
    /// It was removed.
    Delete {
        /// Which one.
        key: Key,
    },
}

impl Change {
    /// The key it happened to.
    pub fn key(&self) -> &Key {
        match self {
            Change::Put(entry) => &entry.key,
            Change::Delete { key } => key,
        }
    }
}
