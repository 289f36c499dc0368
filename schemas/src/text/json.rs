//! JSON with places. Standard JSON and nothing more, so that a body means the same to every reader.

use serde_json::Number;

use super::diagnostic::Diagnostic;
use super::node::{Entry, Node, NodeValue};
use super::source::{Source, Span};
use super::yaml::MAX_DEPTH;

/// Reads the one value of a text.
pub(crate) fn parse(source: &Source) -> Result<Node, Vec<Diagnostic>> {
    source.check_size().map_err(|error| vec![error])?;
    let mut reader = Reader { source, text: source.text(), at: 0, errors: Vec::new() };
    let node = reader.document().map_err(|error| vec![error])?;
    if reader.errors.is_empty() { Ok(node) } else { Err(reader.errors) }
}

struct Reader<'s> {
    source: &'s Source,
    text: &'s str,
    at: usize,
    /// Errors after which reading goes on.
    errors: Vec<Diagnostic>,
}

type Read<T> = Result<T, Diagnostic>;

impl Reader<'_> {
    fn document(&mut self) -> Read<Node> {
        let node = self.value(0)?;
        self.space();
        if self.at < self.text.len() {
            return Err(self.unexpected("the end of the text"));
        }
        Ok(node)
    }

    fn value(&mut self, depth: usize) -> Read<Node> {
        self.space();
        let start = self.at;
        if depth > MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(self.source.error(&(start..start + 1), message));
        }
        let value = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => NodeValue::String(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some('t' | 'f' | 'n') => self.word()?,
            _ => return Err(self.after_comma(self.unexpected("a value"), ']')),
        };
        Ok(Node::new(value, start..self.at))
    }

    fn object(&mut self, depth: usize) -> Read<NodeValue> {
        self.at += 1;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        loop {
            self.space();
            if entries.is_empty() && self.take('}') {
                break;
            }
            let start = self.at;
            if self.peek() != Some('"') {
                return Err(self.after_comma(self.unexpected("a key in double quotes"), '}'));
            }
            let key = self.string()?;
            let key_span = start..self.at;
            if !seen.insert(key.clone()) {
                let message = format!("the key `{key}` stands twice");
                self.errors.push(self.source.error(&key_span, message).hint("remove one of the two"));
            }
            self.expect(':')?;
            let value = self.value(depth + 1)?;
            entries.push(Entry { key, key_span, value });
            self.space();
            if self.take('}') {
                break;
            }
            self.expect(',')?;
        }
        Ok(NodeValue::Object(entries))
    }

    fn list(&mut self, depth: usize) -> Read<NodeValue> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            if items.is_empty() && self.take(']') {
                break;
            }
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take(']') {
                break;
            }
            self.expect(',')?;
        }
        Ok(NodeValue::List(items))
    }

    fn string(&mut self) -> Read<String> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return self.decode(&(start..self.at));
                }
                b'\\' => self.at += 2,
                b'\n' => break,
                _ => self.at += 1,
            }
        }
        let message = "this string is not closed";
        Err(self.source.error(&(start..start + 1), message).hint("add a closing `\"`"))
    }

    fn decode(&self, span: &Span) -> Read<String> {
        serde_json::from_str(self.source.slice(span))
            .map_err(|error| self.source.error(span, format!("not a JSON string: {}", without_place(&error))))
    }

    fn number(&mut self) -> Read<NodeValue> {
        let span = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
        let text = self.source.slice(&span);
        let number: Option<Number> = serde_json::from_str(text).ok();
        number
            .map(NodeValue::Number)
            .ok_or_else(|| self.source.error(&span, format!("`{text}` is not a number in JSON")))
    }

    fn word(&mut self) -> Read<NodeValue> {
        let span = self.run(|c| c.is_ascii_alphanumeric());
        match self.source.slice(&span) {
            "true" => Ok(NodeValue::Bool(true)),
            "false" => Ok(NodeValue::Bool(false)),
            "null" => Ok(NodeValue::Null),
            other => {
                let message = format!("`{other}` is not a value in JSON");
                Err(self.source.error(&span, message).hint(format!("write \"{other}\" if a string is meant")))
            }
        }
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> Span {
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let span = self.at..self.at + length;
        self.at = span.end;
        span
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Read<()> {
        self.space();
        if self.take(wanted) { Ok(()) } else { Err(self.unexpected(&format!("`{wanted}`"))) }
    }

    fn after_comma(&self, error: Diagnostic, closing: char) -> Diagnostic {
        let is_trailing = self.peek() == Some(closing) && self.text[..self.at].trim_end().ends_with(',');
        if is_trailing { error.hint(format!("remove the comma before `{closing}`")) } else { error }
    }

    fn unexpected(&self, wanted: &str) -> Diagnostic {
        let at = self.at.min(self.text.len());
        let message = match self.peek() {
            Some(found) => format!("expected {wanted}, found `{found}`"),
            None => format!("expected {wanted}, found the end of the text"),
        };
        self.source.error(&(at..at + 1), message)
    }
}

/// serde's message without the line and column, which count within the slice only.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match parse(&Source::new("j", text)) {
            Ok(node) => node.to_json().to_string(),
            Err(errors) => errors
                .iter()
                .map(|error| format!("{}:{} {}", error.range.line, error.range.column, error.message))
                .collect::<Vec<_>>()
                .join("; "),
        }
    }

    #[test]
    fn reads_values_and_says_where_it_stops() {
        let text = r#"{"a": [1, -2.5e3, "x\u00e9\n"], "b": {"c": null, "d": true}}"#;
        assert_eq!(said(text), r#"{"a":[1,-2500.0,"xé\n"],"b":{"c":null,"d":true}}"#);
        assert_eq!(said("{\"a\": 1,\n \"a\": 2}"), "2:2 the key `a` stands twice");
        assert_eq!(said("{\"a\": 1,}"), "1:9 expected a key in double quotes, found `}`");
        assert_eq!(said("[1 2]"), "1:4 expected `,`, found `2`");
        assert_eq!(said("[\"abc"), "1:2 this string is not closed");
        assert_eq!(said("yes"), "1:1 expected a value, found `y`");
        assert_eq!(said("01"), "1:1 `01` is not a number in JSON");
        assert_eq!(said("\"\\"), "1:1 this string is not closed");
        assert!(said(&"[".repeat(100)).contains("64 levels"));
    }
}
