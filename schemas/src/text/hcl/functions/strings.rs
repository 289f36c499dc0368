//! Functions over strings.

use super::function::{Arguments, Function, Kind, Outcome, bounded, fault};
use crate::pattern;
use crate::text::hcl::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    text("upper", &[Kind::Text], |a| ok(a.text(0).chars().map(capital).collect::<String>())),
    text("lower", &[Kind::Text], |a| ok(a.text(0).to_lowercase())),
    text("title", &[Kind::Text], |a| ok(title(a.text(0)))),
    text("trimspace", &[Kind::Text], |a| ok(a.text(0).trim())),
    text("trim", &[Kind::Text, Kind::Text], |a| ok(a.text(0).trim_matches(|c| a.text(1).contains(c)))),
    text("trimprefix", &[Kind::Text, Kind::Text], |a| {
        ok(a.text(0).strip_prefix(a.text(1)).unwrap_or(a.text(0)))
    }),
    text("trimsuffix", &[Kind::Text, Kind::Text], |a| {
        ok(a.text(0).strip_suffix(a.text(1)).unwrap_or(a.text(0)))
    }),
    text("startswith", &[Kind::Text, Kind::Text], |a| Ok(Value::Bool(a.text(0).starts_with(a.text(1))))),
    text("endswith", &[Kind::Text, Kind::Text], |a| Ok(Value::Bool(a.text(0).ends_with(a.text(1))))),
    text("strcontains", &[Kind::Text, Kind::Text], |a| Ok(Value::Bool(a.text(0).contains(a.text(1))))),
    text("chomp", &[Kind::Text], |a| ok(a.text(0).trim_end_matches(['\n', '\r']))),
    text("strlen", &[Kind::Text], |a| Ok(Value::number(a.text(0).chars().count()))),
    text("strrev", &[Kind::Text], |a| ok(a.text(0).chars().rev().collect::<String>())),
    text("substr", &[Kind::Text, Kind::Number, Kind::Number], substr),
    text("replace", &[Kind::Text, Kind::Text, Kind::Text], replace),
    text("regex_replace", &[Kind::Text, Kind::Text, Kind::Text], regex_replace),
    text("regex", &[Kind::Text, Kind::Text], regex),
    text("regexall", &[Kind::Text, Kind::Text], regex_all),
    text("split", &[Kind::Text, Kind::Text], |a| Ok(split(a.text(0), a.text(1)))),
    text("basename", &[Kind::Text], |a| ok(base(a.text(0)))),
    text("dirname", &[Kind::Text], |a| ok(folder(a.text(0)))),
    text("indent", &[Kind::Number, Kind::Text], indent),
    Function {
        name: "join",
        required: &[Kind::Text, Kind::Texts],
        optional: &[],
        variadic: Some(Kind::Texts),
        run: join,
    },
];

const fn text(name: &'static str, required: &'static [Kind], run: fn(&Arguments) -> Outcome) -> Function {
    Function { name, required, optional: &[], variadic: None, run }
}

#[expect(clippy::unnecessary_wraps, reason = "every function of the table has an outcome")]
fn ok(text: impl Into<String>) -> Outcome {
    Ok(Value::Text(text.into()))
}

/// The capital of a letter, where it is one letter: `ß` stays as it is.
fn capital(letter: char) -> char {
    let mut capital = letter.to_uppercase();
    match (capital.next(), capital.next()) {
        (Some(single), None) => single,
        (_, _) => letter,
    }
}

/// Every word begins with a capital; a word begins after anything that is neither letter, digit nor `_`.
fn title(text: &str) -> String {
    let mut within_word = false;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if within_word {
            out.push(character);
        } else {
            out.push(capital(character));
        }
        within_word = character.is_alphanumeric() || character == '_';
    }
    out
}

fn substr(a: &Arguments) -> Outcome {
    let characters: Vec<char> = a.text(0).chars().collect();
    let (offset, length) = (a.whole(1)?, a.whole(2)?);
    let total = i64::try_from(characters.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 { (total + offset).max(0) } else { offset.min(total) };
    let end = if length < 0 { total } else { start.saturating_add(length).min(total) };
    let cut = |at: i64| usize::try_from(at).unwrap_or(0);
    ok(characters[cut(start)..cut(end).max(cut(start))].iter().collect::<String>())
}

fn replace(a: &Arguments) -> Outcome {
    let found = a.text(0).matches(a.text(1)).count();
    bounded(0, found.saturating_mul(a.text(2).len()))?;
    ok(a.text(0).replace(a.text(1), a.text(2)))
}

/// Which argument of a function is a regular expression.
pub(super) fn pattern_of(function: &str) -> Option<usize> {
    match function {
        "regex" | "regexall" => Some(0),
        "regex_replace" => Some(1),
        _ => None,
    }
}

fn compiled(a: &Arguments, at: usize) -> Result<regex::Regex, super::function::Fault> {
    pattern::regex(a.text(at)).or_else(|message| fault(at, message))
}

fn regex_replace(a: &Arguments) -> Outcome {
    let pattern = compiled(a, 1)?;
    // A replacement may name what was found once for each `$` in it.
    let names = a.text(2).matches('$').count();
    let made = pattern.find_iter(a.text(0)).map(|found| a.text(2).len() + names.saturating_mul(found.len()));
    bounded(0, made.fold(0, usize::saturating_add))?;
    ok(pattern.replace_all(a.text(0), a.text(2)).into_owned())
}

fn regex(a: &Arguments) -> Outcome {
    let pattern = compiled(a, 0)?;
    bounded(1, pattern.captures_len().saturating_mul(a.text(1).len()))?;
    match pattern.captures(a.text(1)) {
        Some(captures) => Ok(captured(&pattern, &captures)),
        None => fault(1, "the pattern does not match"),
    }
}

fn regex_all(a: &Arguments) -> Outcome {
    let pattern = compiled(a, 0)?;
    bounded(1, pattern.captures_len().saturating_mul(a.text(1).len()))?;
    Ok(Value::List(pattern.captures_iter(a.text(1)).map(|captures| captured(&pattern, &captures)).collect()))
}

/// The match itself, or its groups: by name where they have names, else in order.
fn captured(pattern: &regex::Regex, captures: &regex::Captures<'_>) -> Value {
    let group =
        |found: Option<regex::Match<'_>>| found.map_or(Value::Null, |found| Value::text(found.as_str()));
    if captures.len() == 1 {
        return group(captures.get(0));
    }
    let named: Vec<_> = pattern.capture_names().flatten().collect();
    if named.is_empty() {
        return Value::List((1..captures.len()).map(|at| group(captures.get(at))).collect());
    }
    Value::Map(named.into_iter().map(|name| (name.to_owned(), group(captures.name(name)))).collect())
}

/// The last part of a path.
fn base(path: &str) -> &str {
    match (path, path.trim_end_matches('/')) {
        ("", _) => ".",
        (_, "") => "/",
        (_, trimmed) => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

/// A path without its last part, and without detours.
fn folder(path: &str) -> String {
    let outer = path.rsplit_once('/').map_or("", |(outer, _)| outer);
    let mut parts: Vec<&str> = Vec::new();
    for part in outer.split('/') {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", None) if path.starts_with('/') => {}
            ("..", Some(last)) if *last != ".." => drop(parts.pop()),
            (_, _) => parts.push(part),
        }
    }
    match (path.starts_with('/'), parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

fn split(separator: &str, text: &str) -> Value {
    if text.is_empty() && !separator.is_empty() {
        return Value::List(vec![Value::text("")]);
    }
    if separator.is_empty() {
        return Value::List(text.chars().map(|c| Value::text(c.to_string())).collect());
    }
    Value::List(text.split(separator).map(Value::text).collect())
}

fn indent(a: &Arguments) -> Outcome {
    let blanks = a.size(0)?;
    if blanks > 1024 {
        return fault(0, "at most 1024 blanks");
    }
    bounded(1, a.text(1).matches('\n').count().saturating_mul(blanks))?;
    ok(a.text(1).replace('\n', &format!("\n{}", " ".repeat(blanks))))
}

fn join(a: &Arguments) -> Outcome {
    let mut parts = Vec::new();
    for at in 1..a.0.len() {
        parts.extend(a.list(at).iter().filter_map(Value::to_text));
    }
    bounded(0, parts.len().saturating_mul(a.text(0).len()))?;
    ok(parts.join(a.text(0)))
}
