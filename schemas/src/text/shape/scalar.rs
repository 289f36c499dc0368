//! Attribute values as the schema wants them, with the conversions HCL makes by itself.

use serde_json::Number;

use crate::text::diagnostic::Diagnostic;
use crate::text::node::{Entry, Node, NodeValue};
use crate::text::schema::Shape;
use crate::text::source::Source;

/// The value in the shape of its field, or what is wrong with it.
pub(super) fn convert(source: &Source, shape: &Shape, key: &str, node: &Node) -> Result<Node, Diagnostic> {
    let converted = match (shape, &node.value) {
        (Shape::Free | Shape::Struct(_), value) => Some(value.clone()),
        (Shape::Text | Shape::Choice(_), value) => text(value).map(NodeValue::String),
        (Shape::Duration, NodeValue::Number(number)) => Some(NodeValue::Number(number.clone())),
        (Shape::Duration, NodeValue::String(text)) => Some(NodeValue::String(text.clone())),
        (Shape::Whole, value) => number(value).filter(|number| !number.is_f64()).map(NodeValue::Number),
        (Shape::Number, value) => number(value).map(NodeValue::Number),
        (Shape::Bool, value) => boolean(value).map(NodeValue::Bool),
        (Shape::List(of), NodeValue::List(items)) => {
            let items = items.iter().map(|item| convert(source, of, key, item)).collect::<Result<_, _>>()?;
            Some(NodeValue::List(items))
        }
        (Shape::Map(of), NodeValue::Object(entries)) => Some(NodeValue::Object(map(source, of, entries)?)),
        // A list of one map is how blocks of the same name arrive from an expression.
        (Shape::Map(_), NodeValue::List(items)) if items.len() == 1 => {
            return convert(source, shape, key, &items[0]);
        }
        (Shape::Duration | Shape::List(_) | Shape::Map(_), _) => None,
    };
    match converted {
        Some(value) => Ok(Node::new(value, node.span.clone())),
        None => Err(refuse(source, shape, key, node)),
    }
}

fn map(source: &Source, of: &Shape, entries: &[Entry]) -> Result<Vec<Entry>, Diagnostic> {
    let kept = entries.iter().filter(|entry| entry.value.value != NodeValue::Null);
    kept.map(|entry| {
        let value = convert(source, of, &entry.key, &entry.value)?;
        Ok(Entry { key: entry.key.clone(), key_span: entry.key_span.clone(), value })
    })
    .collect()
}

fn refuse(source: &Source, shape: &Shape, key: &str, node: &Node) -> Diagnostic {
    let found = match (shape, &node.value) {
        (Shape::Whole, NodeValue::Number(number)) => number.to_string(),
        (_, _) => node.kind().to_owned(),
    };
    let error = source.error(&node.span, format!("`{key}` must be {}, not {found}", shape.wanted()));
    let raw = source.slice(&node.span);
    match (shape, &node.value) {
        (Shape::List(_), NodeValue::String(_) | NodeValue::Number(_) | NodeValue::Bool(_)) => {
            error.hint(format!("write `{key} = [{raw}]`"))
        }
        (Shape::Map(_), NodeValue::String(_) | NodeValue::Number(_) | NodeValue::Bool(_)) => {
            error.hint(format!("write `{key} {{ name = {raw} }}`"))
        }
        (Shape::Text, NodeValue::List(items)) if items.len() == 1 => {
            error.hint(format!("write `{key} = {}`", source.slice(&items[0].span)))
        }
        (_, _) => error,
    }
}

fn text(value: &NodeValue) -> Option<String> {
    match value {
        NodeValue::String(text) => Some(text.clone()),
        NodeValue::Number(number) => Some(number.to_string()),
        NodeValue::Bool(flag) => Some(flag.to_string()),
        NodeValue::Null | NodeValue::List(_) | NodeValue::Object(_) => None,
    }
}

fn number(value: &NodeValue) -> Option<Number> {
    match value {
        NodeValue::Number(number) => Some(number.clone()),
        NodeValue::String(text) => text.trim().parse::<i64>().ok().map(Number::from),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::List(_) | NodeValue::Object(_) => None,
    }
}

fn boolean(value: &NodeValue) -> Option<bool> {
    match value {
        NodeValue::Bool(flag) => Some(*flag),
        NodeValue::String(text) => text.parse().ok(),
        NodeValue::Null | NodeValue::Number(_) | NodeValue::List(_) | NodeValue::Object(_) => None,
    }
}
