//! YAML, the strict subset that JSON can say: no tags but the core ones, no key twice, no surprise types.
//!
//! Plain scalars follow the YAML 1.2 core schema, so `no` is a string and `010` is not eight. Aliases are
//! copied within a budget; `<<` merges a map into another.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput, Tag};
use serde_json::Number;

use super::diagnostic::Diagnostic;
use super::node::{Entry, Node, NodeValue};
use super::source::{Source, Span};

pub(crate) const MAX_DEPTH: usize = crate::limits::DEPTH;
/// How many values all aliases of a text may copy together.
const ALIAS_BUDGET: usize = 10_000;
/// How many bytes of text: as many as a document may have.
const ALIASED_BYTES: usize = crate::limits::DOCUMENT_BYTES;
const MAX_ERRORS: usize = crate::limits::COMPLAINTS;

/// Reads every document of a text. Empty documents are left out.
pub(crate) fn parse(source: &Source) -> Result<Vec<Node>, Vec<Diagnostic>> {
    source.check_size().map_err(|error| vec![error])?;
    let mut reader = Reader::new(source);
    for event in Parser::<StrInput<'_>>::new_from_str(source.text()) {
        match event {
            Ok((event, span)) => {
                let start = reader.cursor.to(source, span.start);
                let end = reader.cursor.to(source, span.end).max(start);
                reader.event(event, start..end);
            }
            Err(error) => {
                let at = reader.cursor.to(source, *error.marker());
                let (message, hint) = explain(error.info());
                reader.fail(&(at..at + 1), message, hint.map(str::to_owned));
                break;
            }
        }
        if reader.stopped || reader.errors.len() >= MAX_ERRORS {
            break;
        }
    }
    if reader.errors.is_empty() { Ok(reader.documents) } else { Err(reader.errors) }
}

/// The parser's complaint, and the way out where people often come to it.
fn explain(info: &str) -> (String, Option<&'static str>) {
    if info.contains("recursion") {
        return (format!("nested more than {MAX_DEPTH} levels deep"), None);
    }
    if info.contains("tabs disallowed") {
        return ("a tab cannot indent YAML".to_owned(), Some("indent with spaces"));
    }
    let hint = if info.contains("mapping values are not allowed") {
        Some("line the key up with its neighbours; a value with `: ` in it stands in quotes")
    } else if info.contains("did not find expected key") || info.contains("did not find expected '-'") {
        Some("line it up with its neighbours")
    } else if info.contains("simple key") {
        Some("a key ends with `: `")
    } else {
        None
    };
    (format!("not readable as YAML: {info}"), hint)
}

/// Turns the parser's lines and columns into bytes, walking forward only.
#[derive(Default)]
struct Cursor {
    line: usize,
    column: usize,
    offset: usize,
}

impl Cursor {
    fn to(&mut self, source: &Source, marker: Marker) -> usize {
        let (line, column) = (marker.line().max(1), marker.col());
        if line != self.line || column < self.column {
            *self = Cursor { line, column: 0, offset: source.offset(line, 1) };
        }
        let text = &source.text()[self.offset..];
        let ahead = column - self.column;
        self.offset += text.char_indices().nth(ahead).map_or(text.len(), |(at, _)| at);
        self.column = column;
        self.offset
    }
}

enum Frame {
    List {
        start: usize,
        anchor: usize,
        items: Vec<Node>,
    },
    Map {
        start: usize,
        anchor: usize,
        entries: Vec<Entry>,
        key: Option<(String, Span)>,
        merged: Vec<Node>,
        /// Where each key stands.
        seen: BTreeMap<String, Span>,
    },
}

struct Reader<'s> {
    source: &'s Source,
    cursor: Cursor,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Node>,
    alias_budget: usize,
    aliased_bytes: usize,
    documents: Vec<Node>,
    errors: Vec<Diagnostic>,
    stopped: bool,
}

impl<'s> Reader<'s> {
    fn new(source: &'s Source) -> Reader<'s> {
        Reader {
            source,
            cursor: Cursor::default(),
            frames: Vec::new(),
            anchors: BTreeMap::new(),
            alias_budget: ALIAS_BUDGET,
            aliased_bytes: ALIASED_BYTES,
            documents: Vec::new(),
            errors: Vec::new(),
            stopped: false,
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), &span);
                self.finish(Node::new(value, span), anchor, Some(&text));
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "seq", &span);
                self.open(Frame::List { start: span.start, anchor, items: Vec::new() }, &span);
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "map", &span);
                let (entries, merged, seen) = (Vec::new(), Vec::new(), BTreeMap::new());
                self.open(Frame::Map { start: span.start, anchor, entries, key: None, merged, seen }, &span);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&span),
            Event::DocumentEnd => self.anchors.clear(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
    }

    fn fail(&mut self, span: &Span, message: impl Into<String>, hint: Option<String>) {
        let error = self.source.error(span, message);
        self.errors.push(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }

    fn open(&mut self, frame: Frame, span: &Span) {
        if self.frames.len() >= MAX_DEPTH {
            self.fail(span, format!("nested more than {MAX_DEPTH} levels deep"), None);
            self.stopped = true;
        }
        self.frames.push(frame);
    }

    fn close(&mut self, span: &Span) {
        match self.frames.pop() {
            Some(Frame::List { start, anchor, items }) => {
                let end = items.last().map_or(span.end, |last| last.span.end.max(start + 1));
                self.finish(Node::new(NodeValue::List(items), start..end), anchor, None);
            }
            Some(Frame::Map { start, anchor, mut entries, merged, .. }) => {
                merge(&mut entries, merged);
                let end = entries.last().map_or(span.end, |last| last.value.span.end.max(start + 1));
                self.finish(Node::new(NodeValue::Object(entries), start..end), anchor, None);
            }
            None => {}
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) {
        let Some(node) = self.anchors.get(&anchor) else {
            self.fail(&span, "this alias stands inside the value it names", None);
            self.stopped = true;
            return;
        };
        let ((count, depth), bytes) = (measure(node), text_bytes(node));
        let is_too_much = count > self.alias_budget || bytes > self.aliased_bytes;
        if is_too_much || depth + self.frames.len() > MAX_DEPTH {
            let message = format!(
                "aliases copy more than {ALIAS_BUDGET} values or {ALIASED_BYTES} bytes of text, or nest too deep"
            );
            self.fail(&span, message, None);
            self.stopped = true;
            return;
        }
        self.alias_budget -= count;
        self.aliased_bytes -= bytes;
        let node = Node::new(node.value.clone(), span);
        self.finish(node, 0, None);
    }

    /// Puts a finished value where it belongs: into the open list or map, or on the list of documents.
    /// `raw` is the text of a scalar, which is what it says when it stands as a key.
    fn finish(&mut self, node: Node, anchor: usize, raw: Option<&str>) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.frames.last_mut() {
            None => {
                if node.value != NodeValue::Null {
                    self.documents.push(node);
                }
            }
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, merged, seen, .. }) => match key.take() {
                Some((key, _)) if key == "<<" => merged.push(node),
                Some((key, key_span)) => {
                    seen.entry(key.clone()).or_insert_with(|| key_span.clone());
                    entries.push(Entry { key, key_span, value: node });
                }
                None => {
                    let name = match (raw, &node.value) {
                        (_, NodeValue::String(text)) => Some(text.clone()),
                        (Some(raw), _) if !raw.is_empty() => Some(raw.to_owned()),
                        _ => None,
                    };
                    let first = name.as_ref().and_then(|name| seen.get(name)).cloned();
                    *key = Some((name.clone().unwrap_or_default(), node.span.clone()));
                    self.check_key(&node, name, first);
                }
            },
        }
    }

    fn check_key(&mut self, node: &Node, name: Option<String>, first: Option<Span>) {
        let Some(name) = name else {
            let message = format!("a key must be a word, not {}", node.kind());
            return self.fail(&node.span, message, None);
        };
        if let Some(first) = first {
            let line = self.source.range(&first).line;
            let hint = format!("it stands first in line {line}; remove one of the two");
            self.fail(&node.span, format!("the key `{name}` stands twice"), Some(hint));
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> NodeValue {
        if let Some(tag) = tag {
            if tag.is_yaml_core_schema() && tag.suffix == "str" {
                return NodeValue::String(text.to_owned());
            }
            self.refuse_tag(Some(tag), "", span);
        }
        if style != ScalarStyle::Plain {
            return NodeValue::String(text.to_owned());
        }
        plain(text).unwrap_or_else(|| {
            let hint = format!("write \"{text}\" if the word is meant");
            self.fail(span, format!("`{text}` is not a number that a document can hold"), Some(hint));
            NodeValue::Null
        })
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, expected: &str, span: &Span) {
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == expected)) {
            let hint = "leave the tag out; quote a value to make it a string".to_owned();
            self.fail(span, format!("the YAML tag `{tag}` is not supported"), Some(hint));
        }
    }
}

/// What an unquoted word means; nothing for infinities and the like, which no document can hold.
pub(crate) fn plain(text: &str) -> Option<NodeValue> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => NodeValue::Null,
        "true" | "True" | "TRUE" => NodeValue::Bool(true),
        "false" | "False" | "FALSE" => NodeValue::Bool(false),
        _ => match number(text) {
            Spelling::Number(number) => NodeValue::Number(number),
            Spelling::Beyond => return None,
            Spelling::Word => NodeValue::String(text.to_owned()),
        },
    })
}

/// What an unquoted word looks like.
enum Spelling {
    Number(Number),
    /// A number that JSON does not have.
    Beyond,
    Word,
}

fn number(text: &str) -> Spelling {
    if matches!(text.to_ascii_lowercase().as_str(), ".inf" | "+.inf" | "-.inf" | ".nan") {
        return Spelling::Beyond;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).map_or(Spelling::Word, |n| Spelling::Number(n.into()));
        }
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let plausible = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if leading_zero || !plausible {
        return Spelling::Word;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    match (text.parse::<i64>(), text.parse::<u64>(), text.parse::<f64>()) {
        (Ok(number), _, _) => Spelling::Number(number.into()),
        (_, Ok(number), _) => Spelling::Number(number.into()),
        (_, _, Ok(float)) => Number::from_f64(float).map_or(Spelling::Beyond, Spelling::Number),
        (_, _, Err(_)) => Spelling::Word,
    }
}

fn merge(entries: &mut Vec<Entry>, merged: Vec<Node>) {
    let mut have: BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for node in merged {
        let maps = match node.value {
            NodeValue::List(items) => items,
            value @ (NodeValue::Null
            | NodeValue::Bool(_)
            | NodeValue::Number(_)
            | NodeValue::String(_)
            | NodeValue::Object(_)) => {
                vec![Node::new(value, node.span)]
            }
        };
        for map in maps {
            let NodeValue::Object(more) = map.value else { continue };
            for entry in more {
                if have.insert(entry.key.clone()) {
                    entries.push(entry);
                }
            }
        }
    }
}

/// How many bytes of text a node holds, names counted.
fn text_bytes(node: &Node) -> usize {
    match &node.value {
        NodeValue::List(items) => items.iter().map(text_bytes).sum(),
        NodeValue::Object(entries) => {
            entries.iter().map(|entry| entry.key.len() + text_bytes(&entry.value)).sum()
        }
        NodeValue::String(text) => text.len(),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => 0,
    }
}

/// How many values a node holds, itself counted, and how deep they nest.
fn measure(node: &Node) -> (usize, usize) {
    let within = |children: &mut dyn Iterator<Item = &Node>| {
        children.map(measure).fold((1, 1), |(count, depth), (more, deep)| (count + more, depth.max(deep + 1)))
    };
    match &node.value {
        NodeValue::List(items) => within(&mut items.iter()),
        NodeValue::Object(entries) => within(&mut entries.iter().map(|entry| &entry.value)),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_) => (1, 1),
    }
}
