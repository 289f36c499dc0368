//! Lists as tables, for `kubectl` and for our own command line: columns are decided once, beside each kind.

use jiff::Timestamp;
use serde_json::{Value, json};

/// One column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Its heading.
    pub name: &'static str,
    /// `string`, `integer` or `boolean`.
    pub kind: &'static str,
    /// What stands in it, for `explain`-like tools.
    pub description: &'static str,
    /// 0 is always shown, 1 only when wide.
    pub priority: u8,
    /// Its cell for a document.
    pub cell: Cell,
}

/// What stands in a column for a document, at a time.
type Cell = fn(&Value, Timestamp) -> Value;

impl Column {
    /// A column of words.
    pub(super) const fn text(name: &'static str, description: &'static str, cell: Cell) -> Column {
        Column { name, kind: "string", description, priority: 0, cell }
    }

    /// A column of whole numbers.
    pub(super) const fn integer(name: &'static str, description: &'static str, cell: Cell) -> Column {
        Column { kind: "integer", ..Column::text(name, description, cell) }
    }

    /// The same, shown only when wide.
    pub(super) const fn wide(self) -> Column {
        Column { priority: 1, ..self }
    }
}

/// The column that every table begins with.
pub(super) const NAME: Column =
    Column::text("Name", "The name, unique among documents of the kind in the namespace", |document, _| {
        document["metadata"]["name"].clone()
    });

/// How old a document is.
pub(super) const AGE: Column = Column::text("Age", "Time since the document was made", |document, now| {
    json!(age(&document["metadata"]["creationTimestamp"], now))
});

/// The text at a JSON pointer, or a mark that there is none.
pub(super) fn text(document: &Value, pointer: &str) -> Value {
    match document.pointer(pointer) {
        Some(Value::Null) | None => json!("<none>"),
        Some(Value::String(text)) if text.is_empty() => json!("<none>"),
        Some(value) => value.clone(),
    }
}

/// The time since a timestamp, short.
pub(super) fn age(at: &Value, now: Timestamp) -> String {
    let at = at.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    at.map_or_else(|| "<unknown>".to_owned(), |at| human(now.duration_since(at).as_secs()))
}

/// Seconds in the words of `kubectl`: 45s, 3m10s, 12m, 5h2m, 3d4h, 40d.
fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: i64, unit: char, small: i64, small_unit: char| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{small_unit}"),
    };
    match seconds {
        ..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, 'd', hours % 24, 'h'),
        _ => format!("{days}d"),
    }
}

/// What rows carry besides their cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Include {
    /// Nothing.
    Nothing,
    /// The document's metadata.
    Metadata,
    /// The whole document.
    Document,
}

impl Include {
    /// Reads `includeObject`.
    pub(super) fn of(word: Option<&str>) -> Include {
        match word {
            Some("None") => Include::Nothing,
            Some("Object") => Include::Document,
            Some(_) | None => Include::Metadata,
        }
    }
}

/// A whole table: `metadata` is the list's.
pub(super) fn table(columns: &[Column], rows: &[Value], metadata: &Value) -> Value {
    let definitions: Vec<Value> = columns
        .iter()
        .map(|column| {
            json!({"name": column.name, "type": column.kind, "format": if column.name == "Name" { "name" } else { "" },
                   "description": column.description, "priority": column.priority})
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
           "columnDefinitions": definitions, "rows": rows})
}

/// One row.
pub(super) fn row(columns: &[Column], document: &Value, include: Include, now: Timestamp) -> Value {
    let cells: Vec<Value> = columns.iter().map(|column| (column.cell)(document, now)).collect();
    match include {
        Include::Nothing => json!({"cells": cells}),
        Include::Metadata => json!({"cells": cells, "object": metadata_only(document)}),
        Include::Document => json!({"cells": cells, "object": document}),
    }
}

/// A document without its content.
pub(super) fn metadata_only(document: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": document["metadata"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_in_kubectl() {
        let table = [
            (-3, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (185, "3m5s"),
            (601, "10m"),
            (10_800, "3h"),
            (11_100, "3h5m"),
            (100_000, "27h"),
            (176_400, "2d1h"),
            (900_000, "10d"),
        ];
        for (seconds, text) in table {
            assert_eq!(human(seconds), text);
        }
        assert_eq!(age(&Value::Null, Timestamp::UNIX_EPOCH), "<unknown>");
    }
}
