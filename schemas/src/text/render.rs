//! Diagnostics as plain text: the line of the user's own file, underlined, and the way out.

use std::fmt::Write as _;

use super::diagnostic::{Diagnostic, Severity};
use super::source::Source;

/// Above this many allowed words the list helps nobody; the nearest ones are in the hint.
const ALLOWED_SHOWN: usize = 40;
/// Longer lines are cut around the place that is meant.
const LINE_SHOWN: usize = 160;

/// Prints diagnostics one after another, each with the line it speaks of where the source has it.
pub fn render(diagnostics: &[Diagnostic], source: &Source) -> String {
    let mut out = String::new();
    for (position, diagnostic) in diagnostics.iter().enumerate() {
        if position > 0 {
            out.push('\n');
        }
        one(&mut out, diagnostic, source);
    }
    out
}

fn one(out: &mut String, diagnostic: &Diagnostic, source: &Source) {
    let word = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    line(out, &format!("{word}: {}", diagnostic.message));
    let range = diagnostic.range;
    if range.line > 0 {
        line(out, &format!("  --> {}:{}:{}", diagnostic.file, range.line, range.column));
        if diagnostic.file == source.name() {
            snippet(out, source.line(range.line), range.line, range.column, range.length);
        }
    }
    if !diagnostic.allowed.is_empty() && diagnostic.allowed.len() <= ALLOWED_SHOWN {
        line(out, &format!("  allowed: {}", diagnostic.allowed.join(", ")));
    }
    if let Some(hint) = &diagnostic.hint {
        let mut lines = hint.lines();
        line(out, &format!("  help: {}", lines.next().unwrap_or_default()));
        for more in lines {
            line(out, &format!("        {more}"));
        }
    }
}

fn snippet(out: &mut String, text: &str, number: usize, column: usize, length: usize) {
    let characters: Vec<char> = text.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    let from = if characters.len() > LINE_SHOWN { column.saturating_sub(LINE_SHOWN / 2) } else { 0 };
    let shown: String = characters.iter().skip(from).take(LINE_SHOWN).collect();
    let before = column.saturating_sub(1).saturating_sub(from);
    let carets = length.min(LINE_SHOWN.saturating_sub(before)).max(1);
    let gutter = " ".repeat(number.to_string().len());
    line(out, &format!("{gutter} |"));
    line(out, format!("{number} | {shown}").trim_end());
    line(out, &format!("{gutter} | {}{}", " ".repeat(before), "^".repeat(carets)));
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_line_the_allowed_words_and_the_help() {
        let source = Source::new("web.hcl", "job \"web\" {\n  cuont = 3\n}\n");
        let diagnostic = source
            .error(&(14..19), "unknown key `cuont` in `group`")
            .allowed(["count", "task"])
            .nearest("cuont", ["count", "task"]);
        insta::assert_snapshot!(render(&[diagnostic], &source), @r"
        error: unknown key `cuont` in `group`
          --> web.hcl:2:3
          |
        2 |   cuont = 3
          |   ^^^^^
          allowed: count, task
          help: did you mean `count`?
        ");
    }
}
