//! Functions over strings.

use super::{Arguments, Function, Kind, Outcome, fault};
use crate::text::hcl::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    text("upper", &[Kind::Text], |a, _| ok(a.text(0).chars().map(capital).collect::<String>())),
    text("lower", &[Kind::Text], |a, _| ok(a.text(0).to_lowercase())),
    text("title", &[Kind::Text], |a, _| ok(title(a.text(0)))),
    text("trimspace", &[Kind::Text], |a, _| ok(a.text(0).trim())),
    text("trim", &[Kind::Text, Kind::Text], |a, _| ok(a.text(0).trim_matches(|c| a.text(1).contains(c)))),
    text("trimprefix", &[Kind::Text, Kind::Text], |a, _| {
        ok(a.text(0).strip_prefix(a.text(1)).unwrap_or(a.text(0)))
    }),
    text("trimsuffix", &[Kind::Text, Kind::Text], |a, _| {
        ok(a.text(0).strip_suffix(a.text(1)).unwrap_or(a.text(0)))
    }),
    text("startswith", &[Kind::Text, Kind::Text], |a, _| Ok(Value::Bool(a.text(0).starts_with(a.text(1))))),
    text("endswith", &[Kind::Text, Kind::Text], |a, _| Ok(Value::Bool(a.text(0).ends_with(a.text(1))))),
    text("strcontains", &[Kind::Text, Kind::Text], |a, _| Ok(Value::Bool(a.text(0).contains(a.text(1))))),
    text("chomp", &[Kind::Text], |a, _| ok(a.text(0).trim_end_matches(['\n', '\r']))),
    text("strlen", &[Kind::Text], |a, _| Ok(Value::number(a.text(0).chars().count()))),
    text("strrev", &[Kind::Text], |a, _| ok(a.text(0).chars().rev().collect::<String>())),
    text("substr", &[Kind::Text, Kind::Number, Kind::Number], substr),
    text("replace", &[Kind::Text, Kind::Text, Kind::Text], |a, _| {
        ok(a.text(0).replace(a.text(1), a.text(2)))
    }),
    text("regex_replace", &[Kind::Text, Kind::Text, Kind::Text], regex_replace),
    text("regex", &[Kind::Text, Kind::Text], regex),
    text("regexall", &[Kind::Text, Kind::Text], regex_all),
    text("split", &[Kind::Text, Kind::Text], |a, _| Ok(split(a.text(0), a.text(1)))),
    text("indent", &[Kind::Number, Kind::Text], indent),
    Function {
        name: "join",
        required: &[Kind::Text, Kind::Texts],
        optional: &[],
        variadic: Some(Kind::Texts),
        run: join,
    },
];

const fn text(
    name: &'static str,
    required: &'static [Kind],
    run: fn(&Arguments, &super::Options) -> Outcome,
) -> Function {
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

fn substr(a: &Arguments, _: &super::Options) -> Outcome {
    let characters: Vec<char> = a.text(0).chars().collect();
    let (offset, length) = (a.whole(1)?, a.whole(2)?);
    let total = i64::try_from(characters.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 { (total + offset).max(0) } else { offset.min(total) };
    let end = if length < 0 { total } else { start.saturating_add(length).min(total) };
    let cut = |at: i64| usize::try_from(at).unwrap_or(0);
    ok(characters[cut(start)..cut(end).max(cut(start))].iter().collect::<String>())
}

fn compiled(a: &Arguments, at: usize) -> Result<regex::Regex, super::Fault> {
    match regex::RegexBuilder::new(a.text(at)).size_limit(1 << 20).build() {
        Ok(pattern) => Ok(pattern),
        Err(error) => fault(at, format!("not a regular expression: {error}")),
    }
}

fn regex_replace(a: &Arguments, _: &super::Options) -> Outcome {
    let pattern = compiled(a, 1)?;
    ok(pattern.replace_all(a.text(0), a.text(2)).into_owned())
}

fn regex(a: &Arguments, _: &super::Options) -> Outcome {
    let pattern = compiled(a, 0)?;
    match pattern.captures(a.text(1)) {
        Some(captures) => Ok(captured(&pattern, &captures)),
        None => fault(1, "the pattern does not match"),
    }
}

fn regex_all(a: &Arguments, _: &super::Options) -> Outcome {
    let pattern = compiled(a, 0)?;
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

fn split(separator: &str, text: &str) -> Value {
    if text.is_empty() && !separator.is_empty() {
        return Value::List(vec![Value::text("")]);
    }
    if separator.is_empty() {
        return Value::List(text.chars().map(|c| Value::text(c.to_string())).collect());
    }
    Value::List(text.split(separator).map(Value::text).collect())
}

fn indent(a: &Arguments, _: &super::Options) -> Outcome {
    let blanks = a.size(0)?;
    if blanks > 1024 {
        return fault(0, "at most 1024 blanks");
    }
    ok(a.text(1).replace('\n', &format!("\n{}", " ".repeat(blanks))))
}

fn join(a: &Arguments, _: &super::Options) -> Outcome {
    let mut parts = Vec::new();
    for at in 1..a.0.len() {
        parts.extend(a.list(at).iter().filter_map(Value::to_text));
    }
    ok(parts.join(a.text(0)))
}
