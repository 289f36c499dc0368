//! The one way to lay out HCL: two blanks a level, equals signs in columns, no blanks at the ends of lines.
//!
//! Only blanks change. Comments, heredocs and the inside of strings stay as they are.

use super::diagnostic::Diagnostic;
use super::hcl;
use super::source::Source;

/// Lays out a file. A text that does not parse is refused as it is.
pub fn format_hcl(source: &Source) -> Result<String, Diagnostic> {
    hcl::check(source)?;
    Ok(lay_out(source.text()))
}

/// Lays out a text that parses.
pub(crate) fn lay_out(text: &str) -> String {
    let mut lines = scan(text);
    align(&mut lines);
    let mut out = String::with_capacity(text.len());
    let mut blank = true;
    for line in &lines {
        if line.is_blank() && blank {
            continue;
        }
        blank = line.is_blank();
        line.print(&mut out);
    }
    while out.ends_with("\n\n") && !lines.last().is_some_and(|line| line.is_verbatim) {
        out.pop();
    }
    out
}

/// A line cut into what is laid out separately.
#[derive(Default)]
struct Line {
    indent: usize,
    /// The whole text, or the name of an attribute.
    head: String,
    /// What follows the equals sign of an attribute.
    value: Option<String>,
    /// A comment at the end.
    comment: Option<String>,
    /// Blanks before the equals sign and before the comment.
    padding: (usize, usize),
    /// Within a heredoc or a long comment: printed as it is.
    is_verbatim: bool,
    /// Whether a bracket opened here goes on in the next line.
    is_open: bool,
    /// Whether the line belongs to a heredoc.
    is_heredoc: bool,
}

impl Line {
    fn is_blank(&self) -> bool {
        !self.is_verbatim && self.head.is_empty() && self.comment.is_none()
    }

    fn print(&self, out: &mut String) {
        if self.is_verbatim {
            out.push_str(&self.head);
            out.push('\n');
            return;
        }
        let mut line = " ".repeat(2 * self.indent) + &self.head;
        if let Some(value) = &self.value {
            line.push_str(&" ".repeat(self.padding.0));
            line.push_str(" = ");
            line.push_str(value);
        }
        if let Some(comment) = &self.comment {
            let is_alone = self.head.is_empty();
            line.push_str(&" ".repeat(if is_alone { 0 } else { self.padding.1 + 1 }));
            line.push_str(comment);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }

    /// The width up to a comment.
    fn width(&self) -> usize {
        let value = self.value.as_ref().map_or(0, |value| self.padding.0 + 3 + value.chars().count());
        self.head.chars().count() + value
    }
}

/// What the end of a line leaves open.
#[derive(Default)]
struct State {
    /// For every open bracket, the indent of the line that opened it.
    brackets: Vec<usize>,
    heredoc: Option<String>,
    in_comment: bool,
}

fn scan(text: &str) -> Vec<Line> {
    let mut state = State::default();
    text.lines().map(|line| scan_line(line, &mut state)).collect()
}

fn scan_line(line: &str, state: &mut State) -> Line {
    let verbatim = |line: &str| Line { head: line.to_owned(), is_verbatim: true, ..Line::default() };
    if let Some(end) = state.heredoc.take() {
        if closes(line, &end) {
            let indent = state.brackets.last().map_or(0, |indent| indent + 1);
            scan_code(&line.trim_start()[end.len()..], indent, state);
        } else {
            state.heredoc = Some(end);
        }
        return Line { is_heredoc: true, ..verbatim(line) };
    }
    if state.in_comment {
        state.in_comment = !line.contains("*/");
        return verbatim(line.trim_end());
    }
    let text = line.trim();
    let closing = text.chars().take_while(|c| matches!(c, '}' | ']' | ')')).count();
    let depth = state.brackets.len();
    let indent = match depth.checked_sub(closing) {
        Some(left) if closing > 0 => state.brackets[left],
        Some(_) | None => state.brackets.last().map_or(0, |indent| indent + 1),
    };
    let code = scan_code(text, indent, state);
    let (code_text, comment) = text.split_at(code);
    let comment = Some(comment.trim_end()).filter(|comment| !comment.is_empty()).map(str::to_owned);
    let is_open = state.brackets.len() > depth;
    let (head, value) = match assignment(code_text.trim_end()) {
        Some((head, value)) => (head.to_owned(), Some(value.to_owned())),
        None => (spaced(code_text.trim_end()), None),
    };
    Line { indent, head, value, comment, is_open, ..Line::default() }
}

/// Whether a line ends a heredoc and goes on, as in `EOT)`.
fn closes(line: &str, end: &str) -> bool {
    line.trim_start()
        .strip_prefix(end)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-')))
}

/// Follows the brackets, strings and heredocs of one line of code; where its comment begins.
fn scan_code(text: &str, indent: usize, state: &mut State) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => return at,
            b'/' if bytes.get(at + 1) == Some(&b'/') => return at,
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let Some(length) = text[at..].find("*/") else {
                    state.in_comment = true;
                    return at;
                };
                at += length + 1;
            }
            b'"' => at = hcl::string_end(bytes, at),
            b'<' if bytes.get(at + 1) == Some(&b'<') => {
                let word = text[at + 2..].trim_start_matches('-').trim();
                state.heredoc = Some(word.to_owned());
                return text.len();
            }
            b'{' | b'[' | b'(' => state.brackets.push(indent),
            b'}' | b']' | b')' => {
                state.brackets.pop();
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// The two sides of `name = value`; nothing for any other line.
fn assignment(code: &str) -> Option<(&str, &str)> {
    let end = if code.starts_with('"') {
        hcl::string_end(code.as_bytes(), 0) + 1
    } else {
        code.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))?
    };
    let (head, rest) = code.split_at_checked(end)?;
    let value = rest.trim_start().strip_prefix('=')?;
    let is_assignment = !head.is_empty() && !value.starts_with(['=', '>']);
    is_assignment.then(|| (head, value.trim_start()))
}

/// The header of a block with one blank between its words.
fn spaced(code: &str) -> String {
    let Some(header) = code.strip_suffix('{') else { return code.to_owned() };
    let mut words = Vec::new();
    let mut rest = header.trim();
    while !rest.is_empty() {
        let end = if rest.starts_with('"') {
            hcl::string_end(rest.as_bytes(), 0) + 1
        } else {
            rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len())
        };
        if end == 0 || end > rest.len() {
            return code.to_owned();
        }
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    let is_header = !words.is_empty() && !words[0].starts_with('"');
    if is_header { format!("{} {{", words.join(" ")) } else { code.to_owned() }
}

/// Puts the equals signs of neighbouring attributes into one column, and then their comments. An attribute
/// whose value goes on below stands for itself; a heredoc does not part its neighbours.
fn align(lines: &mut [Line]) {
    let mut run: Vec<usize> = Vec::new();
    for at in 0..lines.len() {
        let line = &lines[at];
        if line.is_heredoc {
            continue;
        }
        let belongs = line.value.is_some() && !line.is_verbatim && !line.is_open;
        if !belongs || run.last().is_some_and(|last| lines[*last].indent != line.indent) {
            pad(lines, &run);
            run.clear();
        }
        if belongs {
            run.push(at);
        }
    }
    pad(lines, &run);
    comments(lines);
}

fn pad(lines: &mut [Line], run: &[usize]) {
    let width = run.iter().map(|at| lines[*at].head.chars().count()).max().unwrap_or(0);
    for at in run {
        lines[*at].padding.0 = width - lines[*at].head.chars().count();
    }
}

fn comments(lines: &mut [Line]) {
    let carries = |line: &Line| line.comment.is_some() && !line.head.is_empty() && !line.is_verbatim;
    let mut from = 0;
    while from < lines.len() {
        let mut to = from;
        while to < lines.len() && carries(&lines[to]) && lines[to].indent == lines[from].indent {
            to += 1;
        }
        let width = lines[from..to].iter().map(Line::width).max().unwrap_or(0);
        for line in &mut lines[from..to] {
            line.padding.1 = width - line.width();
        }
        from = to.max(from + 1);
    }
}
