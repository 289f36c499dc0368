//! Functions that write and read other notations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::collections::plain;
use super::function::{Arguments, Function, Kind, Outcome, bounded, fault};
use crate::text::hcl::value::Value;
use crate::text::source::Source;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("base64encode", &[Kind::Text], |a| Ok(Value::Text(STANDARD.encode(a.text(0))))),
    plain("base64decode", &[Kind::Text], base64_decode),
    plain("urlencode", &[Kind::Text], |a| Ok(Value::Text(url_encode(a.text(0))))),
    plain("jsonencode", &[Kind::Nullable], |a| Ok(Value::Text(json(a.value(0))))),
    plain("jsondecode", &[Kind::Text], json_decode),
    plain("yamlencode", &[Kind::Nullable], |a| Ok(Value::Text(yaml(a.value(0))))),
    plain("yamldecode", &[Kind::Text], yaml_decode),
    plain("csvdecode", &[Kind::Text], csv_decode),
];

fn base64_decode(a: &Arguments) -> Outcome {
    match STANDARD.decode(a.text(0)).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Value::Text(text)),
        Ok(Err(_)) => fault(0, "the decoded bytes are not UTF-8 text"),
        Err(error) => fault(0, format!("not base64: {error}")),
    }
}

fn url_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => write!(out, "%{other:02X}").expect("writing to a String cannot fail"),
        }
    }
    out
}

/// Compact JSON with the characters that are dangerous inside HTML escaped, as Go writes it.
pub(super) fn json(value: &Value) -> String {
    let text = value.to_json().to_string();
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(out, "\\u{:04x}", u32::from(character)).expect("writing to a String cannot fail");
            }
            other => out.push(other),
        }
    }
    out
}

/// A string in JSON's quotes.
pub(super) fn json_text(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

fn json_decode(a: &Arguments) -> Outcome {
    match serde_json::from_str(a.text(0)) {
        Ok(json) => Ok(Value::from_json(&json)),
        Err(error) => fault(0, format!("not JSON: {error}")),
    }
}

fn yaml_decode(a: &Arguments) -> Outcome {
    match crate::text::yaml::parse(&Source::new("yaml", a.text(0))) {
        Ok(documents) if documents.len() > 1 => fault(0, "more than one YAML document"),
        Ok(documents) => Ok(documents.first().map_or(Value::Null, |node| Value::from_json(&node.to_json()))),
        Err(errors) => {
            let first = errors.first().map_or("", |error| error.message.as_str());
            fault(0, format!("not YAML: {first}"))
        }
    }
}

/// Block style with every string in quotes.
fn yaml(value: &Value) -> String {
    let mut out = String::new();
    yaml_block(value, 0, &mut out);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.trim_start_matches('\n').to_owned()
}

fn yaml_block(value: &Value, indent: usize, out: &mut String) {
    let blanks = "  ".repeat(indent);
    match value {
        Value::Map(map) if !map.is_empty() => {
            for (position, (key, item)) in map.iter().enumerate() {
                if position > 0 {
                    out.push_str(&blanks);
                }
                write!(out, "{}:", json_text(key)).expect("writing to a String cannot fail");
                yaml_item(item, indent + usize::from(matches!(item, Value::Map(_))), out);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push_str(&blanks);
                }
                out.push_str("- ");
                yaml_block(item, indent + 1, out);
            }
        }
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::Map(_)
        | Value::List(_)) => {
            out.push_str(&other.to_json().to_string());
            out.push('\n');
        }
    }
}

fn yaml_item(value: &Value, indent: usize, out: &mut String) {
    let nested = match value {
        Value::Map(map) => !map.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => false,
    };
    if nested {
        out.push('\n');
        out.push_str(&"  ".repeat(indent));
    } else {
        out.push(' ');
    }
    yaml_block(value, indent, out);
}

fn csv_decode(a: &Arguments) -> Outcome {
    let mut rows = csv_rows(a.text(0)).or_else(|message| fault(0, message))?.into_iter();
    let Some(header) = rows.next() else { return fault(0, "a header line is missing") };
    let header_bytes: usize = header.iter().map(String::len).sum();
    bounded(0, header_bytes.saturating_mul(rows.len()))?;
    let mut list = Vec::new();
    for (number, row) in rows.enumerate() {
        if row.len() != header.len() {
            return fault(
                0,
                format!("line {} has {} fields, the header has {}", number + 2, row.len(), header.len()),
            );
        }
        let fields = header.iter().cloned().zip(row.into_iter().map(Value::Text));
        list.push(Value::Map(fields.collect::<BTreeMap<_, _>>()));
    }
    Ok(Value::List(list))
}

fn csv_rows(text: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut begun) = (false, false);
    let mut characters = text.chars().filter(|c| *c != '\r').peekable();
    while let Some(character) = characters.next() {
        match (quoted, character) {
            (true, '"') if characters.next_if_eq(&'"').is_some() => field.push('"'),
            (true, '"') => quoted = false,
            (false, '"') if field.is_empty() => (quoted, begun) = (true, true),
            (false, ',') => {
                row.push(std::mem::take(&mut field));
                begun = true;
            }
            (false, '\n') => {
                if begun || !field.is_empty() {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
                begun = false;
            }
            (_, other) => field.push(other),
        }
    }
    if quoted {
        return Err("a quoted field is not closed".to_owned());
    }
    if begun || !field.is_empty() {
        row.push(field);
        rows.push(row);
    }
    Ok(rows)
}
