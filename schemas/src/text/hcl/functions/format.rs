//! `format` and `formatlist`: the verbs of C's printf that job files use.

use super::collections::many;
use super::encoding;
use super::function::{Arguments, Function, Kind, Outcome, bounded, fault};
use crate::text::hcl::evaluate::MAX_TEXT_BYTES;
use crate::text::hcl::number::Numeric;
use crate::text::hcl::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    many("format", &[Kind::Text], Kind::Nullable, format),
    many("formatlist", &[Kind::Text], Kind::Nullable, format_list),
];

/// The widest field or longest fraction.
const MAX_WIDTH: usize = 1024;

/// A verb with its flags, as in `%-08.3f`.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag character of its own")]
struct Verb {
    minus: bool,
    plus: bool,
    space: bool,
    sharp: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    argument: Option<usize>,
    letter: char,
}

fn format(a: &Arguments) -> Outcome {
    formatted(a.text(0), a.rest(1)).map(Value::Text).or_else(|message| fault(0, message))
}

fn format_list(a: &Arguments) -> Outcome {
    let arguments = a.rest(1);
    let lengths: Vec<usize> = arguments
        .iter()
        .filter_map(|argument| if let Value::List(items) = argument { Some(items.len()) } else { None })
        .collect();
    let rows = lengths.first().copied().unwrap_or(1);
    if lengths.iter().any(|length| *length != rows) {
        return fault(1, "all lists must have one length");
    }
    let row = |at: usize| -> Vec<Value> {
        arguments
            .iter()
            .map(
                |argument| {
                    if let Value::List(items) = argument { items[at].clone() } else { argument.clone() }
                },
            )
            .collect()
    };
    let (mut lines, mut length) = (Vec::new(), 0);
    for at in 0..rows {
        let line = formatted(a.text(0), &row(at)).or_else(|message| fault(0, message))?;
        length += line.len();
        bounded(0, length)?;
        lines.push(Value::Text(line));
    }
    Ok(Value::List(lines))
}

fn formatted(pattern: &str, arguments: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = pattern;
    let mut next = 0;
    let mut explicit = false;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let (verb, length) = verb(&rest[at + 1..])?;
        rest = &rest[at + 1 + length..];
        if verb.letter == '%' {
            out.push('%');
            continue;
        }
        explicit |= verb.argument.is_some();
        let position = verb.argument.unwrap_or(next);
        let missing = || format!("`%{}` needs an argument number {}", verb.letter, position + 1);
        out.push_str(&one(&verb, arguments.get(position).ok_or_else(missing)?)?);
        if out.len() > MAX_TEXT_BYTES {
            return Err(format!("this makes a text of more than {MAX_TEXT_BYTES} bytes"));
        }
        next = position + 1;
    }
    out.push_str(rest);
    if next < arguments.len() && !explicit {
        return Err(format!("{} arguments are given, but the pattern uses {next}", arguments.len()));
    }
    Ok(out)
}

fn verb(text: &str) -> Result<(Verb, usize), String> {
    let mut verb = Verb::default();
    let mut rest = text;
    loop {
        match rest.chars().next() {
            Some('-') => verb.minus = true,
            Some('+') => verb.plus = true,
            Some(' ') => verb.space = true,
            Some('#') => verb.sharp = true,
            Some('0') => verb.zero = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    (verb.width, rest) = digits(rest);
    if let Some(fraction) = rest.strip_prefix('.') {
        let (precision, after) = digits(fraction);
        (verb.precision, rest) = (Some(precision), after);
    }
    if let Some(inside) = rest.strip_prefix('[') {
        let (number, after) = digits(inside);
        rest = after.strip_prefix(']').ok_or("`%[` needs a number and `]`")?;
        verb.argument = Some(number.checked_sub(1).ok_or("arguments are counted from 1")?);
    }
    if verb.width > MAX_WIDTH || verb.precision.unwrap_or(0) > MAX_WIDTH {
        return Err(format!("a field is at most {MAX_WIDTH} wide"));
    }
    verb.letter = rest.chars().next().ok_or("`%` at the end: write `%%` for a percent sign")?;
    let length = text.len() - rest.len() + verb.letter.len_utf8();
    Ok((verb, length))
}

fn digits(text: &str) -> (usize, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].parse().unwrap_or(if end == 0 { 0 } else { usize::MAX }), &text[end..])
}

fn one(verb: &Verb, value: &Value) -> Result<String, String> {
    let numeric = || {
        value.to_number().ok_or_else(|| format!("`%{}` needs a number, not {}", verb.letter, value.kind()))
    };
    let text =
        || value.to_text().ok_or_else(|| format!("`%{}` needs a string, not {}", verb.letter, value.kind()));
    let body = match verb.letter {
        'v' => default(verb, value),
        's' => clip(verb, &text()?),
        'q' => encoding::json_text(&clip(verb, &text()?)),
        't' => value
            .to_bool()
            .ok_or_else(|| format!("`%t` needs true or false, not {}", value.kind()))?
            .to_string(),
        'd' | 'b' | 'o' | 'x' | 'X' => whole(verb, numeric()?)?,
        'f' | 'F' => signed(verb, numeric()?, |n| format!("{n:.*}", verb.precision.unwrap_or(6))),
        'e' | 'E' => signed(verb, numeric()?, |n| exponent(n, verb.precision.unwrap_or(6), verb.letter)),
        'g' | 'G' => signed(verb, numeric()?, |n| n.to_string()),
        other => {
            return Err(format!("there is no verb `%{other}`; use %s, %d, %v, %q, %t, %f, %x, %b or %%"));
        }
    };
    Ok(pad(verb, &body))
}

fn default(verb: &Verb, value: &Value) -> String {
    match value {
        Value::Text(text) if !verb.sharp => clip(verb, text),
        Value::Number(number) => {
            signed(verb, *number, |n| Numeric::from_float(n).map_or_else(|| n.to_string(), |n| n.to_string()))
        }
        other @ (Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_)) => {
            encoding::json(other)
        }
    }
}

fn clip(verb: &Verb, text: &str) -> String {
    verb.precision.map_or_else(|| text.to_owned(), |most| text.chars().take(most).collect())
}

fn whole(verb: &Verb, number: Numeric) -> Result<String, String> {
    let Numeric::Whole(whole) = number else {
        return Err(format!("`%{}` needs a whole number, not {number}", verb.letter));
    };
    let size = whole.unsigned_abs();
    let digits = match verb.letter {
        'b' => format!("{size:b}"),
        'o' => format!("{size:o}"),
        'x' => format!("{size:x}"),
        'X' => format!("{size:X}"),
        _ => size.to_string(),
    };
    let prefix = match (verb.sharp, verb.letter) {
        (true, 'x') => "0x",
        (true, 'X') => "0X",
        (true, 'o') => "0",
        _ => "",
    };
    Ok(format!("{}{prefix}{digits}", sign(verb, whole < 0)))
}

fn signed(verb: &Verb, number: Numeric, show: impl Fn(f64) -> String) -> String {
    let float = number.as_float();
    let exact = match number {
        Numeric::Whole(whole) if matches!(verb.letter, 'v' | 'g') => whole.unsigned_abs().to_string(),
        Numeric::Whole(_) | Numeric::Float(_) => show(float.abs()),
    };
    format!("{}{exact}", sign(verb, float < 0.0))
}

fn sign(verb: &Verb, negative: bool) -> &'static str {
    match (negative, verb.plus, verb.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

fn exponent(number: f64, precision: usize, letter: char) -> String {
    let text = format!("{number:.precision$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}{letter}{sign}{:02}", power.abs())
}

fn pad(verb: &Verb, body: &str) -> String {
    let blanks = verb.width.saturating_sub(body.chars().count());
    let zeros = verb.zero && !verb.minus && !matches!(verb.letter, 's' | 'q' | 't');
    if verb.minus {
        format!("{body}{}", " ".repeat(blanks))
    } else if zeros {
        let digits = body.trim_start_matches(['+', '-', ' ']);
        format!("{}{}{digits}", &body[..body.len() - digits.len()], "0".repeat(blanks))
    } else {
        format!("{}{body}", " ".repeat(blanks))
    }
}
