//! Our words in etcd's: keys below a root, ranges, guards as compares, writes as operations.

use bytes::Bytes;
use etcd_client::{Compare, CompareOp, Event, EventType, KeyValue, TxnOp};
use plan::{Guard, Write};
use schemas::entry::{Change, Entry};
use schemas::key::{Key, Prefix, Revision};

/// What every key of this cluster begins with in etcd: `/encamp`, or nothing.
#[derive(Clone, Debug)]
pub(super) struct Root(String);

/// The longest root: what [`crate::Txn::size`] leaves room for.
const ROOT_BYTES: usize = 32;

/// A range of etcd: from the first key to before the last, or one key.
pub(super) struct Range {
    pub(super) first: Vec<u8>,
    /// Nothing means the first key alone.
    pub(super) end: Option<Vec<u8>>,
}

impl Root {
    /// Checks a root from outside.
    pub(super) fn new(text: &str) -> Result<Root, &'static str> {
        let is_path = text.is_empty() || Key::new(text).is_ok();
        if is_path && text.len() <= ROOT_BYTES {
            Ok(Root(text.to_owned()))
        } else {
            Err("the root is a path like /encamp of at most 32 bytes")
        }
    }

    pub(super) fn key(&self, key: &Key) -> String {
        format!("{}{key}", self.0)
    }

    /// The keys that a prefix means.
    pub(super) fn range(&self, prefix: &Prefix) -> Range {
        // Every key begins with a slash; below a root that must be said, or `/encamp2` would be below `/encamp`.
        let text = if prefix.as_str().is_empty() { "/" } else { prefix.as_str() };
        if !text.starts_with('/') {
            return Range { first: format!("{}/", self.0).into_bytes(), end: None };
        }
        let first = format!("{}{text}", self.0).into_bytes();
        let end = (!prefix.is_exact()).then(|| after_prefix(&first));
        Range { first, end }
    }

    /// A guard as etcd checks it.
    pub(super) fn compare(&self, guard: &Guard) -> Compare {
        match guard {
            Guard::Absent(key) => Compare::create_revision(self.key(key), CompareOp::Equal, 0),
            Guard::At(key, revision) | Guard::Term { leader: key, term: revision } => {
                match i64::try_from(revision.0) {
                    Ok(revision) if revision > 0 => {
                        Compare::mod_revision(self.key(key), CompareOp::Equal, revision)
                    }
                    // To etcd a missing key is at 0; to us no key ever is. A version below 0 holds never.
                    Ok(_) | Err(_) => Compare::version(self.key(key), CompareOp::Less, 0),
                }
            }
            Guard::Unchanged { prefix, since } => {
                let range = self.range(prefix);
                let after = i64::try_from(since.0).unwrap_or(i64::MAX).saturating_add(1);
                let compare = Compare::mod_revision(range.first, CompareOp::Less, after);
                match range.end {
                    Some(end) => compare.with_range(end),
                    None => compare,
                }
            }
        }
    }

    /// A write as etcd does it.
    pub(super) fn operation(&self, write: Write) -> TxnOp {
        match write {
            Write::Put { key, value } => TxnOp::put(self.key(&key), value, None),
            Write::Delete { key } => TxnOp::delete(self.key(&key), None),
        }
    }

    /// An operation that changes nothing and keeps a transaction without writes from being answered from
    /// a member's own, perhaps old, state.
    pub(super) fn fresh_read(&self) -> TxnOp {
        TxnOp::get(format!("{}/", self.0), None)
    }

    /// A stored key as an entry; nothing if it is not ours.
    pub(super) fn entry(&self, stored: KeyValue) -> Option<Entry> {
        let (created, modified) = (revision(stored.create_revision()), revision(stored.mod_revision()));
        let version = u64::try_from(stored.version()).ok()?;
        let (key, value) = stored.into_key_value();
        let key = self.ours(&key)?;
        Some(Entry { key, value: Bytes::from(value), created, modified, version })
    }

    /// An event, with its revision; nothing if the key is not ours.
    pub(super) fn change(&self, event: &Event) -> Option<(Revision, Change)> {
        let stored = event.kv()?;
        let at = revision(stored.mod_revision());
        let change = match event.event_type() {
            EventType::Put => Change::Put(self.entry(stored.clone())?),
            EventType::Delete => Change::Delete { key: self.ours(stored.key())? },
        };
        Some((at, change))
    }

    fn ours(&self, key: &[u8]) -> Option<Key> {
        let text = std::str::from_utf8(key).ok()?;
        Key::new(text.strip_prefix(self.0.as_str())?).ok()
    }
}

/// A revision of etcd, which is never negative.
pub(super) fn revision(number: i64) -> Revision {
    Revision(u64::try_from(number).expect("etcd counts revisions upwards from 1"))
}

/// The first key after all that begin with a text: UTF-8 has no byte 255, so the last can be counted up.
fn after_prefix(text: &[u8]) -> Vec<u8> {
    let mut end = text.to_owned();
    *end.last_mut().expect("it begins with a slash") += 1;
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(root: &str, prefix: &Prefix) -> String {
        let Range { first, end } = Root::new(root).unwrap().range(prefix);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        format!("{} .. {}", text(first), end.map_or("only".to_owned(), text))
    }

    #[test]
    fn a_range_never_leaves_the_root() {
        assert_eq!(range("/encamp", &Prefix::under("/jobs/")), "/encamp/jobs/ .. /encamp/jobs0");
        assert_eq!(range("/encamp", &Prefix::all()), "/encamp/ .. /encamp0");
        assert_eq!(range("/encamp", &Prefix::under("")), "/encamp/ .. /encamp0");
        assert_eq!(range("/encamp", &Prefix::under("2/jobs")), "/encamp/ .. only");
        assert_eq!(range("", &Prefix::one(&Key::epoch())), "/epoch .. only");
    }

    #[test]
    fn a_root_is_a_short_path() {
        for bad in ["encamp", "/encamp/", "/", "/a-root-that-is-longer-than-32-bytes"] {
            assert!(Root::new(bad).is_err(), "{bad}");
        }
    }
}
