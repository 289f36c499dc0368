//! Short forms of the job language that are as good as the long ones.

use super::Shaper;
use crate::text::hcl::{Block, Body};
use crate::text::node::{Entry, Node, NodeValue};

/// Operators that may stand as an attribute of their own: `version = ">= 1.2"`.
const OPERATORS: [&str; 6] =
    ["version", "semver", "regexp", "set_contains", "set_contains_all", "set_contains_any"];

/// Rewrites the short forms of a block.
pub(super) fn prepare(shaper: &mut Shaper<'_>, name: &str, body: &mut Body) {
    match name {
        "JobSpec" => lone_tasks(body),
        "Constraint" | "Affinity" => rule(body),
        _ => {}
    }
    super::legacy::prepare(shaper, name, body);
}

/// A task right under the job is a group of one task with the same name.
fn lone_tasks(body: &mut Body) {
    for block in &mut body.blocks {
        if block.kind != "task" || block.labels.is_empty() {
            continue;
        }
        let task = block.clone();
        *block = Block {
            kind: "group".to_owned(),
            body: Body { blocks: vec![task.clone()], ..Body::default() },
            ..task
        };
    }
}

/// `version = "…"` and the like, `distinct_hosts = true`, `distinct_property = "…"`.
fn rule(body: &mut Body) {
    let mut out = Vec::new();
    for entry in std::mem::take(&mut body.attributes) {
        let operator = entry.key.clone();
        if OPERATORS.contains(&operator.as_str()) {
            out.push(renamed(&entry, "operator", NodeValue::String(operator)));
            out.push(Entry { key: "value".to_owned(), ..entry });
        } else if operator == "distinct_hosts" {
            out.push(renamed(&entry, "operator", NodeValue::String(operator)));
            if entry.value.to_json() == serde_json::Value::Bool(false) {
                out.push(renamed(&entry, "value", NodeValue::String("false".to_owned())));
            }
        } else if operator == "distinct_property" {
            out.push(renamed(&entry, "operator", NodeValue::String(operator)));
            out.push(Entry { key: "attribute".to_owned(), ..entry });
        } else {
            out.push(entry);
        }
    }
    body.attributes = out;
}

fn renamed(entry: &Entry, key: &str, value: NodeValue) -> Entry {
    Entry {
        key: key.to_owned(),
        key_span: entry.key_span.clone(),
        value: Node::new(value, entry.value.span.clone()),
    }
}
