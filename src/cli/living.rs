//! What lives stands first in a table; allocations that have ended are only counted, unless all are asked for.

use serde_json::Value;

/// The words of the column `Status` for what has ended, by kind, and whether such rows are left out.
const ENDED: &[(&str, &[&str], bool)] =
    &[("allocations", &["complete", "failed"], true), ("jobs", &["dead"], false)];

/// Which rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What lives, and how much has ended. Where nothing lives: all.
    Living,
    /// All.
    All,
}

impl Wanted {
    /// What `--all` asks for.
    pub(super) fn of(all: bool) -> Wanted {
        if all { Wanted::All } else { Wanted::Living }
    }
}

/// Puts the rows of a table in order and leaves out what is not wanted. Answers what to say about that.
pub(super) fn first(table: &mut Value, plural: &str, wanted: Wanted) -> Option<String> {
    let (_, words, is_left_out) = ENDED.iter().find(|(kind, _, _)| *kind == plural)?;
    let columns = table["columnDefinitions"].as_array()?;
    let at = columns.iter().position(|column| column["name"] == "Status")?;
    let rows = table["rows"].as_array_mut()?;
    let ended = |row: &Value| words.iter().position(|word| row["cells"][at] == *word);
    rows.sort_by_key(|row| ended(row).is_some());
    let living = rows.partition_point(|row| ended(row).is_none());
    if wanted == Wanted::All || !is_left_out || living == 0 || living == rows.len() {
        return None;
    }
    let left_out = rows.split_off(living);
    let told: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(number, word)| (left_out.iter().filter(|row| ended(row) == Some(number)).count(), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    Some(format!("ended and not shown: {} (--all shows them)", told.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The names of the rows that are shown, and what is said.
    fn shown(plural: &str, rows: &str, wanted: Wanted) -> String {
        let rows: Vec<Value> = rows
            .split_whitespace()
            .filter_map(|row| row.split_once('='))
            .map(|(name, status)| json!({"cells": [name, status]}))
            .collect();
        let mut table = json!({"columnDefinitions": [{"name": "Name"}, {"name": "Status"}], "rows": rows});
        let said = first(&mut table, plural, wanted);
        let rows = table["rows"].as_array().unwrap().iter();
        let names: Vec<&str> = rows.map(|row| row["cells"][0].as_str().unwrap()).collect();
        format!("{}; {}", names.join(" "), said.unwrap_or_default())
    }

    #[test]
    fn what_lives_stands_first() {
        let rows = "a=complete b=running c=failed d=pending e=complete f=lost";
        let told = "b d f; ended and not shown: 2 complete, 1 failed (--all shows them)";
        assert_eq!(shown("allocations", rows, Wanted::Living), told);
        assert_eq!(shown("allocations", rows, Wanted::All), "b d f a c e; ");
        assert_eq!(shown("allocations", "a=complete b=failed", Wanted::Living), "a b; ", "nothing lives");
        assert_eq!(shown("allocations", "", Wanted::Living), "; ");
        assert_eq!(shown("jobs", "a=dead b=running", Wanted::Living), "b a; ", "jobs are all shown");
        assert_eq!(shown("nodes", "a=down b=ready", Wanted::Living), "a b; ");
    }
}
