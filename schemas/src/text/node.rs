//! What any of the three spellings is read into first: values that remember where they were written.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::source::Span;

/// A value and the bytes that say it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// Where it was written.
    pub span: Span,
}

/// The JSON kinds of value, with objects in the order of the text.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// Values in order.
    List(Vec<Node>),
    /// Named values in the order of the text; no name stands twice.
    Object(Vec<Entry>),
}

/// One name of an object with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The name.
    pub key: String,
    /// Where the name was written.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// Where a field of a document was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of the field; the value itself for an element of a list.
    pub key: Span,
    /// The value of the field.
    pub value: Span,
}

/// From JSON pointer to the place in the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<String, Place>);

impl Node {
    /// A value at a place.
    pub fn new(value: NodeValue, span: Span) -> Node {
        Node { value, span }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let NodeValue::String(text) = &self.value { Some(text) } else { None }
    }

    /// The entries, if it is an object.
    pub fn entries(&self) -> Option<&[Entry]> {
        if let NodeValue::Object(entries) = &self.value { Some(entries) } else { None }
    }

    /// The value under a name, if it is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::Null => "null",
            NodeValue::Bool(_) => "a boolean",
            NodeValue::Number(_) => "a number",
            NodeValue::String(_) => "a string",
            NodeValue::List(_) => "a list",
            NodeValue::Object(_) => "a map",
        }
    }

    /// The same value as JSON, without places.
    pub fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(flag) => Value::Bool(*flag),
            NodeValue::Number(number) => Value::Number(number.clone()),
            NodeValue::String(text) => Value::String(text.clone()),
            NodeValue::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            NodeValue::Object(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// The places of the value and of everything in it.
    pub fn places(&self) -> Places {
        let mut places = Places::default();
        places.note("", &self.span, self);
        places
    }
}

impl Places {
    /// The place of a pointer, or of the nearest field above it.
    pub fn find(&self, pointer: &str) -> Option<&Place> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.0.get(pointer) {
                return Some(place);
            }
            pointer = pointer.rsplit_once('/')?.0;
        }
    }

    /// The place of exactly this pointer.
    pub fn exact(&self, pointer: &str) -> Option<&Place> {
        self.0.get(pointer)
    }

    fn note(&mut self, pointer: &str, key: &Span, node: &Node) {
        self.0.insert(pointer.to_owned(), Place { key: key.clone(), value: node.span.clone() });
        match &node.value {
            NodeValue::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.note(&format!("{pointer}/{index}"), &item.span, item);
                }
            }
            NodeValue::Object(entries) => {
                for entry in entries {
                    self.note(&join(pointer, &entry.key), &entry.key_span, &entry.value);
                }
            }
            NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_) => {}
        }
    }
}

/// A pointer one name deeper, escaped as RFC 6901 wants it.
pub(crate) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_finds_its_place_or_the_nearest_above() {
        let leaf = Node::new(NodeValue::Bool(true), 4..8);
        let entry = Entry { key: "a/b".into(), key_span: 0..3, value: leaf };
        let places = Node::new(NodeValue::Object(vec![entry]), 0..8).places();
        assert_eq!(places.find("/a~1b/deeper/0").map(|place| place.key.clone()), Some(0..3));
        assert_eq!(places.find("/other").map(|place| place.value.clone()), Some(0..8));
        assert_eq!(places.exact("/other"), None);
    }
}
