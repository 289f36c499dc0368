//! `-o`: one document or a list of them in the form that was asked for.

use serde_json::Value;

use super::{columns, jsonpath, out, raw};
use crate::connection::CliError;

/// The forms of `-o`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// A table.
    Table,
    /// A table with all its columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// `kind/name`, a line each.
    Name,
    /// A kubectl JSONPath template.
    JsonPath(String),
    /// `HEADER:.path,…`
    CustomColumns(String),
}

impl Output {
    /// Whether the server's table is meant, not the document.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self, Output::Table | Output::Wide)
    }
}

/// Reads the word after `-o`.
pub(crate) fn parse_output(word: &str) -> Result<Output, CliError> {
    Ok(match word {
        "" => Output::Table,
        "wide" => Output::Wide,
        "json" => Output::Json,
        "yaml" => Output::Yaml,
        "name" => Output::Name,
        _ => match word.split_once('=') {
            Some(("jsonpath", template)) => Output::JsonPath(template.to_owned()),
            Some(("custom-columns", columns)) => Output::CustomColumns(columns.to_owned()),
            Some(_) | None => {
                return Err(CliError::failed(format!(
                    "unknown output {word:?}; allowed are wide, json, yaml, name, jsonpath=TEMPLATE and custom-columns=HEADER:PATH,…"
                )));
            }
        },
    })
}

/// Prints a document or a list; as JSON and YAML without the record of who owns which field, which is for programs.
pub(crate) fn print_document(value: &Value, output: &Output) -> Result<(), CliError> {
    if matches!(output, Output::Json | Output::Yaml) {
        print_whole(&without_owners(value.clone()), output)
    } else {
        print_whole(value, output)
    }
}

/// Leaves out who owns which field, of a document or of all in a list.
fn without_owners(mut value: Value) -> Value {
    let forget = |document: &mut Value| {
        if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    };
    forget(&mut value);
    value.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten().for_each(forget);
    value
}

/// Prints all that the server says.
pub(crate) fn print_whole(value: &Value, output: &Output) -> Result<(), CliError> {
    match output {
        Output::Json => out(&serde_json::to_string_pretty(value).unwrap_or_default()),
        Output::Yaml | Output::Table | Output::Wide => raw(&yaml(value)?),
        Output::Name => items(value).iter().for_each(|item| out(&name_of(item))),
        Output::JsonPath(template) => raw(&jsonpath::render(template, value)?),
        Output::CustomColumns(spec) => custom_columns(spec, value)?,
    }
    Ok(())
}

/// A document as YAML.
pub(crate) fn yaml(value: &Value) -> Result<String, CliError> {
    serde_saphyr::to_string(value).map_err(|error| CliError::failed(error.to_string()))
}

fn items(value: &Value) -> Vec<&Value> {
    match value["items"].as_array() {
        Some(items) => items.iter().collect(),
        None => vec![value],
    }
}

fn name_of(item: &Value) -> String {
    let kind = item["kind"].as_str().unwrap_or_default().to_lowercase();
    format!("{kind}.encamp.dev/{}", item["metadata"]["name"].as_str().unwrap_or_default())
}

fn custom_columns(spec: &str, value: &Value) -> Result<(), CliError> {
    let mut header = Vec::new();
    let mut paths = Vec::new();
    for column in spec.split(',') {
        let Some((name, path)) = column.split_once(':') else {
            return Err(CliError::failed(format!("custom column {column:?} is not HEADER:PATH")));
        };
        header.push(name.to_owned());
        paths.push(format!("{{{}}}", path.trim_matches(['{', '}'])));
    }
    let mut rows = Vec::new();
    for item in items(value) {
        let cells: Result<Vec<String>, CliError> = paths
            .iter()
            .map(|path| {
                let text = jsonpath::render(path, item)?;
                Ok(if text.is_empty() { "<none>".to_owned() } else { text })
            })
            .collect();
        rows.push(cells?);
    }
    columns(&header, &rows, true).iter().for_each(|line| out(line));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn owners_of_fields_are_left_out() {
        let document =
            |owners: Value| json!({"metadata": {"name": "web", "managedFields": owners}, "spec": {}});
        let bare = json!({"metadata": {"name": "web"}, "spec": {}});
        assert_eq!(without_owners(document(json!([]))), bare);
        assert_eq!(without_owners(json!({"items": [document(json!([1]))]})), json!({"items": [bare]}));
        assert_eq!(without_owners(json!({"changes": true})), json!({"changes": true}));
    }
}
