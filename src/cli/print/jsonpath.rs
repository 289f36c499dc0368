//! kubectl's JSONPath templates: text with `{…}` in it, where `…` is a path, a quoted text, or
//! `range PATH` … `end`. The paths themselves are RFC 9535's, which kubectl's nearly are.

use serde_json::Value;
use serde_json_path::JsonPath;

use crate::connection::CliError;

/// Fills a template in.
pub(crate) fn render(template: &str, value: &Value) -> Result<String, CliError> {
    let template = if template.contains('{') { template.to_owned() } else { format!("{{{template}}}") };
    let pieces = pieces(&template)?;
    let mut text = String::new();
    fill(&pieces, value, value, &mut text)?;
    Ok(text)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Path(String),
    Range(String),
    End,
}

fn pieces(template: &str) -> Result<Vec<Piece>, CliError> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            pieces.push(Piece::Text(rest[..open].to_owned()));
        }
        let close = closing(&rest[open..])
            .ok_or_else(|| CliError::failed(format!("jsonpath {template:?}: a `{{` is not closed")))?;
        pieces.push(piece(rest[open + 1..open + close].trim()));
        rest = &rest[open + close + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// Where the `}` of the `{` at the start is, braces in quotes left out.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, letter)| {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '}') => return Some(at),
            (None | Some(_), _) => {}
        }
        None
    })
}

fn piece(inner: &str) -> Piece {
    if let Some(path) = inner.strip_prefix("range ") {
        return Piece::Range(path.trim().to_owned());
    }
    match inner {
        "end" => Piece::End,
        _ if inner.starts_with('"') => {
            Piece::Text(serde_json::from_str(inner).unwrap_or_else(|_| inner.trim_matches('"').to_owned()))
        }
        _ if inner.starts_with('\'') => Piece::Text(inner.trim_matches('\'').to_owned()),
        _ => Piece::Path(inner.to_owned()),
    }
}

fn fill(pieces: &[Piece], root: &Value, here: &Value, text: &mut String) -> Result<(), CliError> {
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        at += 1;
        match piece {
            Piece::Text(words) => text.push_str(words),
            Piece::Path(path) => {
                let found: Vec<String> = query(path, root, here)?.into_iter().map(shown).collect();
                text.push_str(&found.join(" "));
            }
            Piece::Range(path) => {
                let body = body_of(&pieces[at..]);
                for item in query(path, root, here)? {
                    fill(&pieces[at..at + body], root, item, text)?;
                }
                at += body + 1;
            }
            Piece::End => {}
        }
    }
    Ok(())
}

/// How many pieces stand before the `end` of this range.
fn body_of(pieces: &[Piece]) -> usize {
    let mut depth = 0;
    let end = pieces.iter().position(|piece| match piece {
        Piece::Range(_) => {
            depth += 1;
            false
        }
        Piece::End if depth == 0 => true,
        Piece::End => {
            depth -= 1;
            false
        }
        Piece::Text(_) | Piece::Path(_) => false,
    });
    end.unwrap_or(pieces.len())
}

fn query<'v>(path: &str, root: &'v Value, here: &'v Value) -> Result<Vec<&'v Value>, CliError> {
    let (start, path) = match path.strip_prefix('$') {
        Some(rest) => (root, rest),
        None => (here, path.trim_start_matches('@')),
    };
    // kubectl lets a first dot be left out, and escapes dots in names with a backslash.
    let dotted =
        if path.is_empty() || path.starts_with(['.', '[']) { path.to_owned() } else { format!(".{path}") };
    let path = if dotted == "." { "$".to_owned() } else { format!("${}", bracketed(&dotted)) };
    let parsed =
        JsonPath::parse(&path).map_err(|error| CliError::failed(format!("jsonpath {path:?}: {error}")))?;
    Ok(parsed.query(start).all())
}

/// `.metadata.labels.a\.b` and `.x-y` as RFC 9535 wants them: names with odd letters in brackets.
fn bracketed(path: &str) -> String {
    let mut out = String::new();
    let mut letters = path.chars().peekable();
    while let Some(letter) = letters.next() {
        let starts_name =
            letter == '.' && letters.peek().is_some_and(|next| !matches!(next, '.' | '*' | '['));
        if !starts_name {
            if letter == '[' {
                out.push(letter);
                let mut depth = 1;
                for inner in letters.by_ref() {
                    out.push(inner);
                    match inner {
                        '[' => depth += 1,
                        ']' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
                continue;
            }
            out.push(letter);
            continue;
        }
        let mut name = String::new();
        while let Some(next) = letters.peek().copied() {
            match next {
                '\\' => {
                    letters.next();
                    name.extend(letters.next());
                }
                '.' | '[' => break,
                _ => {
                    name.push(next);
                    letters.next();
                }
            }
        }
        let is_after_dots = out.ends_with('.');
        let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
        out.push_str(&if is_after_dots { format!(".['{quoted}']") } else { format!("['{quoted}']") });
    }
    out
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kubectl_templates() {
        let list = json!({"items": [
            {"metadata": {"name": "a", "labels": {"x.y/z": "1"}}, "status": {"conditions": [
                {"type": "Available", "status": "True"}, {"type": "Placed", "status": "False"}]}},
            {"metadata": {"name": "b-c"}, "n": 7},
        ]});
        for (template, wanted) in [
            ("{.items[*].metadata.name}", "a b-c"),
            ("{.items[1].n}", "7"),
            (".items[0].metadata.name", "a"),
            ("{range .items[*]}{.metadata.name}{\"\\n\"}{end}", "a\nb-c\n"),
            ("{.items[0].metadata.labels.x\\.y/z}", "1"),
            ("{.items[0].status.conditions[?(@.type==\"Available\")].status}", "True"),
            ("{.items[0].missing}", ""),
            ("n={.items[1]['n']}!", "n=7!"),
        ] {
            assert_eq!(render(template, &list).unwrap(), wanted, "{template}");
        }
        assert!(render("{.items", &list).is_err());
    }
}
