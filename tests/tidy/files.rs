//! How files are cut, named and written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::source::{Token, expect_none, has_word, root, sources, tokens};

const FILE_LINES: usize = 400;
const FILE_LINES_NEVER: usize = 600;
/// Files over the limit, with the length they had when this was accepted: entries may only shrink or go.
const LONG_FILES: &[(&str, usize)] = &[];
/// Lists are words between spaces: short to read, short to change.
const TOP_LEVEL: &str =
    "Cargo.lock Cargo.toml LICENSE Makefile README.md charts controllers schemas src tests";
const VAGUE: &str = "util utils helper helpers manager handler handlers common misc data info";
#[test]
fn top_level_is_as_decided() {
    let named =
        fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let complaints: Vec<String> = named
        .filter(|name| !name.starts_with('.') && name != "target" && !has_word(TOP_LEVEL, name))
        .map(|name| format!("{name} does not belong to the top level"))
        .collect();
    expect_none(
        &complaints,
        "A newcomer reads the top level first: put it in one of the rooms, or in a hidden folder.",
    );
}

#[test]
fn files_are_short() {
    let allowed: BTreeMap<&str, usize> = LONG_FILES.iter().copied().collect();
    let lengths: BTreeMap<String, usize> =
        sources().into_iter().map(|source| (source.path, source.text.lines().count())).collect();
    let mut complaints = Vec::new();
    for (path, lines) in &lengths {
        let limit = allowed.get(path.as_str()).copied().unwrap_or(FILE_LINES).min(FILE_LINES_NEVER);
        if *lines > limit {
            complaints.push(format!("{path} has {lines} lines, {limit} are allowed"));
        }
    }
    for (path, accepted) in allowed {
        let lines = lengths.get(path).copied().unwrap_or(0);
        if lines < accepted {
            complaints.push(format!(
                "{path} is down to {lines} lines: lower its entry in LONG_FILES, or remove it"
            ));
        }
    }
    expect_none(
        &complaints,
        "A file is named after the one thing it defines: give the second thing a file of its own.",
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    let complaints: Vec<String> = silent.map(|source| format!("{}:1: no `//!` line", source.path)).collect();
    expect_none(&complaints, "Start the file with a `//!` sentence: what it is and why it exists.");
}

#[test]
fn files_are_named_after_things() {
    let stem = |path: &str| Path::new(path).file_stem().unwrap().to_string_lossy().into_owned();
    let complaints: Vec<String> = sources()
        .iter()
        .filter(|source| has_word(VAGUE, &stem(&source.path)))
        .map(|source| format!("{} is named after nothing in particular", source.path))
        .collect();
    expect_none(&complaints, "Name the file after what it defines.");
}

#[test]
fn lib_and_mod_files_only_list() {
    let mut complaints = Vec::new();
    for source in sources() {
        let index = source.path.ends_with("/lib.rs") || source.path.ends_with("/mod.rs");
        if !index || source.path.starts_with("tests/") {
            continue;
        }
        let code = ["fn", "struct", "enum", "trait", "impl", "macro_rules", "static", "type"];
        let hit = tokens(&source).into_iter().find(|token| code.contains(&token.text.as_str()));
        complaints.extend(hit.map(|token| format!("{}:{}: `{}`", source.path, token.line, token.text)));
    }
    expect_none(
        &complaints,
        "lib.rs and mod.rs hold docs, `mod` and `pub use`: move the item to a file of its own name.",
    );
}

#[test]
fn nothing_is_put_off_or_silenced() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.path != "tests/tidy/files.rs") {
        for (number, line) in source.text.lines().enumerate() {
            let words = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "dbg!("];
            let hits = words.iter().filter(|word| line.contains(*word));
            complaints.extend(hits.map(|word| format!("{}:{}: {word}", source.path, number + 1)));
        }
        let flat = tokens(source);
        for at in 0..flat.len() {
            let is =
                |offset: usize, text: &str| flat.get(at + offset).is_some_and(|token| token.text == text);
            let opens = is(0, "#") && is(1, "[") || is(0, "#") && is(1, "!") && is(2, "[");
            let name = if is(1, "[") { 2 } else { 3 };
            if opens && (is(name, "allow") || is(name, "ignore")) {
                complaints.push(format!("{}:{}: `{}`", source.path, flat[at].line, flat[at + name].text));
            }
            let silent_expect = opens && is(name, "expect") && !reason_follows(&flat[at + name..]);
            if silent_expect {
                complaints.push(format!("{}:{}: `expect` without a reason", source.path, flat[at].line));
            }
        }
    }
    expect_none(
        &complaints,
        "Do it now or leave it out; silence a lint with #[expect(…, reason = \"…\")] only.",
    );
}

fn reason_follows(attribute: &[Token]) -> bool {
    attribute.iter().take_while(|token| token.text != "]").any(|token| token.text == "reason")
}
