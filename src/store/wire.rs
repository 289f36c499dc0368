//! The three verbs as JSON, for the store face of the API and its client.
//!
//! `POST /store/v1/list`, `POST /store/v1/commit` and `GET /store/v1/watch?prefix=…&exact=…&after=…`. A watch is one
//! [`Line`] of JSON after another. Values are base64. Errors travel as the word of the contract.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use plan::{Guard, Write};
use schemas::entry::{Change, Entry};
use schemas::key::{Key, Prefix, Revision};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::contract::{Batch, Listing, MAX_BYTES, Txn, WatchError};

/// Where a list is posted.
pub const LIST: &str = "/store/v1/list";
/// Where a transaction is posted.
pub const COMMIT: &str = "/store/v1/commit";
/// Where a watch is opened.
pub const WATCH: &str = "/store/v1/watch";
/// The largest request or line: the largest transaction in base64, its keys and counters escaped.
pub const MESSAGE_BYTES: usize = 4 * MAX_BYTES;

/// What a list asks.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListQuestion {
    /// Which keys.
    pub prefix: Prefix,
}

/// What a list answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListAnswer {
    revision: Revision,
    entries: Vec<EntryText>,
}

/// A transaction.
#[derive(Debug, Serialize, Deserialize)]
pub struct CommitQuestion {
    guards: Vec<GuardText>,
    writes: Vec<WriteText>,
}

/// What a commit answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct CommitAnswer {
    /// Of the writes.
    pub revision: Revision,
}

/// What a watch asks, in the query of its address.
#[derive(Debug, Serialize, Deserialize)]
pub struct WatchQuestion {
    /// The text of the prefix.
    pub prefix: String,
    /// Whether it is one key.
    #[serde(default)]
    pub exact: bool,
    /// The revision after which to begin.
    pub after: u64,
}

/// One line of a watch.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    /// A revision, or progress.
    Batch(BatchText),
    /// The last line.
    Error(WatchError),
}

/// An error of any verb.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refused<E> {
    /// The caller's next move.
    pub error: E,
}

/// A batch in its JSON shape.
#[derive(Debug, Serialize, Deserialize)]
pub struct BatchText {
    revision: Revision,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<ChangeText>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ChangeText {
    Put(EntryText),
    Delete { key: Key },
}

#[derive(Debug, Serialize, Deserialize)]
struct EntryText {
    key: Key,
    value: Base64,
    created: Revision,
    modified: Revision,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum GuardText {
    Absent { key: Key },
    At { key: Key, revision: Revision },
    Unchanged { prefix: Prefix, since: Revision },
    Term { leader: Key, term: Revision },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum WriteText {
    Put { key: Key, value: Base64 },
    Delete { key: Key },
}

#[derive(Debug)]
struct Base64(Bytes);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        BASE64.decode(text.as_bytes()).map(|bytes| Base64(bytes.into())).map_err(serde::de::Error::custom)
    }
}

impl WatchQuestion {
    /// Asks for a prefix.
    pub fn new(prefix: &Prefix, after: Revision) -> Self {
        WatchQuestion { prefix: prefix.as_str().to_owned(), exact: prefix.is_exact(), after: after.0 }
    }

    /// The prefix that is meant; nothing if it should be one key and is none.
    pub fn prefix(&self) -> Option<Prefix> {
        if self.exact {
            Key::new(self.prefix.as_str()).ok().map(|key| Prefix::one(&key))
        } else {
            Some(Prefix::under(&self.prefix))
        }
    }
}

impl From<Listing> for ListAnswer {
    fn from(Listing { revision, entries }: Listing) -> Self {
        ListAnswer { revision, entries: entries.into_iter().map(EntryText::from).collect() }
    }
}

impl From<ListAnswer> for Listing {
    fn from(ListAnswer { revision, entries }: ListAnswer) -> Self {
        Listing { revision, entries: entries.into_iter().map(Entry::from).collect() }
    }
}

impl From<Txn> for CommitQuestion {
    fn from(Txn { guards, writes }: Txn) -> Self {
        let guards = guards.into_iter().map(|guard| match guard {
            Guard::Absent(key) => GuardText::Absent { key },
            Guard::At(key, revision) => GuardText::At { key, revision },
            Guard::Unchanged { prefix, since } => GuardText::Unchanged { prefix, since },
            Guard::Term { leader, term } => GuardText::Term { leader, term },
        });
        let writes = writes.into_iter().map(|write| match write {
            Write::Put { key, value } => WriteText::Put { key, value: Base64(value) },
            Write::Delete { key } => WriteText::Delete { key },
        });
        CommitQuestion { guards: guards.collect(), writes: writes.collect() }
    }
}

impl From<CommitQuestion> for Txn {
    fn from(CommitQuestion { guards, writes }: CommitQuestion) -> Self {
        let guards = guards.into_iter().map(|guard| match guard {
            GuardText::Absent { key } => Guard::Absent(key),
            GuardText::At { key, revision } => Guard::At(key, revision),
            GuardText::Unchanged { prefix, since } => Guard::Unchanged { prefix, since },
            GuardText::Term { leader, term } => Guard::Term { leader, term },
        });
        let writes = writes.into_iter().map(|write| match write {
            WriteText::Put { key, value: Base64(value) } => Write::Put { key, value },
            WriteText::Delete { key } => Write::Delete { key },
        });
        Txn { guards: guards.collect(), writes: writes.collect() }
    }
}

impl From<Batch> for BatchText {
    fn from(Batch { revision, changes }: Batch) -> Self {
        let changes = changes.into_iter().map(|change| match change {
            Change::Put(entry) => ChangeText::Put(entry.into()),
            Change::Delete { key } => ChangeText::Delete { key },
        });
        BatchText { revision, changes: changes.collect() }
    }
}

impl From<BatchText> for Batch {
    fn from(BatchText { revision, changes }: BatchText) -> Self {
        let changes = changes.into_iter().map(|change| match change {
            ChangeText::Put(entry) => Change::Put(entry.into()),
            ChangeText::Delete { key } => Change::Delete { key },
        });
        Batch { revision, changes: changes.collect() }
    }
}

impl From<Entry> for EntryText {
    fn from(Entry { key, value, created, modified, version }: Entry) -> Self {
        EntryText { key, value: Base64(value), created, modified, version }
    }
}

impl From<EntryText> for Entry {
    fn from(EntryText { key, value: Base64(value), created, modified, version }: EntryText) -> Self {
        Entry { key, value, created, modified, version }
    }
}
