//! How a job differs from another version of itself, with Nomad's signs.

use serde_json::Value;

use super::out;

/// Prints how a job differs; `groups` counts what becomes of the instances of each group, where that is known.
pub(crate) fn job_changes(name: &str, diff: &Value, groups: &Value) {
    out(&format!("{}Job: {name:?}", mark(diff)));
    fields(diff, 1);
    objects(diff, 1);
    for group in list(diff, "groups") {
        let name = text(group, "name");
        let counts = &groups[&name];
        out(&format!("{}Group: {name:?}{}", mark(group), summary(counts)));
        fields(group, 1);
        objects(group, 1);
        for task in list(group, "tasks") {
            out(&format!("  {}Task: {:?}", mark(task), own_name(&text(task, "name"))));
            fields(task, 2);
            objects(task, 2);
        }
    }
}

/// `web` of `tasks "web"`.
fn own_name(name: &str) -> &str {
    name.split_once('"').map_or(name, |(_, rest)| rest.trim_end_matches('"'))
}

fn list<'v>(value: &'v Value, name: &str) -> Vec<&'v Value> {
    value[name].as_array().into_iter().flatten().collect()
}

fn text(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

/// Nomad's signs.
fn mark(value: &Value) -> &'static str {
    match value["type"].as_str().unwrap_or_default().to_lowercase().as_str() {
        "added" => "+   ",
        "deleted" => "-   ",
        "edited" => "+/- ",
        _ => "    ",
    }
}

fn fields(value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    for field in list(value, "fields") {
        let name = text(field, "name");
        let (old, new) = (text(field, "old"), text(field, "new"));
        let line = match field["type"].as_str().unwrap_or_default().to_lowercase().as_str() {
            "added" => format!("{name}: {new:?}"),
            "deleted" => format!("{name}: {old:?}"),
            "edited" => format!("{name}: {old:?} => {new:?}"),
            _ => continue,
        };
        out(&format!("{indent}{}{line}", mark(field)));
    }
}

fn objects(value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    for object in list(value, "objects") {
        if mark(object).trim().is_empty() {
            continue;
        }
        out(&format!("{indent}{}{} {{", mark(object), text(object, "name")));
        fields(object, depth + 1);
        objects(object, depth + 1);
        out(&format!("{indent}    }}"));
    }
}

/// `(2 create, 1 create/destroy update)`
fn summary(counts: &Value) -> String {
    let words = [
        ("create", "create"),
        ("destructive", "create/destroy update"),
        ("inPlace", "in-place update"),
        ("stop", "destroy"),
        ("ignore", "ignore"),
    ];
    let parts: Vec<String> = words
        .iter()
        .filter_map(|(key, word)| {
            let number = counts[key].as_u64().filter(|number| *number > 0)?;
            Some(format!("{number} {word}"))
        })
        .collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}
