//! Items of keyed lists that cannot be told apart: an apply that holds such a list means nothing.

use serde_json::Value;

use super::merge::{Parts, parts};
use super::structure::{Form, Shape};

/// An item that is not the only one of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unclear {
    /// An earlier item has the same key.
    Repeated {
        /// Where the key stands, `spec.groups[1].name`.
        field: String,
        /// What is wrong.
        message: String,
    },
    /// It has no key.
    Unnamed {
        /// Where the key should stand.
        field: String,
        /// What is wrong.
        message: String,
    },
}

/// Every item of a value that cannot be told from another, in the order of the document.
pub(crate) fn unclear(shape: Shape<'_>, value: &Value) -> Vec<Unclear> {
    let mut found = Vec::new();
    look(shape, value, "", &mut found);
    found
}

fn look(shape: Shape<'_>, value: &Value, path: &str, found: &mut Vec<Unclear>) {
    if let (Form::Keyed(key), Value::Array(items)) = (shape.form(), value) {
        list(key, items, path, found);
        for (at, item) in items.iter().enumerate() {
            look(shape.item(), item, &format!("{path}[{at}]"), found);
        }
        return;
    }
    match (parts(shape, value), value) {
        (Parts::Fields(fields), _) => {
            for (field, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                look(shape.field(field), value, &format!("{path}{dot}{field}"), found);
            }
        }
        // A list that is replaced as a whole may hold keyed lists.
        (Parts::Items(_) | Parts::Whole, Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                look(shape.item(), item, &format!("{path}[{at}]"), found);
            }
        }
        (Parts::Items(_) | Parts::Whole, _) => {}
    }
}

fn list(key: &str, items: &[Value], path: &str, found: &mut Vec<Unclear>) {
    let word = path.rsplit('.').next().unwrap_or(path);
    for (at, item) in items.iter().enumerate() {
        let field = format!("{path}[{at}].{key}");
        let Some(own) = item.get(key).filter(|own| !own.is_null()) else {
            let message = format!("the {key} is missing: the {word} of a list are told apart by it");
            found.push(Unclear::Unnamed { field, message });
            continue;
        };
        let first = items[..at].iter().position(|before| before.get(key) == Some(own));
        if let Some(first) = first {
            let message =
                format!("there are two {word} with the {key} {own}: it is also that of {path}[{first}]");
            found.push(Unclear::Repeated { field, message });
        }
    }
}
