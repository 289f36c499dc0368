//! A problem in a document, and the report that gathers them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nearest::nearest;

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where, as a JSON pointer into the document, such as `/spec/groups/0/tasks/1/driver`.
    pub pointer: String,
    /// Whether the document is refused.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The values that would be right, when they can be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the key itself is wrong, not its value: where to point in a text.
    #[serde(skip)]
    pub about_key: bool,
    /// Pointers of other fields without which nobody can tell whether it is a problem at all.
    #[serde(skip)]
    pub depends_on: Vec<String>,
}

/// Whether a document with the problem is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// The document is taken; somebody should look.
    Warning,
}

impl Problem {
    /// Whether the document is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Adds the values that would be right.
    pub fn allow<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.allowed.extend(values.into_iter().map(str::to_owned));
        self
    }

    /// Says that the key is wrong, not its value.
    pub fn about_key(&mut self) -> &mut Self {
        self.about_key = true;
        self
    }

    /// Names another field without which nobody can tell whether it is a problem at all.
    pub fn depends_on(&mut self, place: &Place) -> &mut Self {
        self.depends_on.push(place.0.clone());
        self
    }

    /// Adds what to do about it.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A longer list of values hides the message.
const MOST_SHOWN: usize = 12;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{word} {}: {}", self.pointer, self.message)?;
        if (1..=MOST_SHOWN).contains(&self.allowed.len()) {
            write!(f, " (allowed: {})", self.allowed.join(", "))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The place that a JSON pointer names.
    pub fn new(pointer: &str) -> Self {
        Place(pointer.to_owned())
    }

    /// The place of the job's `spec`.
    pub fn spec() -> Self {
        Place::new("/spec")
    }

    /// A field of this place.
    pub fn key(&self, key: &str) -> Place {
        Place(format!("{}/{}", self.0, key.replace('~', "~0").replace('/', "~1")))
    }

    /// An item of this place.
    pub fn at(&self, index: usize) -> Place {
        Place(format!("{}/{index}", self.0))
    }

    /// Each item of a list field with its place.
    pub fn each<'a, T>(
        &self,
        key: &str,
        items: &'a [T],
    ) -> impl Iterator<Item = (Place, &'a T)> + use<'a, T> {
        let list = self.key(key);
        items.iter().enumerate().map(move |(index, item)| (list.at(index), item))
    }
}

/// The problems found so far.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order of the document.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Something for which the document is refused.
    pub fn error(&mut self, place: &Place, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Error, place, message.into())
    }

    /// Something that somebody should look at.
    pub fn warning(&mut self, place: &Place, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Warning, place, message.into())
    }

    /// A word that is none of `allowed`; the nearest of them is suggested.
    pub fn unknown(&mut self, place: &Place, what: &str, word: &str, allowed: &[&str]) -> &mut Problem {
        let problem = self.error(place, format!("unknown {what} `{word}`"));
        problem.allow(allowed.iter().copied());
        if let Some(near) = nearest(word, allowed) {
            problem.hint(format!("did you mean `{near}`?"));
        }
        problem
    }

    fn add(&mut self, severity: Severity, place: &Place, message: String) -> &mut Problem {
        let pointer = place.0.clone();
        let (allowed, hint, about_key, depends_on) = (Vec::new(), None, false, Vec::new());
        self.problems.push(Problem { pointer, severity, message, allowed, hint, about_key, depends_on });
        self.problems.last_mut().expect("one was just pushed")
    }
}
