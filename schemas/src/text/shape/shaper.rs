//! One file's blocks, each turned into the struct that the schema has for it.

use super::{misplaced, scalar};
use crate::text::diagnostic::Diagnostic;
use crate::text::gaps::Gaps;
use crate::text::hcl::{Block, Body};
use crate::text::node::{Entry, Node, NodeValue, join};
use crate::text::schema::{Field, Schema, Shape};
use crate::text::source::{Source, Span};
use crate::validate::nearest;

/// Deeper blocks are not shaped; the parser refuses them long before.
const MAX_DEPTH: usize = 64;

/// Rewrites short and old forms of a block before it is shaped.
pub(crate) type Prepare = fn(&mut Shaper<'_>, name: &str, body: &mut Body);

/// Shapes the blocks of one file.
pub(crate) struct Shaper<'s> {
    pub(crate) source: &'s Source,
    pub(crate) schema: &'s Schema,
    pub(crate) said: Vec<Diagnostic>,
    pub(crate) gaps: Gaps,
    prepare: Option<Prepare>,
    /// The blocks around, outermost first.
    pub(super) around: Vec<Around>,
}

/// A block that is being shaped.
pub(crate) struct Around {
    pub(super) keyword: String,
    /// The struct that it becomes.
    pub(super) name: String,
    /// Where that stands in the document.
    pub(super) pointer: String,
}

impl Around {
    pub(crate) fn new(keyword: &str, name: &str, pointer: impl Into<String>) -> Around {
        Around { keyword: keyword.to_owned(), name: name.to_owned(), pointer: pointer.into() }
    }
}

impl<'s> Shaper<'s> {
    pub(crate) fn new(source: &'s Source, schema: &'s Schema, prepare: Option<Prepare>) -> Shaper<'s> {
        Shaper { source, schema, said: Vec::new(), gaps: Gaps::default(), prepare, around: Vec::new() }
    }

    pub(crate) fn say(&mut self, diagnostic: Diagnostic) {
        self.said.push(diagnostic);
    }

    /// Warns about an old form and shows the modern one.
    pub(crate) fn warn(&mut self, span: &Span, message: &str, hint: &str) {
        self.say(self.source.warning(span, message).hint(hint));
    }

    /// The keyword of the block being shaped.
    pub(super) fn here(&self) -> &str {
        self.around.last().map_or("the file", |around| &around.keyword)
    }

    /// The pointer of a field of the block being shaped.
    fn pointer(&self, field: &Field) -> String {
        join(self.around.last().map_or("", |around| &around.pointer), &field.property)
    }

    /// The entries of a struct whose body this is.
    pub(crate) fn structure(&mut self, around: Around, body: &Body) -> Vec<Entry> {
        if self.around.len() >= MAX_DEPTH {
            return Vec::new();
        }
        let mut body = body.clone();
        let name = &around.name.clone();
        if let Some(prepare) = self.prepare {
            prepare(self, name, &mut body);
        }
        self.around.push(around);
        let mut entries = Vec::new();
        for key in &body.unknown {
            self.gap(name, key);
        }
        for attribute in &body.attributes {
            self.attribute(name, attribute, &mut entries);
        }
        for block in &body.blocks {
            self.block(name, block, &mut entries);
        }
        self.around.pop();
        entries
    }

    fn attribute(&mut self, name: &str, attribute: &Entry, entries: &mut Vec<Entry>) {
        let fields = self.schema.fields(name);
        let Some(field) = fields.iter().find(|field| field.key == attribute.key) else {
            return self.stranger(name, (&attribute.key, &attribute.key_span), "key");
        };
        if attribute.value.value == NodeValue::Null {
            return;
        }
        if field.shape.inner_struct().is_some() {
            let message = format!("`{}` is a block, not an attribute", field.key);
            let hint = format!("write `{} {{ … }}` without the equals sign", field.key);
            self.gap(name, &field.key);
            return self.say(self.source.error(&attribute.key_span, message).hint(hint));
        }
        match scalar::convert(self.source, &field.shape, &field.key, &attribute.value) {
            Ok(value) => self.put(field, &attribute.key_span, value, entries),
            Err(error) => {
                self.gap(name, &field.key);
                self.say(error);
            }
        }
    }

    /// Says that a key or block does not belong into the struct.
    fn stranger(&mut self, name: &str, (key, span): (&str, &Span), what: &str) {
        let error = misplaced::explain(self, name, (key, span), what);
        self.say(error);
        self.gap(name, key);
    }

    /// What the key of a struct means is not known.
    fn gap(&mut self, name: &str, key: &str) {
        let (schema, object) = (self.schema, self.around.last().map_or("", |around| &around.pointer));
        let fields = schema.fields(name);
        if let Some(field) = fields.iter().find(|field| field.key == key) {
            return self.gaps.field(object, field);
        }
        self.gaps.stranger(object, schema.property(key));
        let keys: Vec<&str> = fields.iter().map(|field| field.key.as_str()).collect();
        for meant in fields.iter().filter(|field| Some(field.key.as_str()) == nearest(key, &keys)) {
            self.gaps.field(object, meant);
        }
    }

    fn block(&mut self, name: &str, block: &Block, entries: &mut Vec<Entry>) {
        let fields = self.schema.fields(name);
        let Some(field) = fields.iter().find(|field| field.key == block.kind) else {
            return self.stranger(name, (&block.kind, &block.kind_span), "block");
        };
        let pointer = self.pointer(field);
        let header = header(block);
        match &field.shape {
            Shape::List(of) if of.inner_struct().is_some() => {
                let inner = of.inner_struct().unwrap_or_default();
                let pointer = format!("{pointer}/{}", elements(field, entries));
                let mut element = self.label(field, &pointer, block);
                element.extend(self.structure(Around::new(&block.kind, inner, pointer), &block.body));
                let node = Node::new(NodeValue::Object(element), header);
                push(field, block, node, entries);
            }
            Shape::Struct(inner) => {
                self.no_label(block);
                let element = self.structure(Around::new(&block.kind, inner, pointer), &block.body);
                self.put(field, &block.kind_span, Node::new(NodeValue::Object(element), header), entries);
            }
            Shape::Map(of) if of.inner_struct().is_some() && block.labels.len() == 1 => {
                let inner = of.inner_struct().unwrap_or_default();
                self.named(field, block, inner, entries);
            }
            Shape::Map(of) => {
                self.no_label(block);
                let value = self.free(&block.body, of, (&pointer, header));
                self.put(field, &block.kind_span, value, entries);
            }
            Shape::Free => {
                let value = self.free(&block.body, &Shape::Free, (&pointer, header));
                self.put(field, &block.kind_span, value, entries);
            }
            Shape::Text
            | Shape::Choice(_)
            | Shape::Whole
            | Shape::Number
            | Shape::Bool
            | Shape::Duration
            | Shape::List(_) => {
                let message = format!("`{}` is an attribute, not a block", field.key);
                let value = block
                    .labels
                    .first()
                    .map_or("…".to_owned(), |label| self.source.slice(&label.span).to_owned());
                let hint = format!("write `{} = {value}`", field.key);
                self.gap(name, &field.key);
                self.say(self.source.error(&block.kind_span, message).hint(hint));
            }
        }
    }

    /// One entry of a map of structs, as `host_volume "data" { … }`.
    fn named(&mut self, field: &Field, block: &Block, inner: &str, entries: &mut Vec<Entry>) {
        let Some(label) = block.labels.first() else { return };
        let around = Around::new(&block.kind, inner, join(&self.pointer(field), &label.text));
        let value = Node::new(NodeValue::Object(self.structure(around, &block.body)), header(block));
        let entry = Entry { key: label.text.clone(), key_span: label.span.clone(), value };
        match entries.iter_mut().find(|entry| entry.key == field.property).map(|entry| &mut entry.value.value)
        {
            Some(NodeValue::Object(known)) if known.iter().any(|before| before.key == entry.key) => {
                let message = format!("there are two `{}` blocks named `{}`", block.kind, label.text);
                self.say(self.source.error(&label.span, message).hint("remove one of the two"));
            }
            Some(NodeValue::Object(known)) => known.push(entry),
            Some(_) | None => {
                let value = Node::new(NodeValue::Object(vec![entry]), header(block));
                self.put(field, &block.kind_span, value, entries);
            }
        }
    }

    /// Puts a field, which may stand only once.
    fn put(&mut self, field: &Field, key_span: &Span, value: Node, entries: &mut Vec<Entry>) {
        if let Some(first) = entries.iter().find(|entry| entry.key == field.property) {
            let line = self.source.range(&first.key_span).line;
            let message = format!("`{}` stands twice in `{}`", field.key, self.here());
            let hint = format!("it stands first in line {line}; remove one of the two");
            self.gaps.value(self.pointer(field));
            return self.say(self.source.error(key_span, message).hint(hint));
        }
        entries.push(Entry { key: field.property.clone(), key_span: key_span.clone(), value });
    }

    fn label(&mut self, field: &Field, pointer: &str, block: &Block) -> Vec<Entry> {
        let Some(property) = field.label else {
            self.no_label(block);
            return Vec::new();
        };
        let Some(label) = block.labels.first() else {
            let message = format!("a `{}` block needs a {property} before its brace", block.kind);
            let hint = format!("write `{} \"…\" {{`", block.kind);
            self.say(self.source.error(&block.kind_span, message).hint(hint));
            self.gaps.value(join(pointer, property));
            return Vec::new();
        };
        if let Some(second) = block.labels.get(1) {
            self.say(self.source.error(&second.span, format!("a `{}` block has one {property}", block.kind)));
        }
        let value = Node::new(NodeValue::String(label.text.clone()), label.span.clone());
        vec![Entry { key: property.to_owned(), key_span: label.span.clone(), value }]
    }

    fn no_label(&mut self, block: &Block) {
        if let Some(label) = block.labels.first() {
            let message = format!("a `{}` block has no label", block.kind);
            self.say(self.source.error(&label.span, message).hint(format!("write `{} {{`", block.kind)));
        }
    }

    /// A body without a schema: attributes as they are, blocks as lists of maps.
    pub(crate) fn free(&mut self, body: &Body, of: &Shape, (pointer, span): (&str, Span)) -> Node {
        let mut entries: Vec<Entry> = Vec::new();
        for key in &body.unknown {
            self.gaps.value(join(pointer, key));
        }
        for attribute in &body.attributes {
            match scalar::convert(self.source, of, &attribute.key, &attribute.value) {
                Ok(value) => {
                    let (key, key_span) = (attribute.key.clone(), attribute.key_span.clone());
                    entries.push(Entry { key, key_span, value });
                }
                Err(error) => {
                    self.gaps.value(join(pointer, &attribute.key));
                    self.say(error);
                }
            }
        }
        for block in &body.blocks {
            if *of != Shape::Free {
                let message =
                    format!("`{}` holds names and values, not the block `{}`", self.here(), block.kind);
                self.say(self.source.error(&block.kind_span, message).hint("write `name = value`"));
                self.gaps.value(join(pointer, &block.kind));
                continue;
            }
            let inner = join(pointer, &block.kind);
            let mut node = self.free(&block.body, of, (&inner, header(block)));
            for label in block.labels.iter().rev() {
                let list = Node::new(NodeValue::List(vec![node]), label.span.clone());
                let entry = Entry { key: label.text.clone(), key_span: label.span.clone(), value: list };
                node = Node::new(NodeValue::Object(vec![entry]), label.span.clone());
            }
            match entries.iter_mut().find(|entry| entry.key == block.kind) {
                Some(Entry { value: Node { value: NodeValue::List(items), .. }, .. }) => items.push(node),
                Some(first) => {
                    let line = self.source.range(&first.key_span).line;
                    let message = format!("`{}` is an attribute in line {line} and a block here", block.kind);
                    self.said.push(self.source.error(&block.kind_span, message));
                }
                None => {
                    let value = Node::new(NodeValue::List(vec![node]), block.kind_span.clone());
                    entries.push(Entry { key: block.kind.clone(), key_span: block.kind_span.clone(), value });
                }
            }
        }
        Node::new(NodeValue::Object(entries), span)
    }
}

/// The keyword and the labels of a block.
pub(crate) fn header(block: &Block) -> Span {
    block.kind_span.start..block.labels.last().map_or(block.kind_span.end, |label| label.span.end)
}

/// How many elements a list of blocks has already.
fn elements(field: &Field, entries: &[Entry]) -> usize {
    match entries.iter().find(|entry| entry.key == field.property).map(|entry| &entry.value.value) {
        Some(NodeValue::List(items)) => items.len(),
        Some(_) | None => 0,
    }
}

fn push(field: &Field, block: &Block, node: Node, entries: &mut Vec<Entry>) {
    let existing = entries.iter_mut().find(|entry| entry.key == field.property);
    if let Some(Entry { value: Node { value: NodeValue::List(items), .. }, .. }) = existing {
        items.push(node);
        return;
    }
    let span = node.span.clone();
    let value = Node::new(NodeValue::List(vec![node]), span);
    entries.push(Entry { key: field.property.clone(), key_span: block.kind_span.clone(), value });
}
