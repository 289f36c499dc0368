//! How much anybody may send: every limit on size, number and depth, each with its reason, in one place.
//!
//! What is sent is paid for in time and memory by everybody else. Each limit lies far above what people write by
//! hand and low enough that one request is over within two seconds, however it was made. Two more say what a reader
//! may build on its way: a short text must not become a long document. A document that was stored before a limit was
//! made is still read; only what is sent is judged.

use serde_json::Value;

/// The longest text or document. The store takes 1.5 MB, and a job is stored with what it was made of.
pub const DOCUMENT_BYTES: usize = 1024 * 1024;
/// How deep a document nests: nobody writes deeper by hand, and readers recurse.
pub const DEPTH: usize = 64;
/// How many values a document holds, each scalar, list and map: three letters of JSON take 100 bytes of memory.
pub const VALUES: usize = 50_000;
/// How many maps a document holds: the three letters of an empty one become a group of a kilobyte.
pub const MAPS: usize = 10_000;
/// How many maps stand in one list: lists are compared item by item with each other.
pub const LIST: usize = 1_000;

/// How many entries one map or block of a job file has: its parser compares each key with all before it.
pub const ENTRIES: usize = 2_000;
/// How long the way to a value is, all keys above it together: places and owners of fields are remembered by it.
pub const PATH_BYTES: usize = 1024;

/// How many groups a job has: each is planned by itself, with the job's own rules beside its own.
pub const GROUPS: usize = 250;
/// How many tasks a group has: all run on one node.
pub const TASKS: usize = 100;
/// How many tasks a job has: what job and groups lend their tasks is copied to each.
pub const TASKS_OF_JOB: usize = 1_000;
/// How much a job and a group may lend each of their tasks: the Vault block and the secrets, as JSON.
pub const LENT_BYTES: usize = 16 * 1024;
/// The longest name that others are made of, before anybody has looked whether it is one.
pub const NAME_BYTES: usize = 1024;
/// How many constraints, affinities, spreads or datacenters stand in one list: all are asked of every node.
pub const RULES: usize = 64;
/// How many rules hold for one instance, those of its job, its group and its tasks together.
pub const RULES_OF_INSTANCE: usize = 256;
/// How many values a spread lists: all are looked through for each node.
pub const TARGETS: usize = 128;
/// How many ports a group has: each looks for a free one beside those already found.
pub const PORTS: usize = 256;
/// How many services, checks, templates, artifacts, volumes and the like stand in one list.
pub const BLOCKS: usize = 256;
/// The longest attribute, value or glob of a rule: it is read anew for every node.
pub const RULE_BYTES: usize = 1024;

/// The longest regular expression: classes of letters cost the most, and 256 bytes hold a few dozen.
pub const PATTERN_BYTES: usize = 256;
/// How large a regular expression may become when it is compiled; `\w{10}` takes 400 kB.
pub const PATTERN_BUILT_BYTES: usize = 512 * 1024;
/// How many different regular expressions a job has: compiling one takes up to ten milliseconds.
pub const PATTERNS: usize = 32;

/// How many operations a JSON patch has.
pub const OPERATIONS: usize = 1_000;
/// How much all operations of a JSON patch may write together: `copy` doubles with a line.
pub const PATCHED_BYTES: usize = 4 * DOCUMENT_BYTES;
/// How many managers own fields of a document: an apply under a name of its own adds one.
pub const MANAGERS: usize = 64;
/// The longest name of a manager, as in Kubernetes.
pub const MANAGER_BYTES: usize = 128;
/// The longest label or field selector: it is asked of every document.
pub const SELECTOR_BYTES: usize = 4 * 1024;

/// How many values the evaluation of one text may build; loops within loops multiply.
pub const EVALUATED_VALUES: usize = 100_000;
/// How many bytes all values of one text may take together, those on the way included: texts that hold themselves
/// twice double with each line, and whatever is looked at once more is counted once more.
pub const EVALUATED_BYTES: usize = 32 * DOCUMENT_BYTES;
/// How many blocks one `dynamic` may write.
pub const DYNAMIC_BLOCKS: usize = 1024;

/// How many things are said about one document: after this many the rest is noise.
pub const COMPLAINTS: usize = 50;
/// How many fields that are not known are passed over: the document is read anew after each.
pub const UNKNOWN_FIELDS: usize = 50;

/// Why a document is too much, if it is: its size, its depth, the number of its values.
pub fn excess(document: &Value) -> Option<String> {
    let mut count = Count::default();
    count.take(document, (1, 0)).err()
}

/// About how many bytes a value is as JSON; never less than it has strings.
pub fn size_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size_bytes(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(field, value)| field.len() + size_bytes(value) + 4).sum::<usize>() + 2
        }
    }
}

/// How deep a value nests, itself counted.
pub fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => fields.values().map(depth).max().unwrap_or(0),
    };
    deepest + 1
}

/// What was met so far.
#[derive(Default)]
struct Count {
    values: usize,
    maps: usize,
    bytes: usize,
}

impl Count {
    fn take(&mut self, value: &Value, (depth, path_bytes): (usize, usize)) -> Result<(), String> {
        self.values += 1;
        if depth > DEPTH {
            return Err(format!("it is nested more than {DEPTH} levels deep"));
        }
        if path_bytes > PATH_BYTES {
            return Err(format!("the keys that lead to a value are longer than {PATH_BYTES} bytes"));
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => self.bytes += 4,
            Value::String(text) => self.bytes += text.len() + 2,
            Value::Array(items) => {
                let maps = items.iter().filter(|item| item.is_object()).count();
                if maps > LIST {
                    return Err(format!("a list of it holds {maps} maps; at most {LIST} are taken"));
                }
                items.iter().try_for_each(|item| self.take(item, (depth + 1, path_bytes)))?;
            }
            Value::Object(fields) => {
                self.maps += 1;
                for (field, value) in fields {
                    self.bytes += field.len() + 4;
                    self.take(value, (depth + 1, path_bytes + field.len()))?;
                }
            }
        }
        self.judge()
    }

    fn judge(&self) -> Result<(), String> {
        let Count { values, maps, bytes } = *self;
        if values > VALUES {
            return Err(format!("it holds more than {VALUES} values"));
        }
        if maps > MAPS {
            return Err(format!("it holds more than {MAPS} maps"));
        }
        if bytes > DOCUMENT_BYTES {
            return Err(format!("it is longer than {DOCUMENT_BYTES} bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_too_much_is_told_in_numbers() {
        let mut deep = json!(1);
        for _ in 0..DEPTH {
            deep = json!([deep]);
        }
        let maps = |count: usize| Value::Array(vec![json!({}); count]);
        let rows = [
            (deep, Some("it is nested more than 64 levels deep")),
            (json!({"a": vec![0; VALUES]}), Some("it holds more than 50000 values")),
            (maps(LIST + 1), Some("a list of it holds 1001 maps; at most 1000 are taken")),
            (json!(vec![maps(LIST); 11]), Some("it holds more than 10000 maps")),
            (json!({"a": "x".repeat(DOCUMENT_BYTES)}), Some("it is longer than 1048576 bytes")),
            (
                json!({"k".repeat(600): {"l".repeat(600): 1}}),
                Some("the keys that lead to a value are longer than 1024 bytes"),
            ),
            (json!({"a": [{"b": "c"}, null, 1.5]}), None),
        ];
        for (document, expected) in rows {
            assert_eq!(excess(&document).as_deref(), expected);
        }
    }

    #[test]
    fn sizes_are_about_those_of_the_text() {
        let value = json!({"a": [1, "two", {"three": null}], "b": true});
        let text = value.to_string().len();
        assert!((text..text * 2).contains(&size_bytes(&value)), "{} for {text}", size_bytes(&value));
        assert_eq!(depth(&value), 4);
    }
}
