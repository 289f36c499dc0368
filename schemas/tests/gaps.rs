//! One mistake is one error: whatever is misspelt or unreadable in a sound job, nothing that only follows from it
//! is said. (What is said about the rest of a broken file is in `broken/all_at_once.*`.)

use std::fs;
use std::path::Path;

use schemas::text::{self, Format, Options, Source};
use serde_json::{Value, json};

const FILES: [&str; 3] = ["tests/good/everything.hcl", "tests/good/web.hcl", "examples/web.hcl"];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("the file is there")
}

/// Everything wrong with a text.
fn errors(format: Format, text: &str) -> Vec<String> {
    let options = Options { format: Some(format), ..Options::default() };
    let checked = text::jobs(&Source::new("job", text), &options);
    checked.errors.iter().map(|error| format!("{}: {}", error.range.line, error.message)).collect()
}

/// The pointers of all fields of a document.
fn fields(value: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                found.push((at.to_owned(), key.clone()));
                fields(inner, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                fields(item, &format!("{at}/{position}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How many mistakes were made, and those that said more than one thing.
fn tally(made: impl Iterator<Item = (String, Vec<String>)>) -> (usize, Vec<String>) {
    let mut noisy = Vec::new();
    let mut count = 0;
    for (what, errors) in made {
        count += 1;
        if errors.len() > 1 {
            noisy.push(format!("{what}:\n  {}", errors.join("\n  ")));
        }
    }
    (count, noisy)
}

#[test]
fn a_mistake_in_a_document_is_one_error() {
    for file in FILES {
        let text = read(file);
        let parsed = text::job(&Source::new(file, text), &Options::default()).expect("the job is sound");
        let whole: Value = serde_json::from_str(&text::to_json(&parsed.job)).expect("it is JSON");
        let mut found = Vec::new();
        for part in ["metadata", "spec"] {
            fields(&whole[part], &format!("/{part}"), &mut found);
        }
        let mistakes = found.iter().flat_map(|(object, key)| {
            let misspelt = format!("{key}x");
            let map = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut broken = whole.clone();
                let map =
                    broken.pointer_mut(object).and_then(Value::as_object_mut).expect("it was found there");
                change(map);
                errors(Format::Json, &broken.to_string())
            };
            let renamed = map(&|map| {
                let value = map.remove(key).expect("it was found there");
                map.insert(misspelt.clone(), value);
            });
            let unreadable = map(&|map| {
                let value = if map[key].is_object() { json!(7) } else { json!({"x": {"y": []}}) };
                map.insert(key.clone(), value);
            });
            [(format!("{object}/{misspelt}"), renamed), (format!("{object}/{key} unreadable"), unreadable)]
        });
        let (count, noisy) = tally(mistakes);
        assert!(count > 20, "{file}: {count}");
        assert!(noisy.is_empty(), "{file}: {} of {count}:\n{}", noisy.len(), noisy.join("\n"));
    }
}

#[test]
fn a_mistake_in_a_job_file_is_one_error() {
    for file in FILES {
        let text = read(file);
        let lines: Vec<&str> = text.lines().collect();
        let with = |number: usize, line: String| {
            let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            lines[number] = line;
            errors(Format::Hcl, &(lines.join("\n") + "\n"))
        };
        let mistakes = lines.iter().enumerate().flat_map(|(number, line)| {
            let word = line.trim_start().split([' ', '=']).next().unwrap_or_default();
            let renamed = line.replacen(word, &format!("{word}x"), 1);
            let is_plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let assigned = line.split_once('=').filter(|(name, value)| {
                name.trim() == word
                    && !value.trim().is_empty()
                    && !value.trim_end().ends_with(['[', '{', '(', 'F'])
            });
            let unreadable = assigned.map(|(name, _)| format!("{name}= nonsense()"));
            let lines = [Some(renamed).filter(|_| is_plain), unreadable.filter(|_| is_plain)];
            lines.into_iter().flatten().map(|line| (line.clone(), with(number, line))).collect::<Vec<_>>()
        });
        let (count, noisy) = tally(mistakes);
        assert!(count > 20, "{file}: {count}");
        assert!(noisy.is_empty(), "{file}: {} of {count}:\n{}", noisy.len(), noisy.join("\n"));
    }
}
