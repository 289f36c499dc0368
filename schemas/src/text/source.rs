//! A text as somebody wrote it: its name, its bytes, and where its lines begin.
//!
//! Everything else in this room speaks of byte ranges ([`Span`]); only a [`Diagnostic`] that leaves
//! the room speaks of lines and columns, and this is where one becomes the other.

use std::ops::Range as ByteRange;

use serde::{Deserialize, Serialize};

use super::diagnostic::Diagnostic;

/// A range of bytes of one source.
pub type Span = ByteRange<usize>;

/// The largest text we read.
pub const MAX_BYTES: usize = crate::limits::DOCUMENT_BYTES;

/// A named text with an index of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

/// Where something stands in a text, as people and editors count: lines and columns start at 1, and
/// columns and the length count characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// The line of the first character.
    pub line: usize,
    /// The column of the first character.
    pub column: usize,
    /// How many characters of that line are meant, at least one.
    pub length: usize,
}

impl Source {
    /// Names a text. The name is only shown: a path, `-`, or `request body`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        let mut text: String = text.into();
        // Editors of some systems put a mark in front that no format knows.
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Source { name: name.into(), text, line_starts }
    }

    /// The name given by whoever read the text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span; empty where the span does not lie on character borders.
    pub fn slice(&self, span: &Span) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The text of a line counted from 1, without its line ending.
    pub fn line(&self, number: usize) -> &str {
        let Some(start) = number.checked_sub(1).and_then(|at| self.line_starts.get(at)) else {
            return "";
        };
        let end = self.line_starts.get(number).copied().unwrap_or(self.text.len());
        self.slice(&(*start..end)).trim_end_matches(['\n', '\r'])
    }

    /// Lines and columns of a span. The length never runs past the end of the first line.
    pub fn range(&self, span: &Span) -> Range {
        let start = self.border_before(span.start);
        let line = self.line_starts.partition_point(|begin| *begin <= start).max(1);
        let line_start = self.line_starts[line - 1];
        let column = self.text[line_start..start].chars().count() + 1;
        let line_end = line_start + self.line(line).len();
        let end = self.border_before(span.end).min(line_end).max(start);
        let length = self.text[start..end].chars().count().max(1);
        Range { line, column, length }
    }

    /// The byte offset of a line and a column, both counted from 1 in characters.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let Some(start) = self.line_starts.get(line.saturating_sub(1)) else {
            return self.text.len();
        };
        let text = self.line(line);
        let within = text.char_indices().nth(column.saturating_sub(1));
        start + within.map_or(text.len(), |(at, _)| at)
    }

    /// An error about a span of this text.
    pub fn error(&self, span: &Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(message).at(&self.name, self.range(span))
    }

    /// A warning about a span of this text.
    pub fn warning(&self, span: &Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(message).at(&self.name, self.range(span))
    }

    /// Refuses a text above [`MAX_BYTES`], and one that is none.
    pub(crate) fn check_size(&self) -> Result<(), Diagnostic> {
        if let Some(at) = self.text.find('\0') {
            return Err(self.error(&(at..at + 1), "a zero byte stands here: this is not a text"));
        }
        if self.text.len() <= MAX_BYTES {
            return Ok(());
        }
        let message = format!("the text has {} bytes; at most {MAX_BYTES} are read", self.text.len());
        Err(self.error(&(0..0), message))
    }

    fn border_before(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_stop_at_the_end_of_the_line() {
        let source = Source::new("a", "né = 1\nb = 2");
        assert_eq!(source.range(&(0..3)), Range { line: 1, column: 1, length: 2 });
        assert_eq!(source.range(&(6..12)), Range { line: 1, column: 6, length: 1 });
        assert_eq!(source.range(&(8..9)), Range { line: 2, column: 1, length: 1 });
        assert_eq!(source.range(&(900..901)), Range { line: 2, column: 6, length: 1 });
        assert_eq!(source.offset(2, 5), 12);
        assert_eq!(source.line(1), "né = 1");
        assert_eq!(source.line(9), "");
    }
}
