//! Jobs as YAML: block style, with quotes only where a word would be read as something else.

use serde_json::{Map, Value};

use crate::job::Job;
use crate::text::node::NodeValue;
use crate::text::yaml::plain;

/// A job as a YAML document.
pub fn to_yaml(job: &Job) -> String {
    let mut out = String::new();
    if let Value::Object(map) = super::sparse::document(job) {
        entries(&map, 0, &mut out);
    }
    out
}

fn entries(map: &Map<String, Value>, indent: usize, out: &mut String) {
    for (position, (key, value)) in map.iter().enumerate() {
        if position > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&word(key));
        out.push(':');
        field(value, indent, out);
    }
}

/// A value after its key: on the same line, or below it.
fn field(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            entries(map, indent + 2, out);
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('\n');
            items(list, indent + 2, out);
        }
        Value::String(text) if is_block(text) => {
            out.push_str(" |\n");
            for line in text.lines() {
                if !line.is_empty() {
                    out.push_str(&" ".repeat(indent + 2));
                }
                out.push_str(line);
                out.push('\n');
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            out.push(' ');
            out.push_str(&scalar(value));
            out.push('\n');
        }
    }
}

fn items(list: &[Value], indent: usize, out: &mut String) {
    for item in list {
        out.push_str(&" ".repeat(indent));
        out.push_str("- ");
        if let Some(map) = item.as_object().filter(|map| !map.is_empty()) {
            entries(map, indent + 2, out);
        } else {
            out.push_str(&scalar(item));
            out.push('\n');
        }
    }
}

/// A value on one line. Nested lists are written in JSON's style, which YAML reads as well.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), word)
}

/// Whether a text is better written as a literal block: several plain lines with one end of line at the end.
fn is_block(text: &str) -> bool {
    let Some(lines) = text.strip_suffix('\n') else { return false };
    lines.contains('\n')
        && !lines.starts_with([' ', '\n', '\t'])
        && !lines.ends_with('\n')
        && lines.lines().all(|line| !line.ends_with([' ', '\t', '\r']))
        && lines.chars().all(|c| c == '\n' || c == '\t' || (' '..='~').contains(&c))
}

/// A string, bare where nothing can mistake it.
fn word(text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '+' | '='))
        && !text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '+'))
        && matches!(plain(text), Some(NodeValue::String(_)))
        && !matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n");
    if bare { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}
