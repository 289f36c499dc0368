//! Columns, as wide as their widest cell.

use serde_json::Value;

use super::out;

/// Lines up rows under a header; three spaces between columns, as kubectl does.
pub(crate) fn columns(header: &[String], rows: &[Vec<String>], with_header: bool) -> Vec<String> {
    let all = || std::iter::once(header).filter(|_| with_header).chain(rows.iter().map(Vec::as_slice));
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    all()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
        })
        .collect()
}

/// Which columns a table has.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of `get`")]
pub(crate) struct Columns {
    /// Those of priority above 0 too.
    pub wide: bool,
    /// With a header line.
    pub header: bool,
    /// With the namespace in front.
    pub namespace: bool,
    /// With the labels at the end.
    pub labels: bool,
}

/// Prints a `meta.k8s.io/v1` Table.
pub(crate) fn print_table(table: &Value, asked: Columns) {
    let Columns { wide, header: with_header, namespace: with_namespace, labels: with_labels } = asked;
    let definitions = table["columnDefinitions"].as_array().cloned().unwrap_or_default();
    let shown: Vec<usize> = (0..definitions.len())
        .filter(|at| wide || definitions[*at]["priority"].as_i64().unwrap_or_default() == 0)
        .collect();
    let mut header: Vec<String> =
        shown.iter().map(|at| definitions[*at]["name"].as_str().unwrap_or_default().to_uppercase()).collect();
    if with_namespace {
        header.insert(0, "NAMESPACE".to_owned());
    }
    if with_labels {
        header.push("LABELS".to_owned());
    }
    let rows: Vec<Vec<String>> = table["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            let mut cells: Vec<String> = shown.iter().map(|at| cell(&row["cells"][*at])).collect();
            if with_namespace {
                cells.insert(0, cell(&row["object"]["metadata"]["namespace"]));
            }
            if with_labels {
                cells.push(labels(&row["object"]["metadata"]["labels"]));
            }
            cells
        })
        .collect();
    columns(&header, &rows, with_header).iter().for_each(|line| out(line));
}

fn labels(value: &Value) -> String {
    let labels = value.as_object().into_iter().flatten();
    let words: Vec<String> = labels.map(|(name, value)| format!("{name}={}", cell(value))).collect();
    if words.is_empty() { "<none>".to_owned() } else { words.join(",") }
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "<none>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null => "<none>".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let header = ["NAME", "READY"].map(str::to_owned);
        let rows = [["web", "2/2"], ["a-long-name", "0/1"]].map(|row| row.map(str::to_owned).to_vec());
        let lines = columns(&header, &rows, true);
        assert_eq!(lines, ["NAME          READY", "web           2/2", "a-long-name   0/1"]);
    }
}
