//! Numbers of the expression language: whole numbers stay exact, everything else is a finite float.

use std::cmp::Ordering;
use std::fmt;

/// A finite number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Numeric {
    /// A whole number.
    Whole(i128),
    /// A number with a fraction, or too large to be exact.
    Float(f64),
}

/// Floats below this are whole numbers that `i128` holds exactly.
const EXACT: f64 = 1e30;

impl Numeric {
    /// A float as a number; nothing for infinities and not-a-number.
    pub(crate) fn from_float(float: f64) -> Option<Numeric> {
        if !float.is_finite() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within i128")]
        let number = if float.fract() == 0.0 && float.abs() < EXACT {
            Numeric::Whole(float as i128)
        } else {
            Numeric::Float(float)
        };
        Some(number)
    }

    /// Reads decimal text such as `12`, `-0.5` or `1e9`.
    pub(crate) fn parse(text: &str) -> Option<Numeric> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plausible = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
        if !plausible {
            return None;
        }
        match text.parse::<i128>() {
            Ok(whole) => Some(Numeric::Whole(whole)),
            Err(_) => Numeric::from_float(text.parse().ok()?),
        }
    }

    /// The nearest float.
    pub(crate) fn as_float(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "the nearest float is what is asked for")]
            Numeric::Whole(whole) => whole as f64,
            Numeric::Float(float) => float,
        }
    }

    /// The number as a whole one of 64 bits, if it is.
    pub(crate) fn as_i64(self) -> Option<i64> {
        match self {
            Numeric::Whole(whole) => i64::try_from(whole).ok(),
            Numeric::Float(_) => None,
        }
    }

    /// The number as JSON carries it.
    pub(crate) fn to_json(self) -> Option<serde_json::Number> {
        match self {
            Numeric::Whole(whole) => match (i64::try_from(whole), u64::try_from(whole)) {
                (Ok(small), _) => Some(small.into()),
                (_, Ok(positive)) => Some(positive.into()),
                (Err(_), Err(_)) => serde_json::Number::from_f64(self.as_float()),
            },
            Numeric::Float(float) => serde_json::Number::from_f64(float),
        }
    }

    pub(crate) fn from_json(number: &serde_json::Number) -> Option<Numeric> {
        match (number.as_i64(), number.as_u64()) {
            (Some(small), _) => Some(Numeric::Whole(small.into())),
            (_, Some(large)) => Some(Numeric::Whole(large.into())),
            (None, None) => Numeric::from_float(number.as_f64()?),
        }
    }

    pub(crate) fn add(self, other: Numeric) -> Option<Numeric> {
        self.with(other, i128::checked_add, |a, b| a + b)
    }

    pub(crate) fn subtract(self, other: Numeric) -> Option<Numeric> {
        self.with(other, i128::checked_sub, |a, b| a - b)
    }

    pub(crate) fn multiply(self, other: Numeric) -> Option<Numeric> {
        self.with(other, i128::checked_mul, |a, b| a * b)
    }

    /// Nothing when the divisor is zero.
    pub(crate) fn divide(self, other: Numeric) -> Option<Numeric> {
        match (self, other) {
            (Numeric::Whole(a), Numeric::Whole(b)) if b != 0 && a.checked_rem(b) == Some(0) => {
                a.checked_div(b).map(Numeric::Whole)
            }
            _ => Numeric::from_float(self.as_float() / other.as_float()),
        }
    }

    /// Nothing when the divisor is zero. The sign is that of the dividend.
    pub(crate) fn remainder(self, other: Numeric) -> Option<Numeric> {
        match (self, other) {
            (Numeric::Whole(a), Numeric::Whole(b)) => a.checked_rem(b).map(Numeric::Whole),
            _ => Numeric::from_float(tidy(self.as_float() % other.as_float())),
        }
    }

    pub(crate) fn negate(self) -> Numeric {
        match self {
            Numeric::Whole(whole) => {
                whole.checked_neg().map_or(Numeric::Float(-self.as_float()), Numeric::Whole)
            }
            Numeric::Float(float) => Numeric::Float(-float),
        }
    }

    pub(crate) fn compare(self, other: Numeric) -> Ordering {
        match (self, other) {
            (Numeric::Whole(a), Numeric::Whole(b)) => a.cmp(&b),
            _ => self.as_float().total_cmp(&other.as_float()),
        }
    }

    fn with(
        self,
        other: Numeric,
        exact: fn(i128, i128) -> Option<i128>,
        near: fn(f64, f64) -> f64,
    ) -> Option<Numeric> {
        if let (Numeric::Whole(a), Numeric::Whole(b)) = (self, other)
            && let Some(whole) = exact(a, b)
        {
            return Some(Numeric::Whole(whole));
        }
        Numeric::from_float(tidy(near(self.as_float(), other.as_float())))
    }
}

/// Rounds to 15 significant digits, so that `0.1 + 0.2` is `0.3` as it is in decimal arithmetic.
fn tidy(float: f64) -> f64 {
    format!("{float:.14e}").parse().unwrap_or(float)
}

impl From<i64> for Numeric {
    fn from(whole: i64) -> Numeric {
        Numeric::Whole(whole.into())
    }
}

impl From<usize> for Numeric {
    fn from(whole: usize) -> Numeric {
        Numeric::Whole(i128::try_from(whole).expect("a length fits into 128 bits"))
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Numeric::Whole(whole) => write!(formatter, "{whole}"),
            Numeric::Float(float) => write!(formatter, "{float}"),
        }
    }
}
