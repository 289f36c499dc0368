//! Which history of documents a store holds (`/epoch`).
//!
//! An epoch is a random word, written when the store is made. A store that was restored from a backup goes on under
//! a new one, which names the one before; a store that operators accepted in place of another names that one too.
//! Agents follow a history only into one that names it: any other store may be empty or somebody else's, and stops
//! nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError, Document};

/// How many ancestors are remembered: restores are rare, and an agent that slept through this many may be told by
/// hand.
pub const ANCESTORS_KEPT: usize = 64;

/// Which history this is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Epoch {
    /// The history's name.
    pub id: String,
    /// The histories that it follows, the latest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<Ancestor>,
}
impl Document for Epoch {}

/// A history that another follows, by the word of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ancestor {
    /// Its name.
    pub id: String,
    /// Why it was left.
    pub reason: Reason,
    /// When that was said.
    pub at: Timestamp,
    /// Who said it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

/// Why one history follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The store was restored from a backup of it.
    Restored,
    /// Another store was accepted in its place.
    Accepted,
}

impl Epoch {
    /// A history that follows none.
    pub fn new(id: impl Into<String>) -> Epoch {
        Epoch { id: id.into(), ancestors: Vec::new() }
    }

    /// Reads the stored value; older servers wrote the name alone.
    pub fn read(value: &[u8]) -> Result<Epoch, DecodeError> {
        let epoch = match value.first() {
            Some(b'{') => codec::decode::<Epoch>(value)?,
            _ => Epoch::new(
                serde_json::from_slice::<String>(value)
                    .map_err(|error| DecodeError(format!("neither an epoch nor the name of one: {error}")))?,
            ),
        };
        if epoch.id.is_empty() { Err(DecodeError("an epoch without a name".to_owned())) } else { Ok(epoch) }
    }

    /// What was said when this history took the place of another, if it did.
    pub fn follows(&self, other: &str) -> Option<&Ancestor> {
        self.ancestors.iter().rev().find(|ancestor| ancestor.id == other)
    }

    /// The history that this one was restored from, through all restores: what was derived from its name is derived
    /// the same after each.
    pub fn origin(&self) -> &str {
        let restored = self.ancestors.iter().rev().take_while(|ancestor| ancestor.reason == Reason::Restored);
        restored.last().map_or(&self.id, |ancestor| &ancestor.id)
    }

    /// Whether whoever followed `other` goes on here.
    pub fn continues(&self, other: &str) -> bool {
        self.id == other || self.follows(other).is_some()
    }

    /// This history restored from a backup: another, which follows it.
    #[must_use]
    pub fn restored(self, id: String, (at, by): (Timestamp, String)) -> Epoch {
        let ancestor = Ancestor { id: self.id.clone(), reason: Reason::Restored, at, by };
        let named = Epoch { id, ..self };
        if ancestor.id.is_empty() { named } else { named.with(ancestor) }
    }

    /// Notes one more ancestor; the oldest are forgotten.
    #[must_use]
    pub fn with(mut self, ancestor: Ancestor) -> Epoch {
        self.ancestors.retain(|known| known.id != ancestor.id);
        self.ancestors.push(ancestor);
        let surplus = self.ancestors.len().saturating_sub(ANCESTORS_KEPT);
        self.ancestors.drain(..surplus);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ancestor(id: &str) -> Ancestor {
        Ancestor { id: id.into(), reason: Reason::Restored, at: Timestamp::UNIX_EPOCH, by: "ann".into() }
    }

    #[test]
    fn the_stored_form_is_pinned_and_the_older_one_is_read() {
        let epoch = Epoch::new("b").with(ancestor("a"));
        let stored = codec::encode(&epoch);
        insta::assert_snapshot!(String::from_utf8_lossy(&stored), @r#"{"id":"b","ancestors":[{"id":"a","reason":"restored","at":"1970-01-01T00:00:00Z","by":"ann"}]}"#);
        assert_eq!(Epoch::read(&stored).unwrap(), epoch);
        assert_eq!(Epoch::read(b"\"b\"").unwrap(), Epoch::new("b"));
        for garbage in [&b""[..], b"\"\"", b"{}", b"b", b"\xff\xfe", b"[1]", b"null"] {
            assert!(Epoch::read(garbage).is_err(), "{garbage:?}");
        }
    }

    #[test]
    fn a_history_goes_on_in_those_that_name_it_alone() {
        let epoch = Epoch::new("c").with(ancestor("a")).with(ancestor("b"));
        for (other, goes_on) in [("a", true), ("b", true), ("c", true), ("d", false), ("", false)] {
            assert_eq!(epoch.continues(other), goes_on, "{other:?}");
        }
        let long = (0..200).fold(Epoch::new("x"), |epoch, n| epoch.with(ancestor(&n.to_string())));
        assert_eq!(long.ancestors.len(), ANCESTORS_KEPT);
        assert!(long.continues("199") && !long.continues("0"));
    }
}
