//! A span of time as people write it in job files: `10s`, `1h30m`, `500ms`.
//!
//! Go's duration strings are the grammar, because every existing job file uses them. A number (not a text of
//! digits, whose unit would be a guess) means nanoseconds, which is what those files' JSON form carries. Printing drops zero parts: `1h`, not `1h0m0s`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000 * MICROSECOND;
const SECOND: i64 = 1_000 * MILLISECOND;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// A span of time in nanoseconds; may be negative until validation refuses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// The text is not a sequence of numbers with units.
    #[error("`{0}` is not a duration: write a number and a unit, such as `30s`, `500ms` or `1h30m`")]
    Malformed(String),
    /// The unit is not one of `ns us ms s m h`.
    #[error("`{text}` has the unknown unit `{unit}`: use ns, us, ms, s, m or h")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The unit that nobody knows.
        unit: String,
    },
    /// The span does not fit into 64 bits of nanoseconds (about 292 years).
    #[error("`{0}` is longer than 292 years")]
    TooLong(String),
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// A span of `nanoseconds`.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Duration(nanoseconds)
    }

    /// A span of `milliseconds`, clamped to the greatest span there is.
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Duration(milliseconds.saturating_mul(MILLISECOND))
    }

    /// A span of `seconds`, clamped to the greatest span there is.
    pub const fn from_seconds(seconds: i64) -> Self {
        Duration(seconds.saturating_mul(SECOND))
    }

    /// A span of `minutes`, clamped to the greatest span there is.
    pub const fn from_minutes(minutes: i64) -> Self {
        Duration(minutes.saturating_mul(MINUTE))
    }

    /// A span of `hours`, clamped to the greatest span there is.
    pub const fn from_hours(hours: i64) -> Self {
        Duration(hours.saturating_mul(HOUR))
    }

    /// The span in nanoseconds.
    pub const fn as_nanoseconds(self) -> i64 {
        self.0
    }

    /// The span in whole milliseconds, rounded towards zero.
    pub const fn as_milliseconds(self) -> i64 {
        self.0 / MILLISECOND
    }

    /// The span in whole seconds, rounded towards zero.
    pub const fn as_seconds(self) -> i64 {
        self.0 / SECOND
    }

    /// Whether the span is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether the span is exactly zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// This span `times` over, clamped to the greatest span there is.
    pub const fn times(self, times: i64) -> Self {
        Duration(self.0.saturating_mul(times))
    }

    /// The same span for clocks and timers; a negative span is no time at all.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }

    /// The same span for arithmetic on timestamps.
    pub fn to_signed(self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_nanos(self.0)
    }
}

impl From<std::time::Duration> for Duration {
    fn from(span: std::time::Duration) -> Self {
        Duration(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseDurationError::Malformed(text.to_owned());
        let trimmed = text.trim();
        let (negative, mut rest) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        if rest.is_empty() {
            return Err(malformed());
        }
        if rest == "0" {
            return Ok(Duration::ZERO);
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let (part, left) = parse_part(rest, text)?;
            total = total.checked_add(part).ok_or_else(|| ParseDurationError::TooLong(text.to_owned()))?;
            rest = left;
        }
        let signed = if negative { -total } else { total };
        i64::try_from(signed).map(Duration).map_err(|_| ParseDurationError::TooLong(text.to_owned()))
    }
}

/// Reads one `1.5h` off the front of `rest`; answers its nanoseconds and what is left.
fn parse_part<'a>(rest: &'a str, text: &str) -> Result<(i128, &'a str), ParseDurationError> {
    let malformed = || ParseDurationError::Malformed(text.to_owned());
    let too_long = || ParseDurationError::TooLong(text.to_owned());
    let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(malformed)?;
    let (number, after) = rest.split_at(number_end);
    let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
    let (unit, left) = after.split_at(unit_end);
    if number.is_empty() || unit.contains(char::is_whitespace) {
        return Err(malformed());
    }
    let scale =
        i128::from(unit_nanoseconds(unit).ok_or_else(|| ParseDurationError::UnknownUnit {
            text: text.to_owned(),
            unit: unit.to_owned(),
        })?);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(malformed());
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_long())? };
    let mut total = whole.checked_mul(scale).ok_or_else(too_long)?;
    let mut place = scale;
    for digit in fraction.bytes().take(18) {
        place /= 10;
        total += i128::from(digit - b'0') * place;
    }
    if total > i128::from(i64::MAX) + 1 {
        return Err(too_long());
    }
    Ok((total, left))
}

fn unit_nanoseconds(unit: &str) -> Option<i64> {
    match unit {
        "ns" => Some(1),
        "us" | "µs" | "μs" => Some(MICROSECOND),
        "ms" => Some(MILLISECOND),
        "s" => Some(SECOND),
        "m" => Some(MINUTE),
        "h" => Some(HOUR),
        _ => None,
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        if magnitude == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let second = SECOND.unsigned_abs();
        let (unit, name) = match magnitude {
            m if m < MICROSECOND.unsigned_abs() => (1, "ns"),
            m if m < MILLISECOND.unsigned_abs() => (MICROSECOND.unsigned_abs(), "us"),
            m if m < second => (MILLISECOND.unsigned_abs(), "ms"),
            _ => (second, "s"),
        };
        if unit < second {
            return write_decimal(f, magnitude, unit, name);
        }
        let (minute, hour) = (MINUTE.unsigned_abs(), HOUR.unsigned_abs());
        if magnitude / hour > 0 {
            write!(f, "{}h", magnitude / hour)?;
        }
        if magnitude % hour / minute > 0 {
            write!(f, "{}m", magnitude % hour / minute)?;
        }
        match magnitude % minute {
            0 => Ok(()),
            rest => write_decimal(f, rest, second, "s"),
        }
    }
}

/// Writes `amount / unit` as a decimal without trailing zeros, then the unit's name.
fn write_decimal(f: &mut fmt::Formatter<'_>, amount: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", amount / unit)?;
    let rest = amount % unit;
    if rest > 0 {
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(name)
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Spelling;
        impl Visitor<'_> for Spelling {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"30s\" or \"1h30m\", or a whole number of nanoseconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, nanoseconds: i64) -> Result<Duration, E> {
                Ok(Duration(nanoseconds))
            }

            fn visit_u64<E: de::Error>(self, nanoseconds: u64) -> Result<Duration, E> {
                i64::try_from(nanoseconds)
                    .map(Duration)
                    .map_err(|_| E::custom("the duration is longer than 292 years"))
            }
        }
        deserializer.deserialize_any(Spelling)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": "duration",
            "pattern": "^[-+]?([0-9]*(\\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+$|^0$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        match text.parse::<Duration>() {
            Ok(span) => format!("{text} = {} = {span}", span.as_nanoseconds()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn go_strings() {
        let table = [
            "10s", "1h30m", "500ms", "1.5h", "-5s", "0", "0s", "1us", "90s", "1m1ms", "1h0m0s", ".5s", "24h",
            "2m0.25s",
        ];
        insta::assert_snapshot!(table.map(read).join("\n"), @"
        10s = 10000000000 = 10s
        1h30m = 5400000000000 = 1h30m
        500ms = 500000000 = 500ms
        1.5h = 5400000000000 = 1h30m
        -5s = -5000000000 = -5s
        0 = 0 = 0s
        0s = 0 = 0s
        1us = 1000 = 1us
        90s = 90000000000 = 1m30s
        1m1ms = 60001000000 = 1m0.001s
        1h0m0s = 3600000000000 = 1h
        .5s = 500000000 = 500ms
        24h = 86400000000000 = 24h
        2m0.25s = 120250000000 = 2m0.25s
        ");
    }

    #[test]
    fn refusals() {
        let table = ["", "5", "five", "5 s", "5d", "1.2.3s", ".s", "s", "999999999999h", "h5"];
        insta::assert_snapshot!(table.map(read).join("\n"), @"
        `` is not a duration: write a number and a unit, such as `30s`, `500ms` or `1h30m`
        `5` is not a duration: write a number and a unit, such as `30s`, `500ms` or `1h30m`
        `five` is not a duration: write a number and a unit, such as `30s`, `500ms` or `1h30m`
        `5 s` is not a duration: write a number and a unit, such as `30s`, `500ms` or `1h30m`
        `5d` has the unknown unit `d`: use ns, us, ms, s, m or h
        `1.2.3s` is not a duration: write a number and a unit, such as `30s`, `500ms` or `1h30m`
        `.s` is not a duration: write a number and a unit, such as `30s`, `500ms` or `1h30m`
        `s` is not a duration: write a number and a unit, such as `30s`, `500ms` or `1h30m`
        `999999999999h` is longer than 292 years
        `h5` is not a duration: write a number and a unit, such as `30s`, `500ms` or `1h30m`
        ");
    }

    proptest! {
        #[test]
        fn print_then_parse_is_identity(nanoseconds in any::<i64>()) {
            let span = Duration::from_nanoseconds(nanoseconds);
            prop_assert_eq!(span.to_string().parse::<Duration>(), Ok(span));
            let json = serde_json::to_string(&span).expect("a string");
            prop_assert_eq!(serde_json::from_str::<Duration>(&json).expect("reads back"), span);
        }

        #[test]
        fn parse_never_panics(text in "[-+0-9.hmsnuµd ]{0,24}") {
            drop(text.parse::<Duration>());
        }
    }
}
