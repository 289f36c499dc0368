//! One error style for every spelling: what is wrong, where, what is allowed, and the way out.

use serde::{Deserialize, Serialize};

use super::source::Range;
use crate::limits::COMPLAINTS;
use crate::validate::nearest;

/// Whether the text can be used in spite of what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The text is refused.
    Error,
    /// The text is used; something in it should change.
    Warning,
}

/// One thing to say about one place of one text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Whether the text is refused because of it.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The name of the text; empty where nothing is known about the place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The place in that text.
    pub range: Range,
    /// What may stand there instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// How to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The JSON pointer of the field in the document, where one is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

impl Diagnostic {
    /// An error that has no place yet.
    pub fn error(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, message.into())
    }

    /// A warning that has no place yet.
    pub fn warning(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, message.into())
    }

    /// Puts it at a place.
    #[must_use]
    pub fn at(mut self, file: &str, range: Range) -> Diagnostic {
        file.clone_into(&mut self.file);
        self.range = range;
        self
    }

    /// Says how to mend it. The first hint given is the most precise one and stays.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint.get_or_insert(hint.into());
        self
    }

    /// Says what is allowed there.
    #[must_use]
    pub fn allowed<T: Into<String>>(mut self, allowed: impl IntoIterator<Item = T>) -> Diagnostic {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }

    /// Proposes the allowed word nearest to what was written, where one is near.
    #[must_use]
    pub fn nearest<'a>(self, word: &str, among: impl IntoIterator<Item = &'a str>) -> Diagnostic {
        let among: Vec<&str> = among.into_iter().collect();
        match nearest(word, &among) {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Names the field of the document that is meant.
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Diagnostic {
        self.pointer = Some(pointer.into());
        self
    }

    /// Whether the text is refused because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn new(severity: Severity, message: String) -> Diagnostic {
        Diagnostic {
            severity,
            message,
            file: String::new(),
            range: Range::default(),
            allowed: Vec::new(),
            hint: None,
            pointer: None,
        }
    }
}

/// Parts what was said into errors and warnings, each in the order of the text; of too many the first.
pub(crate) fn part(said: Vec<Diagnostic>) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    let (mut errors, mut warnings): (Vec<_>, Vec<_>) = said.into_iter().partition(Diagnostic::is_error);
    for list in [&mut errors, &mut warnings] {
        list.sort_by(|a, b| (a.range, &a.message).cmp(&(b.range, &b.message)));
        list.dedup();
        list.truncate(COMPLAINTS);
    }
    (errors, warnings)
}
