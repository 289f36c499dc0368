//! What must still hold when a step is written, and what it writes.

use std::fmt;

use bytes::Bytes;
use schemas::codec::{self, Document};
use schemas::key::{Key, Prefix, Revision};

/// A condition on the store, checked in the same transaction as the writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The key does not exist.
    Absent(Key),
    /// The key exists and was last written at this revision.
    At(Key, Revision),
    /// No living key under the prefix was written after the revision. Deletions do not count.
    Unchanged {
        /// Which keys.
        prefix: Prefix,
        /// The revision the plan was made at.
        since: Revision,
    },
    /// The leader document was last written at this revision: nobody has taken over since. A paused old
    /// leader can write nothing.
    Term {
        /// The controller's leader key.
        leader: Key,
        /// The revision that made this process the leader.
        term: Revision,
    },
}

/// One change of the store.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Make or replace a document.
    Put {
        /// Where.
        key: Key,
        /// Its bytes.
        value: Bytes,
    },
    /// Remove a document; removing what does not exist changes nothing.
    Delete {
        /// Which one.
        key: Key,
    },
}

impl Write {
    /// Make or replace a document.
    pub fn put<D: Document>(key: Key, document: &D) -> Write {
        Write::Put { key, value: codec::encode(document) }
    }
    /// Which key it changes.
    pub fn key(&self) -> &Key {
        match self {
            Write::Put { key, .. } | Write::Delete { key } => key,
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Guard::Absent(key) => write!(f, "{key} absent"),
            Guard::At(key, revision) => write!(f, "{key} at {revision}"),
            Guard::Unchanged { prefix, since } => write!(f, "{prefix} unchanged since {since}"),
            Guard::Term { leader, term } => write!(f, "{leader} in term {term}"),
        }
    }
}

impl fmt::Display for Write {
    /// The document as JSON, whatever its bytes: for tests, logs and traces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Write::Put { key, value } => match codec::to_json(value) {
                Ok(json) => write!(f, "put {key} {json}"),
                Err(error) => write!(f, "put {key} ({error})"),
            },
            Write::Delete { key } => write!(f, "delete {key}"),
        }
    }
}
impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
