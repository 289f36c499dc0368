//! The rules of the house that no compiler checks, each a test of its own that says what to do when it fails.
//! They read the tree as it is: every Rust file as tokens, the README as text.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

const FILE_LINES: usize = 400;
const FILE_LINES_NEVER: usize = 600;
/// Files over the limit, with the length they had when this was accepted: entries may only shrink or go.
const LONG_FILES: &[(&str, usize)] = &[];
/// Lists are words between spaces: short to read, short to change.
const TOP_LEVEL: &str =
    "Cargo.lock Cargo.toml LICENSE Makefile README.md charts controllers schemas src tests";
/// Everything that waits, blocks, fails by itself or differs from run to run.
const WORLDLY: &str = "async_stream axum bollard clap encamp etcd_client futures hyper nix prometheus rand redb \
    reqwest rustix tokio tokio_stream tokio_util tower tower_http tracing std::env std::thread std::process";
const KINDS: &str = "schemas::job schemas::group schemas::task schemas::network schemas::service schemas::node \
    schemas::roster schemas::placement schemas::report schemas::deployment schemas::text";
const VAGUE: &str = "util utils helper helpers manager handler handlers common misc data info";
/// (who, what it must not name, why). `crate::` stands for the root package.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("schemas/src", WORLDLY, "words do no I/O"),
    ("controllers/", WORLDLY, "decisions do no I/O"),
    ("controllers/", "std::fs", "decisions do no I/O"),
    ("src/node/drivers", "crate::store crate::control crate::api crate::cli", "drivers know runtimes only"),
    ("src/node", "crate::control crate::cli", "the agent is a client of the API"),
    ("src/api", "crate::control crate::node crate::cli", "the API serves documents and decides nothing"),
    ("src/cli", "crate::api crate::control", "the CLI speaks HTTP like any other client"),
    ("src/store", "crate::api crate::control crate::node crate::cli", "the store knows bytes only"),
    ("src/control", "crate::api crate::node crate::cli", "control runs any controller"),
    ("src/cache", "crate::api crate::control crate::node crate::cli", "the cache follows any store"),
    ("src/forecast", WORLDLY, "a forecast is pure"),
    ("src/forecast", "crate::cache crate::store crate::control crate::api crate::node", "a forecast is pure"),
    ("src/store", KINDS, "the store knows no document kind"),
    ("src/control", KINDS, "control knows no document kind"),
    ("src/", "crate::main", "main is wiring"),
];

struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

/// Every Rust file of ours, by its path from the root.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for room in ["src", "schemas", "controllers", "tests"] {
        walk(&root().join(room), &mut found);
    }
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    let rust = found.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.map(|path| Source { path: relative(&path), text: fs::read_to_string(&path).unwrap() }).collect()
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

fn has_word(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|listed| listed == word)
}

#[track_caller]
fn expect_none(complaints: &[String], what_to_do: &str) {
    assert!(complaints.is_empty(), "\n{}\n{what_to_do}\n", complaints.join("\n"));
}

/// A token worth a rule: a word, a mark, or the edge of a group, with its line.
#[derive(Debug, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                into.push(Token { text: open.into(), line });
                flatten(group.stream(), into);
                into.push(Token { text: close.into(), line: group.span_close().start().line });
            }
            TokenTree::Ident(word) => into.push(Token { text: word.to_string(), line }),
            TokenTree::Punct(mark) => into.push(Token { text: mark.as_char().to_string(), line }),
            TokenTree::Literal(literal) => into.push(Token { text: literal.to_string(), line }),
        }
    }
}

fn tokens(source: &Source) -> Vec<Token> {
    let stream =
        TokenStream::from_str(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path));
    let mut flat = Vec::new();
    flatten(stream, &mut flat);
    flat
}

/// What the file is made of without its tests: these may read files and the environment.
fn without_tests(mut tokens: Vec<Token>) -> Vec<Token> {
    let opens = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let is_test = |window: &[Token]| window.iter().zip(opens).all(|(token, word)| token.text == word);
    if let Some(at) = tokens.windows(opens.len()).position(is_test) {
        tokens.truncate(at);
    }
    tokens
}

/// The first two segments of every path in the file, groups opened: `use crate::{api::x, store}` names two.
fn paths(tokens: &[Token]) -> Vec<(String, usize)> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let joins = |at: usize| text(at) == ":" && text(at + 1) == ":";
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let continues = at >= 2 && joins(at - 2);
        if continues || !joins(at + 1) {
            continue;
        }
        let first = text(at);
        found.push((first.to_owned(), tokens[at].line));
        if text(at + 3) != "{" {
            found.push((format!("{first}::{}", text(at + 3)), tokens[at].line));
            continue;
        }
        let (mut depth, mut inner) = (1, at + 4);
        while depth > 0 && inner < tokens.len() {
            let leads = depth == 1 && (text(inner - 1) == "," || inner == at + 4);
            if leads && !matches!(text(inner), "{" | "}") {
                found.push((format!("{first}::{}", text(inner)), tokens[inner].line));
            }
            depth += i32::from(text(inner) == "{") - i32::from(text(inner) == "}");
            inner += 1;
        }
    }
    found
}

#[test]
fn rooms_import_only_upwards() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| !source.path.contains("/tests/")) {
        let named = paths(&without_tests(tokens(source)));
        for (room, forbidden, why) in FORBIDDEN.iter().filter(|(room, ..)| source.path.starts_with(room)) {
            let hits = named.iter().filter(|(path, _)| has_word(forbidden, path));
            complaints.extend(
                hits.map(|(path, line)| {
                    format!("{}:{line}: {room} must not name `{path}`: {why}", source.path)
                }),
            );
        }
    }
    expect_none(
        &complaints,
        "The import table stands in tests/tidy.rs: move the code to the room that may know both.",
    );
}

#[test]
fn pure_rooms_are_not_async() {
    let pure = |path: &str| path.starts_with("schemas/src") || path.starts_with("controllers/");
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| pure(&source.path)) {
        let hits =
            tokens(source).into_iter().filter(|token| matches!(token.text.as_str(), "async" | "await"));
        complaints.extend(hits.map(|token| format!("{}:{}: `{}`", source.path, token.line, token.text)));
    }
    expect_none(
        &complaints,
        "Words and decisions wait for nothing: do this in src/ and hand over the value.",
    );
}

#[test]
fn controllers_know_only_plan_and_schemas() {
    let rooms: BTreeSet<String> = fs::read_dir(root().join("controllers"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let mut complaints = Vec::new();
    for room in &rooms {
        let manifest = fs::read_to_string(root().join("controllers").join(room).join("Cargo.toml")).unwrap();
        let named = manifest.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        let is_shared = |name: &str| ["plan", "fit"].contains(&name);
        let others = named.filter(|name| !is_shared(name) && rooms.contains(*name));
        complaints.extend(others.map(|other| format!("controllers/{room}/Cargo.toml depends on `{other}`")));
    }
    expect_none(&complaints, "Controllers meet in documents, never in code but that of `plan` and `fit`.");
}

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
        let index = source.path.ends_with("/lib.rs")
            || source.path.ends_with("/mod.rs")
            || source.path == "src/lib.rs";
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
    for source in sources().iter().filter(|source| source.path != "tests/tidy.rs") {
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

/// The paths of the code map: first words of the lines between "```text" after "## Code map" and "```".
fn code_map() -> Vec<String> {
    let readme = readme();
    let map = readme.split("## Code map").nth(1).expect("README.md has a section `## Code map`");
    let block = map.split("```").nth(1).expect("the code map is a fenced block");
    block.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_code_map_matches_the_tree() {
    let map = code_map();
    let mut complaints: Vec<String> = map
        .iter()
        .filter(|path| !root().join(path.trim_end_matches('/')).exists())
        .map(|path| format!("README.md names `{path}`, which does not exist"))
        .collect();
    for room in ["src", "controllers", "tests"] {
        for entry in fs::read_dir(root().join(room)).unwrap() {
            let entry = entry.unwrap().path();
            let path = format!("{}/", entry.strip_prefix(root()).unwrap().display());
            if entry.is_dir() && !map.contains(&path) {
                complaints.push(format!("README.md does not name `{path}`"));
            }
        }
    }
    expect_none(&complaints, "The code map in README.md lists every room, one line each.");
}

/// The campaigns that `.ci/campaign` knows: the labels of its choice.
fn campaigns() -> Vec<String> {
    let script = fs::read_to_string(root().join(".ci/campaign")).unwrap();
    let labels = script.lines().filter_map(|line| line.split_once(") # ").map(|(label, _)| label.to_owned()));
    labels.filter(|label| label.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')).collect()
}

#[test]
fn every_campaign_was_run() {
    let record = fs::read_to_string(root().join("tests/track-record.md")).unwrap();
    let rows: BTreeSet<&str> =
        record.lines().filter_map(|line| line.split('|').nth(2)).map(str::trim).collect();
    let campaigns = campaigns();
    assert!(!campaigns.is_empty(), ".ci/campaign names its campaigns as `NAME) # what it does`");
    let missing = campaigns.iter().filter(|campaign| !rows.contains(campaign.as_str()));
    let complaints: Vec<String> =
        missing.map(|campaign| format!("tests/track-record.md has no row of `{campaign}`")).collect();
    expect_none(&complaints, "Run it, `make campaign NAME`, and add the row that it prints.");
}

#[test]
fn what_the_readme_names_exists() {
    let readme = readme();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let words = readme.split(|letter: char| letter.is_whitespace() || "`()[],;:\"".contains(letter));
    let mut complaints = Vec::new();
    for word in words.filter(|word| word.starts_with("schemas/examples/")) {
        if !root().join(word.trim_end_matches('.')).exists() {
            complaints.push(format!("README.md names `{word}`, which does not exist"));
        }
    }
    for (_, target) in readme.match_indices("`make ").map(|(at, found)| readme.split_at(at + found.len())) {
        let target = target.split(['`', ' ']).next().unwrap();
        if !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))) {
            complaints.push(format!("README.md names `make {target}`, which the Makefile does not know"));
        }
    }
    expect_none(&complaints, "README.md makes true statements only.");
}
