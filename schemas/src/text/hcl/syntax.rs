//! HCL text to a syntax tree, with the parser's complaints put into the words of this project.

use hcl_edit::parser::Error;
use hcl_edit::structure::Body;

use super::weigh;
use crate::limits::ENTRIES;
use crate::text::diagnostic::Diagnostic;
use crate::text::source::{Source, Span};

/// Parses a text. The parser stops at the first error, so there is at most one.
pub(crate) fn parse(source: &Source) -> Result<Body, Diagnostic> {
    source.check_size()?;
    if let Some(at) = weigh::overfull(source.text()) {
        let message = format!("one map or block has more than {ENTRIES} entries");
        return Err(source.error(&(at..at + 1), message));
    }
    hcl_edit::parser::parse_body(source.text()).map_err(|error| explain(source, &error))
}

/// Whether a text parses.
pub(crate) fn check(source: &Source) -> Result<(), Diagnostic> {
    parse(source).map(drop)
}

fn explain(source: &Source, error: &Error) -> Diagnostic {
    let at = source.offset(error.location().line(), error.location().column());
    let here = at..at + 1;
    let message = error.message();
    if message.contains("nesting depth") || message.contains("chained binary operators") {
        return source.error(&here, "nested more than 64 levels deep");
    }
    if message.contains("found redefined") {
        let key = word_at(source, at);
        let message = format!("`{}` stands twice", source.slice(&key));
        return source.error(&key, message).hint("remove one of the two");
    }
    if let Some(heredoc) = unclosed_heredoc(source.text(), at) {
        let word = source.slice(&heredoc).trim_start_matches(['<', '-']).to_owned();
        return source
            .error(&heredoc, format!("this heredoc is not closed: no line says `{word}` alone"))
            .hint(format!("end the text with a line `{word}`"));
    }
    if let Some(diagnostic) = quoted_name(source, at).or_else(|| habit(source, at)) {
        return diagnostic;
    }
    let is_end = at >= source.text().trim_end().len();
    if let Some(open) = unclosed(source.text()).filter(|_| is_end) {
        let (what, close) =
            if source.text()[open..].starts_with('{') { ("block", '}') } else { ("list", ']') };
        return source
            .error(&(open..open + 1), format!("this {what} is not closed"))
            .hint(format!("add the missing `{close}`"));
    }
    if is_end {
        return source.error(&here, "the text ends too early");
    }
    match source.text()[at..].chars().next() {
        Some('\'') => {
            source.error(&here, "strings stand in double quotes").hint("write \"…\" instead of '…'")
        }
        Some(found) => {
            source.error(&here, format!("`{}` cannot stand here", shown(found))).hint(expected(message))
        }
        None => source.error(&here, "the text ends too early"),
    }
}

fn shown(character: char) -> String {
    if character == '\n' { "the end of the line".to_owned() } else { character.to_string() }
}

/// The parser's list of what it expected, which follows the word "expected".
fn expected(message: &str) -> String {
    let list = message.rsplit_once("expected ").map_or(message, |(_, list)| list);
    format!("expected {list}")
}

/// A quoted word where the name of an attribute is expected, as in JSON.
fn quoted_name(source: &Source, at: usize) -> Option<Diagnostic> {
    let rest = source.text().get(at..)?.strip_prefix('"')?;
    let (name, after) = rest.split_once('"')?;
    let value = after.trim_start_matches([' ', '\t']).strip_prefix(['=', ':'])?;
    let value = value.lines().next().unwrap_or_default().trim_end_matches([' ', '}', ',']).trim();
    let is_plain = !name.contains('\n') && name.starts_with(|first: char| first.is_alphabetic());
    let is_word = is_plain && name.chars().all(|letter| letter.is_alphanumeric() || "_-".contains(letter));
    let error = source.error(&(at..at + name.len() + 2), "the name of an attribute has no quotes");
    Some(if is_word {
        error.hint(format!("write `{name} = {value}`"))
    } else {
        error.hint(format!("a map may have such a key: write `… = {{ \"{name}\" = {value} }}`"))
    })
}

/// The opening of the heredoc before `at` that has no end.
fn unclosed_heredoc(text: &str, at: usize) -> Option<Span> {
    let start = text[..at].rfind("<<")?;
    let line = text[start..].lines().next()?;
    let word = line.trim_start_matches('<').trim_start_matches('-').trim();
    let is_word =
        !word.is_empty() && word.chars().all(|letter| letter.is_alphanumeric() || "_-".contains(letter));
    let is_closed = text[start + line.len()..].lines().any(|line| line.trim() == word);
    (is_word && !is_closed).then(|| start..start + line.trim_end().len())
}

/// Mistakes that come from other languages or from mixing up blocks and attributes.
fn habit(source: &Source, at: usize) -> Option<Diagnostic> {
    let number = source.range(&(at..at + 1)).line;
    let candidates = [number, number.saturating_sub(1)];
    candidates.into_iter().filter(|line| *line > 0).find_map(|line| {
        let text = source.line(line);
        let start = source.offset(line, 1) + text.len() - text.trim_start().len();
        habit_of_line(source, text.trim(), start, at)
    })
}

fn habit_of_line(source: &Source, text: &str, start: usize, at: usize) -> Option<Diagnostic> {
    let word_end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))?;
    let (word, rest) = text.split_at(word_end);
    let value = rest.trim();
    let span = start..start + word.len();
    let plausible = !word.is_empty() && (start..=start + text.len() + 1).contains(&at);
    if !plausible {
        return None;
    }
    if let Some(value) = value.strip_prefix(':') {
        let message = format!("`{word}:` is YAML; HCL writes an equals sign");
        return Some(source.error(&span, message).hint(format!("write `{word} = {}`", value.trim())));
    }
    let assigned = value.strip_prefix('=').unwrap_or(value).trim();
    let quotes = assigned.replace("\\\\", "").replace("\\\"", "").matches('"').count();
    if assigned.starts_with('"') && quotes % 2 == 1 {
        let quote = start + text.len() - assigned.len();
        let error = source.error(&(quote..start + text.len()), "this string is not closed");
        return Some(error.hint("add a closing `\"`, or write a heredoc: `<<EOF` … `EOF`"));
    }
    let is_value =
        value.starts_with('"') && value.len() > 1 && value.ends_with('"') && value.matches('"').count() == 2;
    let is_number = value.starts_with(|c: char| c.is_ascii_digit()) || value.starts_with('[');
    if is_value || is_number || matches!(value, "true" | "false") {
        let message = format!("`{word}` is an attribute and needs an equals sign");
        return Some(source.error(&span, message).hint(format!("write `{word} = {value}`")));
    }
    if let Some((before, inside)) = value.split_once('{')
        && !before.contains('=')
        && at > start + text.len() - inside.len()
        && let Some((inner, rest)) = inside.split_once('{')
        && !inner.contains('=')
    {
        let inner = inner.trim();
        let closed = |text: &'_ str| text.trim().strip_suffix('}').unwrap_or(text).trim().to_owned();
        let rest = closed(&closed(rest));
        let begin = start + text.len() - inside.trim_start().len();
        return Some(
            source
                .error(&(begin..begin + inner.len()), "a block inside a block cannot stand on its line")
                .hint(
                    format!(
                        "write\n{} {{\n  {inner} {{ {rest} }}\n}}",
                        format!("{word} {}", before.trim()).trim()
                    )
                    .replace("{  }", "{}"),
                ),
        );
    }
    let inside = value.split_once('{').and_then(|(before, inside)| {
        let one_line =
            !before.contains('=') && inside.matches(" =").count() > 1 && inside.trim_end().ends_with('}');
        one_line.then_some(())
    });
    inside.map(|()| {
        source
            .error(&(at..at + 1), "a block on one line holds at most one attribute")
            .hint("put each attribute on a line of its own")
    })
}

fn word_at(source: &Source, at: usize) -> Span {
    let rest = &source.text()[at.min(source.text().len())..];
    let skipped = rest.len() - rest.trim_start().len();
    let word = rest[skipped..].find(|c: char| c.is_whitespace() || "={:".contains(c));
    let start = at + skipped;
    start..start + word.unwrap_or(rest.len() - skipped).max(1)
}

/// Where the bracket that is never closed stands. A closing brace that stands further left than the line of
/// the bracket it would close tells that this bracket is the one.
fn unclosed(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => at = line_end(text, at),
            b'/' if bytes.get(at + 1) == Some(&b'/') => at = line_end(text, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = text[at..].find("*/").map_or(text.len(), |length| at + length + 1);
            }
            b'"' => at = string_end(bytes, at),
            b'<' if bytes.get(at + 1) == Some(&b'<') => at = heredoc_end(text, at),
            b'{' | b'[' => open.push((at, indent(text, at).0)),
            b'}' | b']' => {
                let (left, is_first) = indent(text, at);
                match open.pop() {
                    Some((opened, expected)) if is_first && left < expected => return Some(opened),
                    Some(_) | None => {}
                }
            }
            _ => {}
        }
        at += 1;
    }
    open.pop().map(|(opened, _)| opened)
}

/// How far back the beginning of a line is looked for: longer lines are not laid out by people.
const LONGEST_LINE: usize = 256;

/// How far the line of an offset is indented, and whether the offset is its first character.
fn indent(text: &str, at: usize) -> (usize, bool) {
    let before = &text.as_bytes()[at.saturating_sub(LONGEST_LINE)..at];
    let line = match before.iter().rposition(|byte| *byte == b'\n') {
        Some(newline) => &before[newline + 1..],
        None if before.len() == at => before,
        None => return (usize::MAX, false),
    };
    let blanks = line.len() - line.trim_ascii_start().len();
    (blanks, blanks == line.len())
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length)
}

/// The closing quote of the string that opens at `at`, or the end of its line.
pub(crate) fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' => return at,
            b'"' if depth == 0 => return at,
            b'$' | b'%' if bytes.get(at + 1) == Some(&b'{') => {
                depth += 1;
                at += 1;
            }
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    at
}

fn heredoc_end(text: &str, at: usize) -> usize {
    let Some((first, _)) = text[at..].split_once('\n') else { return text.len() };
    let word = first.trim_start_matches('<').trim_start_matches('-').trim();
    if word.is_empty() {
        return at + 1;
    }
    let mut end = at + first.len() + 1;
    for line in text[end..].split_inclusive('\n') {
        end += line.len();
        if line.trim() == word {
            break;
        }
    }
    end.saturating_sub(1)
}
