//! A row of the table of functions, and what its code is given and gives back.

use std::collections::BTreeMap;

use crate::text::hcl::evaluate::MAX_TEXT_BYTES;
use crate::text::hcl::number::Numeric;
use crate::text::hcl::value::Value;

/// What a parameter accepts; other values are converted or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    /// Any list, as it is.
    List,
    /// A list whose elements are made alike.
    Uniform,
    /// A list of strings.
    Texts,
    Map,
    /// Anything but null.
    Any,
    /// Anything at all.
    Nullable,
}

/// A row of the table.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// The parameters that must be given.
    pub(super) required: &'static [Kind],
    /// Those that may be left out.
    pub(super) optional: &'static [Kind],
    /// The kind of all further arguments.
    pub(super) variadic: Option<Kind>,
    pub(super) run: fn(&Arguments) -> Result<Value, Fault>,
}

/// Why a call has no value, and which argument is to blame.
pub(super) struct Fault {
    pub(super) argument: Option<usize>,
    pub(super) message: String,
}

pub(super) type Outcome = Result<Value, Fault>;

pub(super) fn fault<T>(argument: usize, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { argument: Some(argument), message: message.into() })
}

/// Refuses what would be too large, before it is made.
pub(super) fn bounded(argument: usize, length_bytes: usize) -> Result<(), Fault> {
    if length_bytes <= MAX_TEXT_BYTES {
        return Ok(());
    }
    fault(argument, format!("this makes more than {MAX_TEXT_BYTES} bytes"))
}

/// Arguments already converted to the kinds of their parameters.
pub(super) struct Arguments(pub(super) Vec<Value>);

impl Arguments {
    pub(super) fn given(&self, at: usize) -> bool {
        at < self.0.len()
    }

    pub(super) fn value(&self, at: usize) -> &Value {
        self.0.get(at).unwrap_or(&Value::Null)
    }

    pub(super) fn text(&self, at: usize) -> &str {
        if let Value::Text(text) = self.value(at) { text } else { "" }
    }

    pub(super) fn number(&self, at: usize) -> Numeric {
        if let Value::Number(number) = self.value(at) { *number } else { Numeric::Whole(0) }
    }

    pub(super) fn whole(&self, at: usize) -> Result<i64, Fault> {
        let number = self.number(at);
        match number.as_i64() {
            Some(whole) => Ok(whole),
            None => fault(at, format!("a whole number is needed, not {number}")),
        }
    }

    pub(super) fn size(&self, at: usize) -> Result<usize, Fault> {
        let whole = self.whole(at)?;
        match usize::try_from(whole) {
            Ok(size) => Ok(size),
            Err(_) => fault(at, format!("must not be negative, but is {whole}")),
        }
    }

    pub(super) fn list(&self, at: usize) -> &[Value] {
        if let Value::List(items) = self.value(at) { items } else { &[] }
    }

    pub(super) fn map(&self, at: usize) -> &BTreeMap<String, Value> {
        static EMPTY: BTreeMap<String, Value> = BTreeMap::new();
        if let Value::Map(map) = self.value(at) { map } else { &EMPTY }
    }

    /// The arguments from a position on.
    pub(super) fn rest(&self, from: usize) -> &[Value] {
        self.0.get(from..).unwrap_or_default()
    }
}
