//! Jobs as HCL, in the words of the job language.

use serde_json::{Map, Value};

use crate::job::Job;
use crate::text::format::lay_out;
use crate::text::hcl::reads_as;
use crate::text::schema::{Field, Shape};
use crate::text::shape::SCHEMA;

/// A job as a job file.
pub fn to_hcl(job: &Job) -> String {
    let document = super::sparse::document(job);
    let empty = Map::new();
    let spec = document.pointer("/spec").and_then(Value::as_object).unwrap_or(&empty);
    let metadata = document.pointer("/metadata").and_then(Value::as_object).unwrap_or(&empty);
    let mut writer = Writer::default();
    writer.open(&format!("job {}", label(&job.metadata.name)));
    for key in ["namespace", "labels", "annotations"] {
        let has_form = metadata.get(key).and_then(Value::as_object).is_some_and(has_block_form);
        if let Some(value) = metadata.get(key).filter(|_| !has_form) {
            writer.first.push((key.to_owned(), expression(value, 1)));
        }
    }
    writer.structure(&SCHEMA.root, spec, None);
    for key in ["labels", "annotations"] {
        if let Some(words) = metadata.get(key).and_then(Value::as_object).filter(|map| has_block_form(map)) {
            writer.map(key, words);
        }
    }
    writer.close();
    lay_out(&writer.out)
}

#[derive(Default)]
struct Writer {
    out: String,
    depth: usize,
    /// Whether a block stands right before, so that the next thing keeps a distance.
    after_block: bool,
    /// Attributes of the outermost block that are no fields of its struct.
    first: Vec<(String, String)>,
}

impl Writer {
    fn structure(&mut self, name: &str, map: &Map<String, Value>, label: Option<&str>) {
        let fields = SCHEMA.fields(name);
        let given = |field: &Field| {
            map.get(&field.property).filter(|_| Some(field.property.as_str()) != label).cloned()
        };
        let is_attribute = |field: &Field, value: &Value| {
            if let (Shape::Map(_), Value::Object(map)) = (&field.shape, value) {
                return !has_block_form(map);
            }
            field.shape.inner_struct().is_none()
        };
        let pairs: Vec<(&Field, Value)> =
            fields.iter().filter_map(|field| given(field).map(|value| (field, value))).collect();
        let (attributes, blocks): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(field, value)| is_attribute(field, value));
        let named =
            attributes.iter().map(|(field, value)| (field.key.clone(), expression(value, self.depth)));
        let attributes: Vec<_> = std::mem::take(&mut self.first).into_iter().chain(named).collect();
        self.attributes(&attributes);
        for (field, value) in &blocks {
            self.block(field, value);
        }
    }

    fn block(&mut self, field: &Field, value: &Value) {
        match (&field.shape, value) {
            (Shape::Struct(inner), Value::Object(map)) => {
                self.open(&field.key);
                self.structure(inner, map, None);
                self.close();
            }
            (Shape::List(of), Value::Array(items)) => {
                let inner = of.inner_struct().unwrap_or_default();
                for map in items.iter().filter_map(Value::as_object) {
                    let header = match field.label {
                        Some(property) => {
                            let text = map.get(property).and_then(Value::as_str).unwrap_or_default();
                            format!("{} {}", field.key, label(text))
                        }
                        None => field.key.clone(),
                    };
                    self.open(&header);
                    self.structure(inner, map, field.label);
                    self.close();
                }
            }
            (_, Value::Object(map)) => self.map(&field.key, map),
            (_, _) => {}
        }
    }

    fn map(&mut self, key: &str, map: &Map<String, Value>) {
        self.open(key);
        let depth = self.depth;
        let attributes: Vec<_> =
            map.iter().map(|(key, value)| (key.clone(), expression(value, depth))).collect();
        self.attributes(&attributes);
        self.close();
    }

    /// Attributes with their equals signs in one column.
    fn attributes(&mut self, attributes: &[(String, String)]) {
        let width = attributes.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
        if self.after_block && !attributes.is_empty() {
            self.out.push('\n');
        }
        for (key, value) in attributes {
            self.line(&format!("{key:width$} = {value}"));
            self.after_block = false;
        }
    }

    fn open(&mut self, header: &str) {
        if !self.out.is_empty() && !self.out.ends_with("{\n") {
            self.out.push('\n');
        }
        self.line(&format!("{header} {{"));
        self.depth += 1;
        self.after_block = false;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
        self.after_block = true;
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(&"  ".repeat(self.depth));
        self.out.push_str(text);
        self.out.push('\n');
    }
}

/// A map may be a block if all its keys are words; others need `= { … }`.
fn has_block_form(map: &Map<String, Value>) -> bool {
    map.keys().all(|key| is_word(key) && key != "dynamic")
}

fn is_word(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A value as an expression whose first line stands at a depth.
fn expression(value: &Value, depth: usize) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| expression(item, depth + 1)).collect();
            let short = items.iter().map(String::len).sum::<usize>() < 80
                && !items.iter().any(|item| item.contains('\n'));
            if short {
                return format!("[{}]", items.join(", "));
            }
            let lines = items.iter().map(|item| format!("{}{item},\n", "  ".repeat(depth + 1)));
            format!("[\n{}{}]", lines.collect::<String>(), "  ".repeat(depth))
        }
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let lines = map.iter().map(|(key, value)| {
                let key = if is_word(key) { key.clone() } else { string(key) };
                format!("{}{key} = {}\n", "  ".repeat(depth + 1), inline(value, depth + 1))
            });
            format!("{{\n{}{}}}", lines.collect::<String>(), "  ".repeat(depth))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A value within an object or a list, where a heredoc would need its end on a line of its own.
fn inline(value: &Value, depth: usize) -> String {
    value.as_str().map_or_else(|| expression(value, depth), quoted)
}

/// A string: a heredoc for several lines, else in quotes.
fn string(text: &str) -> String {
    let is_long = text.strip_suffix('\n').is_some_and(|lines| lines.contains('\n'));
    if is_long && !text.contains('\r') {
        for escaped in [text.to_owned(), escape_templates(text)] {
            let heredoc = format!("<<EOT\n{escaped}EOT");
            if reads_as(&heredoc, text) {
                return heredoc;
            }
        }
    }
    quoted(text)
}

/// A string in quotes. References that are resolved where the task runs stay readable; everything else that
/// looks like a template is escaped.
fn quoted(text: &str) -> String {
    let plain = escape(text);
    if text.contains("${") || text.contains("%{") {
        let escaped = escape(&escape_templates(text));
        return if reads_as(&plain, text) { plain } else { escaped };
    }
    plain
}

fn escape(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn escape_templates(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// A label, which is never a template.
fn label(text: &str) -> String {
    escape(&escape_templates(text))
}
