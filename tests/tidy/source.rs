//! The tree as it is: every Rust file as tokens, the README as text.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub(crate) struct Source {
    /// From the root.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
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
pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for room in ["src", "schemas", "controllers", "tests"] {
        walk(&root().join(room), &mut found);
    }
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    let rust = found.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.map(|path| Source { path: relative(&path), text: fs::read_to_string(&path).unwrap() }).collect()
}

pub(crate) fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

pub(crate) fn has_word(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|listed| listed == word)
}

#[track_caller]
pub(crate) fn expect_none(complaints: &[String], what_to_do: &str) {
    assert!(complaints.is_empty(), "\n{}\n{what_to_do}\n", complaints.join("\n"));
}

/// A token worth a rule: a word, a mark, or the edge of a group, with its line.
#[derive(Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

pub(crate) fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
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

pub(crate) fn tokens(source: &Source) -> Vec<Token> {
    let stream =
        TokenStream::from_str(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path));
    let mut flat = Vec::new();
    flatten(stream, &mut flat);
    flat
}

/// What the file is made of without its tests: these may read files and the environment.
pub(crate) fn without_tests(mut tokens: Vec<Token>) -> Vec<Token> {
    let opens = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let is_test = |window: &[Token]| window.iter().zip(opens).all(|(token, word)| token.text == word);
    if let Some(at) = tokens.windows(opens.len()).position(is_test) {
        tokens.truncate(at);
    }
    tokens
}

/// The first two segments of every path in the file, groups opened: `use crate::{api::x, store}` names two.
pub(crate) fn paths(tokens: &[Token]) -> Vec<(String, usize)> {
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
