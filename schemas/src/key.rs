//! Where a document lives: the key layout of the store, and revisions.
//!
//! A key is a path, `/jobs/default/web`. Its first segment names the kind of document, its shape is
//! fixed per kind, and every key in the tree is made by a constructor of this file, so that the layout
//! can be read (and changed) here alone.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A point in the history of a store. 0 is before everything; every commit makes the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The address of one document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

/// What is known of the shape of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A document of that kind lives at such a key.
    Known,
    /// The kind is known, and no document of it lives at such a key: `/jobs/web`.
    Malformed,
    /// The kind is not known here: a newer server may have written it.
    Unknown,
}

/// One segment of the key of a kind.
#[derive(Clone, Copy)]
enum Segment {
    Word,
    /// As [`u64`] prints it.
    Number,
}

/// The kinds, each with the segments after its name.
const LAYOUT: [(&str, &[Segment]); 18] = [
    ("beats", &[Segment::Word]),
    ("brakes", &[Segment::Word]),
    ("deployments", &[Segment::Word, Segment::Word, Segment::Number]),
    ("details", &[Segment::Word, Segment::Word, Segment::Word]),
    ("epoch", &[]),
    ("fingerprints", &[Segment::Word]),
    ("health", &[Segment::Word]),
    ("jobs", &[Segment::Word, Segment::Word]),
    ("leaders", &[Segment::Word]),
    ("links", &[Segment::Word]),
    ("nodes", &[Segment::Word]),
    ("placements", &[Segment::Word, Segment::Word, Segment::Word]),
    ("releases", &[Segment::Word]),
    ("reports", &[Segment::Word, Segment::Number]),
    ("rosters", &[Segment::Word, Segment::Word, Segment::Word]),
    ("settings", &[Segment::Word]),
    ("tombstones", &[Segment::Word]),
    ("versions", &[Segment::Word, Segment::Word, Segment::Number]),
];

/// The names of all kinds, sorted.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    LAYOUT.iter().map(|(kind, _)| *kind)
}

/// A word that cannot be a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key: a key is `/segment/segment…`, no segment empty, no control characters")]
pub struct KeyError(pub String);

impl Key {
    /// Checks a word that came from outside.
    pub fn new(text: impl Into<String>) -> Result<Key, KeyError> {
        let text = text.into();
        let sound = text.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|segment| !segment.is_empty() && !segment.chars().any(char::is_control))
        });
        if sound { Ok(Key(text.into())) } else { Err(KeyError(text)) }
    }

    fn of(segments: &[&str]) -> Key {
        let mut text = String::with_capacity(segments.iter().map(|s| s.len() + 1).sum());
        for segment in segments {
            text.push('/');
            text.push_str(segment);
        }
        Key(text.into())
    }

    /// `/jobs/<namespace>/<job>`
    pub fn job(namespace: &str, job: &str) -> Key {
        Key::of(&["jobs", namespace, job])
    }
    /// `/versions/<namespace>/<job>/<version>`
    pub fn version(namespace: &str, job: &str, version: u64) -> Key {
        Key::of(&["versions", namespace, job, &version.to_string()])
    }
    /// `/rosters/<namespace>/<job>/<group>`
    pub fn roster(namespace: &str, job: &str, group: &str) -> Key {
        Key::of(&["rosters", namespace, job, group])
    }
    /// `/deployments/<namespace>/<job>/<version>`
    pub fn deployment(namespace: &str, job: &str, version: u64) -> Key {
        Key::of(&["deployments", namespace, job, &version.to_string()])
    }
    /// `/placements/<node>/<namespace>/<allocation>`
    pub fn placement(node: &str, namespace: &str, allocation: &str) -> Key {
        Key::of(&["placements", node, namespace, allocation])
    }
    /// `/reports/<node>/<bucket>`
    pub fn report(node: &str, bucket: u32) -> Key {
        Key::of(&["reports", node, &bucket.to_string()])
    }
    /// `/details/<node>/<namespace>/<allocation>`
    pub fn details(node: &str, namespace: &str, allocation: &str) -> Key {
        Key::of(&["details", node, namespace, allocation])
    }
    /// `/fingerprints/<node>`
    pub fn fingerprint(node: &str) -> Key {
        Key::of(&["fingerprints", node])
    }
    /// `/nodes/<node>`
    pub fn node(node: &str) -> Key {
        Key::of(&["nodes", node])
    }
    /// `/links/<node>`
    pub fn link(node: &str) -> Key {
        Key::of(&["links", node])
    }
    /// `/beats/<server>`
    pub fn beat(server: &str) -> Key {
        Key::of(&["beats", server])
    }
    /// `/health/<node>`
    pub fn health(node: &str) -> Key {
        Key::of(&["health", node])
    }
    /// `/tombstones/<node>`
    pub fn tombstone(node: &str) -> Key {
        Key::of(&["tombstones", node])
    }
    /// `/settings/heartbeat`
    pub fn heartbeat_settings() -> Key {
        Key::of(&["settings", "heartbeat"])
    }
    /// `/brakes/nodes`
    pub fn brake() -> Key {
        Key::of(&["brakes", "nodes"])
    }
    /// `/releases/nodes`
    pub fn brake_release() -> Key {
        Key::of(&["releases", "nodes"])
    }
    /// `/leaders/<controller>`
    pub fn leader(controller: &str) -> Key {
        Key::of(&["leaders", controller])
    }
    /// `/epoch`: a random word written when the store is made or restored.
    pub fn epoch() -> Key {
        Key::of(&["epoch"])
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first segment: which kind of document lives here.
    pub fn kind(&self) -> &str {
        self.segments().next().unwrap_or_default()
    }

    /// Whether a document can live here.
    pub fn shape(&self) -> Shape {
        let Some((_, segments)) = LAYOUT.iter().find(|(kind, _)| *kind == self.kind()) else {
            return Shape::Unknown;
        };
        let fits = |(text, segment): (&str, &Segment)| match segment {
            Segment::Word => true,
            Segment::Number => text.parse::<u64>().is_ok_and(|number| number.to_string() == text),
        };
        let has_length = self.segments().count() == segments.len() + 1;
        let is_known = has_length && self.segments().skip(1).zip(*segments).all(fits);
        if is_known { Shape::Known } else { Shape::Malformed }
    }

    /// The segments after each `/`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }

    /// The `n`th segment, the kind being number 0; empty if the key is shorter.
    pub fn segment(&self, n: usize) -> &str {
        self.segments().nth(n).unwrap_or_default()
    }
}

/// A key orders and compares as its text does, so maps by key can be searched by text.
impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl TryFrom<String> for Key {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Key, KeyError> {
        Key::new(text)
    }
}
impl From<Key> for String {
    fn from(key: Key) -> String {
        key.0.to_string()
    }
}

/// Which keys a list, a watch or a guard is about: everything under a path, or one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Prefix {
    text: Arc<str>,
    exact: bool,
}

impl Prefix {
    /// Every key that begins with `text`. End it with `/` unless a longer last segment is meant too.
    pub fn under(text: impl AsRef<str>) -> Prefix {
        Prefix { text: text.as_ref().into(), exact: false }
    }
    /// Every key of the store.
    pub fn all() -> Prefix {
        Prefix::under("/")
    }
    /// Just this key.
    pub fn one(key: &Key) -> Prefix {
        Prefix { text: key.0.clone(), exact: true }
    }
    /// Whether this key is meant.
    pub fn contains(&self, key: &Key) -> bool {
        if self.exact { *key.0 == *self.text } else { key.0.starts_with(&*self.text) }
    }
    /// The path itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }
    /// Whether one key alone is meant.
    pub fn is_exact(&self) -> bool {
        self.exact
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.exact { "" } else { "*" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_from_outside_are_checked() {
        assert!(Key::new("/jobs/default/web").is_ok());
        for bad in ["", "jobs", "/", "/jobs//web", "/jobs/", "/jobs/a\nb"] {
            assert_eq!(Key::new(bad), Err(KeyError(bad.to_string())));
        }
    }

    #[test]
    fn every_kind_has_a_shape() {
        let shape = |text: &str| Key::new(text).unwrap().shape();
        let made = [
            Key::job("a", "b"),
            Key::version("a", "b", 1),
            Key::roster("a", "b", "c"),
            Key::deployment("a", "b", 1),
            Key::placement("n", "a", "b.c.0-v1.0"),
            Key::report("n", 0),
            Key::details("n", "a", "b.c.0-v1.0"),
            Key::fingerprint("n"),
            Key::node("n"),
            Key::link("n"),
            Key::beat("s"),
            Key::health("n"),
            Key::leader("scheduler"),
            Key::heartbeat_settings(),
            Key::brake(),
            Key::brake_release(),
            Key::tombstone("n"),
            Key::epoch(),
        ];
        assert!(made.iter().all(|key| key.shape() == Shape::Known));
        let kinds_made: std::collections::BTreeSet<&str> = made.iter().map(Key::kind).collect();
        assert!(kinds_made.into_iter().eq(kinds()));
        let bad = [
            "/jobs",
            "/jobs/a",
            "/jobs/a/b/c",
            "/placements/x",
            "/versions/a/b/x",
            "/reports/n/01",
            "/epoch/a",
        ];
        assert!(bad.iter().all(|text| shape(text) == Shape::Malformed));
        assert_eq!(shape("/moods/a"), Shape::Unknown);
    }

    #[test]
    fn a_prefix_ends_where_it_says() {
        let key = Key::job("default", "web-admin");
        assert!(Prefix::under("/jobs/default/web").contains(&key));
        assert!(!Prefix::under("/jobs/default/web/").contains(&key));
        assert!(!Prefix::one(&Key::job("default", "web")).contains(&key));
        assert_eq!((key.kind(), key.segment(2), key.segment(9)), ("jobs", "web-admin", ""));
    }
}
