//! The literal parts of templates, as HashiCorp's scanner delivers them.
//!
//! The parser crate decodes some of them too early (an indented heredoc) and some not at all (escapes
//! inside directives of a quoted string), so all of them are taken from the source text again: cut into
//! lines in a heredoc, trimmed at `~`, dedented for `<<-`, and unescaped.

use std::collections::BTreeMap;

use hcl_edit::Span as _;
use hcl_edit::template::{Directive, Element, Strip, Template};

use crate::text::diagnostic::Diagnostic;
use crate::text::source::{Source, Span};

/// How the literals of a template are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// Between double quotes, with backslash escapes.
    Quoted,
    /// `<<EOF`.
    Heredoc,
    /// `<<-EOF`: the indent common to all lines is removed.
    Indented,
}

/// The text of each literal by where it starts in the source.
pub(crate) type Literals = BTreeMap<usize, String>;

enum Token {
    Literal {
        start: usize,
        text: String,
    },
    /// An interpolation or a directive marker, with what its `~` do.
    Sequence {
        trims_before: bool,
        trims_after: bool,
    },
}

/// Decodes every literal of a template.
pub(crate) fn literals(
    source: &Source,
    template: &Template,
    quoting: Quoting,
) -> Result<Literals, Diagnostic> {
    let mut tokens = Vec::new();
    collect(source, template, quoting, &mut tokens)?;
    trim(&mut tokens);
    if quoting == Quoting::Indented {
        dedent(&mut tokens);
    }
    let mut literals = Literals::new();
    for token in tokens {
        if let Token::Literal { start, text } = token {
            literals.entry(start).or_default().push_str(&text);
        }
    }
    Ok(literals)
}

fn collect(
    source: &Source,
    template: &Template,
    quoting: Quoting,
    tokens: &mut Vec<Token>,
) -> Result<(), Diagnostic> {
    for element in template {
        match element {
            Element::Literal(literal) => {
                literal_tokens(source, &literal.span().unwrap_or_default(), quoting, tokens)?;
            }
            Element::Interpolation(interpolation) => tokens.push(sequence(interpolation.strip)),
            Element::Directive(directive) => directive_tokens(source, directive, quoting, tokens)?,
        }
    }
    Ok(())
}

fn directive_tokens(
    source: &Source,
    directive: &Directive,
    quoting: Quoting,
    tokens: &mut Vec<Token>,
) -> Result<(), Diagnostic> {
    match directive {
        Directive::If(directive) => {
            tokens.push(sequence(directive.if_expr.strip));
            collect(source, &directive.if_expr.template, quoting, tokens)?;
            if let Some(otherwise) = &directive.else_expr {
                tokens.push(sequence(otherwise.strip));
                collect(source, &otherwise.template, quoting, tokens)?;
            }
            tokens.push(sequence(directive.endif_expr.strip));
        }
        Directive::For(directive) => {
            tokens.push(sequence(directive.for_expr.strip));
            collect(source, &directive.for_expr.template, quoting, tokens)?;
            tokens.push(sequence(directive.endfor_expr.strip));
        }
    }
    Ok(())
}

fn sequence(strip: Strip) -> Token {
    Token::Sequence { trims_before: strip.strip_start(), trims_after: strip.strip_end() }
}

fn literal_tokens(
    source: &Source,
    span: &Span,
    quoting: Quoting,
    tokens: &mut Vec<Token>,
) -> Result<(), Diagnostic> {
    let raw = source.slice(span);
    if quoting == Quoting::Quoted {
        let text = unescape(source, span, raw)?;
        tokens.push(Token::Literal { start: span.start, text });
        return Ok(());
    }
    for line in raw.split_inclusive('\n') {
        let text = line.replace("$${", "${").replace("%%{", "%{");
        tokens.push(Token::Literal { start: span.start, text });
    }
    Ok(())
}

/// `~` eats the blanks of one neighbouring literal token, which in a heredoc is at most a line.
fn trim(tokens: &mut [Token]) {
    for at in 0..tokens.len() {
        let Token::Sequence { trims_before, trims_after } = tokens[at] else { continue };
        if trims_before
            && at > 0
            && let Token::Literal { text, .. } = &mut tokens[at - 1]
        {
            text.truncate(text.trim_end().len());
        }
        if trims_after && let Some(Token::Literal { text, .. }) = tokens.get_mut(at + 1) {
            *text = text.trim_start().to_owned();
        }
    }
}

fn dedent(tokens: &mut [Token]) {
    let mut indent = usize::MAX;
    let mut begins_line = true;
    let mut first_of_line = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Literal { text, .. } = token else {
            indent = if begins_line { 0 } else { indent };
            begins_line = false;
            continue;
        };
        if begins_line {
            let blanks = text.chars().take_while(|c| c.is_whitespace()).count();
            let blank_line = text.trim().is_empty() && text.ends_with('\n');
            if !blank_line {
                indent = indent.min(blanks);
                first_of_line.push(at);
            }
        }
        begins_line = text.ends_with('\n');
    }
    for at in first_of_line {
        if let Token::Literal { text, .. } = &mut tokens[at] {
            *text = text.chars().skip(indent).collect();
        }
    }
}

/// Decodes the escapes of a quoted literal and refuses what may not stand in one.
pub(crate) fn unescape(source: &Source, span: &Span, raw: &str) -> Result<String, Diagnostic> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.char_indices();
    while let Some((at, character)) = rest.next() {
        let here = span.start + at..span.start + at + character.len_utf8();
        match character {
            '\n' => {
                return Err(source
                    .error(&here, "a quoted string ends on the line where it begins")
                    .hint("close it with `\"`, or write a heredoc: `<<EOF` … `EOF`"));
            }
            '"' => return Err(source.error(&here, "this quote must be written `\\\"` inside a string")),
            '\\' => out.push(escape(source, span.start + at, &mut rest)?),
            '$' | '%' if raw[at + 1..].starts_with(&format!("{character}{{")) => {
                out.push(character);
                out.push('{');
                rest.nth(1);
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn escape(source: &Source, start: usize, rest: &mut std::str::CharIndices<'_>) -> Result<char, Diagnostic> {
    let letter = rest.next().map(|(_, letter)| letter);
    let mut code = |digits: usize| {
        let hex: String = rest.by_ref().take(digits).map(|(_, c)| c).collect();
        u32::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == digits).and_then(char::from_u32)
    };
    let decoded = match letter {
        Some('n') => Some('\n'),
        Some('r') => Some('\r'),
        Some('t') => Some('\t'),
        Some('"') => Some('"'),
        Some('\\') => Some('\\'),
        Some('u') => code(4),
        Some('U') => code(8),
        Some(_) | None => None,
    };
    decoded.ok_or_else(|| {
        source
            .error(&(start..start + 2), "this escape sequence is not known")
            .allowed(["\\n", "\\r", "\\t", "\\\"", "\\\\", "\\uNNNN", "\\UNNNNNNNN"])
            .hint("write `\\\\` for a backslash")
    })
}
