//! A file of attributes and blocks, evaluated, with `dynamic` blocks written out.

use std::collections::BTreeMap;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure;

use super::evaluate::{Evaluator, Scope};
use super::value::Value;
use crate::limits::DYNAMIC_BLOCKS;
use crate::text::diagnostic::Diagnostic;
use crate::text::node::{Entry, Node, NodeValue};
use crate::text::source::Span;

/// What stands between two braces.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Body {
    pub(crate) attributes: Vec<Entry>,
    pub(crate) blocks: Vec<Block>,
    /// Names of attributes and blocks that could not be evaluated.
    pub(crate) unknown: Vec<String>,
}

/// A block: a word, labels, and a body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    pub(crate) kind: String,
    pub(crate) kind_span: Span,
    pub(crate) labels: Vec<Label>,
    pub(crate) body: Body,
    pub(crate) span: Span,
}

/// A label of a block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Label {
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Body {
    /// The attribute of that name.
    pub(crate) fn attribute(&self, key: &str) -> Option<&Entry> {
        self.attributes.iter().find(|entry| entry.key == key)
    }
}

impl Evaluator<'_> {
    /// Says an error or a warning, unless it echoes one already said.
    pub(crate) fn say(&self, diagnostic: Diagnostic) {
        if !diagnostic.message.is_empty() && !self.is_noise() {
            self.said.borrow_mut().push(diagnostic);
        }
    }

    /// Evaluates a body; every error in it is said, and what has one is left out.
    pub(crate) fn body(&self, body: &structure::Body, scope: &Scope<'_>) -> Body {
        let mut out = Body::default();
        for item in body {
            if self.is_noise() {
                break;
            }
            match item {
                structure::Structure::Attribute(attribute) => match self.node(&attribute.value, scope) {
                    Ok(value) => out.attributes.push(Entry {
                        key: attribute.key.as_str().to_owned(),
                        key_span: attribute.key.span().unwrap_or_default(),
                        value,
                    }),
                    Err(error) => {
                        self.say(error);
                        out.unknown.push(attribute.key.as_str().to_owned());
                    }
                },
                structure::Structure::Block(block) if block.has_ident("dynamic") => {
                    let kind = block.labels.first().map_or("", |label| label.as_str());
                    match self.dynamic(block, scope) {
                        Ok(blocks) => out.blocks.extend(blocks),
                        Err(error) => {
                            self.say(error);
                            out.unknown.push(kind.to_owned());
                        }
                    }
                }
                structure::Structure::Block(block) => out.blocks.push(self.block(block, scope)),
            }
        }
        out
    }

    pub(crate) fn block(&self, block: &structure::Block, scope: &Scope<'_>) -> Block {
        let labels = block.labels.iter().map(|label| {
            let span = label.span().unwrap_or_default();
            let raw = self.source.slice(&span);
            if raw.contains('\n') {
                self.say(self.source.error(&span, "a label ends on the line where it begins"));
            }
            Label { text: label.as_str().to_owned(), span }
        });
        Block {
            kind: block.ident.as_str().to_owned(),
            kind_span: block.ident.span().unwrap_or_default(),
            labels: labels.collect(),
            body: self.body(&block.body, scope),
            span: block.span().unwrap_or_default(),
        }
    }

    /// The blocks that a `dynamic` writes.
    fn dynamic(&self, block: &structure::Block, scope: &Scope<'_>) -> Result<Vec<Block>, Diagnostic> {
        let here = block.ident.span().unwrap_or_default();
        let [label] = &block.labels[..] else {
            let error = self.source.error(&here, "`dynamic` needs the name of the block that it writes");
            return Err(error.hint("for example `dynamic \"port\" { for_each = …  content { … } }`"));
        };
        for attribute in block.body.attributes() {
            if !["for_each", "iterator", "labels"].contains(&attribute.key.as_str()) {
                let span = attribute.key.span().unwrap_or_default();
                let error = self
                    .source
                    .error(&span, format!("unknown key `{}` in `dynamic`", attribute.key.as_str()));
                self.say(
                    error
                        .allowed(["for_each", "iterator", "labels", "content"])
                        .hint("what the blocks hold stands in `content { }`"),
                );
            }
        }
        let (Some(for_each), Some(content)) =
            (block.body.get_attribute("for_each"), block.body.get_blocks("content").next())
        else {
            return Err(self.source.error(&here, "`dynamic` needs `for_each` and a `content` block"));
        };
        let iterator = match block.body.get_attribute("iterator").map(|attribute| &attribute.value) {
            Some(Expression::Variable(name)) => name.as_str().to_owned(),
            Some(other) => return Err(self.error(other, "the iterator is a plain word")),
            None => label.as_str().to_owned(),
        };
        let pairs = self.pairs(&for_each.value, scope)?;
        if pairs.len() > DYNAMIC_BLOCKS {
            return Err(self.error(&for_each.value, format!("more than {DYNAMIC_BLOCKS} blocks")));
        }
        let mut out = Vec::new();
        for (key, value) in pairs {
            // An empty block costs nothing else.
            self.step(&here)?;
            let key = if matches!(key, Value::Number(_)) && is_set_like(&for_each.value) {
                value.clone()
            } else {
                key
            };
            let each = Value::Map(BTreeMap::from([("key".to_owned(), key), ("value".to_owned(), value)]));
            let names = BTreeMap::from([(iterator.clone(), each)]);
            let scope = scope.within(&names);
            let labels = match block.body.get_attribute("labels") {
                Some(labels) => self.labels(&labels.value, &scope),
                None => Vec::new(),
            };
            out.push(Block {
                kind: label.as_str().to_owned(),
                kind_span: label.span().unwrap_or_default(),
                labels,
                body: self.body(&content.body, &scope),
                span: block.span().unwrap_or_default(),
            });
        }
        Ok(out)
    }

    fn labels(&self, expression: &Expression, scope: &Scope<'_>) -> Vec<Label> {
        let span = self.span(expression);
        match self.value(expression, scope) {
            Ok(Value::List(items)) => {
                let texts = items.iter().filter_map(Value::to_text);
                texts.map(|text| Label { text, span: span.clone() }).collect()
            }
            Ok(other) => {
                self.say(
                    self.source.error(&span, format!("labels are a list of strings, not {}", other.kind())),
                );
                Vec::new()
            }
            Err(error) => {
                self.say(error);
                Vec::new()
            }
        }
    }

    /// The parts of a value, or the last error among them after the others are said.
    fn all<T>(&self, parts: impl Iterator<Item = Result<T, Diagnostic>>) -> Result<Vec<T>, Diagnostic> {
        let mut whole = Vec::new();
        let mut last = None;
        for part in parts.take_while(|_| !self.is_noise()) {
            match part {
                Ok(part) => whole.push(part),
                Err(error) => last.replace(error).into_iter().for_each(|earlier| self.say(earlier)),
            }
        }
        last.map_or(Ok(whole), Err)
    }

    /// The value of an expression with the places of its parts, as far as it is written out.
    pub(crate) fn node(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Node, Diagnostic> {
        let span = self.span(expression);
        match expression {
            Expression::Array(items) => {
                let items = items.iter().map(|item| self.node(item, scope));
                Ok(Node::new(NodeValue::List(self.all(items)?), span))
            }
            Expression::Object(object) => {
                let entries = object.iter().map(|(key, value)| {
                    let (key, key_span) = self.object_key(key, scope)?;
                    Ok(Entry { key, key_span, value: self.node(value.expr(), scope)? })
                });
                Ok(Node::new(NodeValue::Object(last_of_each(self.all(entries)?)), span))
            }
            Expression::Parenthesis(inner) => self.node(inner.inner(), scope),
            Expression::Null(_)
            | Expression::Bool(_)
            | Expression::Number(_)
            | Expression::String(_)
            | Expression::StringTemplate(_)
            | Expression::HeredocTemplate(_)
            | Expression::Variable(_)
            | Expression::Conditional(_)
            | Expression::FuncCall(_)
            | Expression::Traversal(_)
            | Expression::UnaryOp(_)
            | Expression::BinaryOp(_)
            | Expression::ForExpr(_) => Ok(to_node(self.value(expression, scope)?, &span)),
        }
    }
}

/// Of several entries with one key the last.
fn last_of_each(entries: Vec<Entry>) -> Vec<Entry> {
    let last: BTreeMap<String, usize> =
        entries.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect();
    let is_last = |(at, entry): &(usize, Entry)| last.get(&entry.key) == Some(at);
    entries.into_iter().enumerate().filter(is_last).map(|(_, entry)| entry).collect()
}

/// A computed value, all of which stands at one place.
pub(crate) fn to_node(value: Value, span: &Span) -> Node {
    let value = match value {
        Value::Null => NodeValue::Null,
        Value::Bool(flag) => NodeValue::Bool(flag),
        Value::Number(number) => number.to_json().map_or(NodeValue::Null, NodeValue::Number),
        Value::Text(text) => NodeValue::String(text),
        Value::List(items) => NodeValue::List(items.into_iter().map(|item| to_node(item, span)).collect()),
        Value::Map(map) => NodeValue::Object(
            map.into_iter()
                .map(|(key, value)| Entry { key, key_span: span.clone(), value: to_node(value, span) })
                .collect(),
        ),
    };
    Node::new(value, span.clone())
}

/// Elements of a set are their own keys; here that is what the set functions give.
fn is_set_like(expression: &Expression) -> bool {
    matches!(expression, Expression::FuncCall(call)
        if matches!(call.name.name.as_str(), "setunion" | "setintersection" | "setsubtract" | "toset"))
}
