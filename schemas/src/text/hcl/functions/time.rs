//! Functions over times that are given; none asks what time it is.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::collections::plain;
use super::function::{Arguments, Fault, Function, Kind, Outcome, fault};
use crate::duration::Duration;
use crate::text::hcl::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("timeadd", &[Kind::Text, Kind::Text], add),
    plain("formatdate", &[Kind::Text, Kind::Text], format_date),
];

/// Reads an RFC 3339 time and keeps the offset it was written with.
fn time(a: &Arguments, at: usize) -> Result<jiff::Zoned, Fault> {
    let text = a.text(at);
    let parsed = jiff::fmt::temporal::Pieces::parse(text).ok().and_then(|pieces| {
        let offset = pieces.to_numeric_offset()?;
        let timestamp: Timestamp = text.parse().ok()?;
        Some(timestamp.to_zoned(TimeZone::fixed(offset)))
    });
    parsed.map_or_else(|| fault(at, format!("`{text}` is not a time such as 2026-01-31T12:00:00Z")), Ok)
}

fn add(a: &Arguments) -> Outcome {
    let start = time(a, 0)?;
    let Ok(duration) = a.text(1).parse::<Duration>() else {
        return fault(1, format!("`{}` is not a duration such as 1h30m", a.text(1)));
    };
    let span = jiff::SignedDuration::from_nanos(duration.as_nanoseconds());
    match start.checked_add(span) {
        Ok(later) => {
            Ok(Value::Text(format!("{}{}", later.strftime("%Y-%m-%dT%H:%M:%S"), zone(&later, true))))
        }
        Err(_) => fault(1, "the time is out of range"),
    }
}

fn zone(time: &jiff::Zoned, colon: bool) -> String {
    if time.offset().is_zero() {
        return "Z".to_owned();
    }
    time.strftime(if colon { "%:z" } else { "%z" }).to_string()
}

fn format_date(a: &Arguments) -> Outcome {
    let time = time(a, 1)?;
    let mut out = String::new();
    let mut rest = a.text(0);
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let Some((text, after)) = quoted(&rest[1..]) else { return fault(0, "a quote is not closed") };
            out.push_str(&text);
            rest = after;
            continue;
        }
        let length = rest.find(|c| c != first).unwrap_or(rest.len());
        let (token, after) = rest.split_at(length);
        rest = after;
        if !first.is_ascii_alphabetic() {
            out.push_str(token);
            continue;
        }
        match field(token, &time) {
            Some(text) => out.push_str(&text),
            None => {
                return fault(0, format!("there is no date field `{token}`; put words into single quotes"));
            }
        }
    }
    Ok(Value::Text(out))
}

/// The text up to the closing quote, where two quotes stand for one, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut rest = text;
    loop {
        let at = rest.find('\'')?;
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                out.push('\'');
                rest = after;
            }
            None => return Some((out, rest)),
        }
    }
}

fn field(token: &str, time: &jiff::Zoned) -> Option<String> {
    let pattern = match token {
        "YYYY" => "%Y",
        "YY" => "%y",
        "MMMM" => "%B",
        "MMM" => "%b",
        "MM" => "%m",
        "M" => "%-m",
        "DD" => "%d",
        "D" => "%-d",
        "EEEE" => "%A",
        "EEE" => "%a",
        "hh" => "%H",
        "h" => "%-H",
        "HH" => "%I",
        "H" => "%-I",
        "AA" => "%p",
        "aa" => return Some(time.strftime("%p").to_string().to_lowercase()),
        "mm" => "%M",
        "m" => "%-M",
        "ss" => "%S",
        "s" => "%-S",
        "ZZZZZ" => "%:z",
        "ZZZ" if time.offset().is_zero() => return Some("UTC".to_owned()),
        "ZZZZ" | "ZZZ" => "%z",
        "Z" => return Some(zone(time, true)),
        _ => return None,
    };
    Some(time.strftime(pattern).to_string())
}
