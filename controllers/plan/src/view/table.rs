//! All documents of one kind, sorted by key.

use std::collections::BTreeMap;
use std::ops::Bound;

use schemas::codec::{DecodeError, Document, decode};
use schemas::entry::Entry;
use schemas::key::{Key, Revision};

/// A document with the counters of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// The document.
    pub value: T,
    /// The revision that made it.
    pub created: Revision,
    /// The revision that wrote it last.
    pub modified: Revision,
    /// How many times it was written.
    pub version: u64,
}

/// When and how often a document was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The revision that made it.
    pub created: Revision,
    /// The revision that wrote it last.
    pub modified: Revision,
    /// How many times it was written.
    pub version: u64,
}

/// All documents of one kind.
#[derive(Clone, Debug)]
pub struct Table<T> {
    rows: BTreeMap<Key, Stored<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { rows: BTreeMap::new() }
    }
}

impl<T> Table<T> {
    /// One document.
    pub fn get(&self, key: &Key) -> Option<&T> {
        self.rows.get(key).map(|row| &row.value)
    }
    /// One document with its counters.
    pub fn stored(&self, key: &Key) -> Option<&Stored<T>> {
        self.rows.get(key)
    }
    /// When and how often one document was written.
    pub fn counters(&self, key: &Key) -> Option<Counters> {
        let Stored { created, modified, version, value: _ } = self.rows.get(key)?;
        Some(Counters { created: *created, modified: *modified, version: *version })
    }
    /// All documents, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Stored<T>)> {
        self.rows.iter()
    }
    /// The documents whose key begins with `/segment/segment…/`, sorted by key.
    pub fn under<'a>(
        &'a self,
        segments: &[&str],
    ) -> impl Iterator<Item = (&'a Key, &'a Stored<T>)> + use<'a, T> {
        let text = segments.iter().fold(String::new(), |text, segment| text + "/" + segment) + "/";
        // The first key that can follow: no key ends with `/`, so the text itself is no key.
        let from = Key::new(text.clone() + "!").ok();
        let start = from.map_or(Bound::Unbounded, Bound::Included);
        self.rows.range((start, Bound::Unbounded)).take_while(move |(key, _)| key.as_str().starts_with(&text))
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
    /// Takes in what is made of an entry.
    pub(super) fn hold(&mut self, entry: &Entry, value: T) {
        let row = Stored { value, created: entry.created, modified: entry.modified, version: entry.version };
        drop(self.rows.insert(entry.key.clone(), row));
    }
    pub(super) fn delete(&mut self, key: &Key) -> Option<T> {
        self.rows.remove(key).map(|row| row.value)
    }
}

impl<T: Document> Table<T> {
    /// Takes in a document and gives back the one before; an unreadable one leaves the table alone.
    pub(super) fn put(&mut self, entry: &Entry) -> Result<Option<T>, DecodeError> {
        let value = decode(&entry.value)?;
        let row = Stored { value, created: entry.created, modified: entry.modified, version: entry.version };
        Ok(self.rows.insert(entry.key.clone(), row).map(|old| old.value))
    }
}
