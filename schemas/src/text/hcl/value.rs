//! Values of the expression language and the conversions that HCL makes by itself.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::number::Numeric;

/// A value. Lists stand for lists, tuples and sets; maps iterate in the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Numeric),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    pub(crate) fn number(number: impl Into<Numeric>) -> Value {
        Value::Number(number.into())
    }

    /// The kind of value, with its article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// About how much memory it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        let own = size_of::<Value>();
        match self {
            Value::Null | Value::Bool(_) | Value::Number(_) => own,
            Value::Text(text) => own + text.len(),
            Value::List(items) => own + items.iter().map(Value::size_bytes).sum::<usize>(),
            Value::Map(map) => {
                own + map.iter().map(|(key, item)| own + key.len() + item.size_bytes()).sum::<usize>()
            }
        }
    }

    pub(crate) fn is_primitive(&self) -> bool {
        matches!(self, Value::Bool(_) | Value::Number(_) | Value::Text(_))
    }

    /// As a string, where HCL converts by itself.
    pub(crate) fn to_text(&self) -> Option<String> {
        match self {
            Value::Text(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// As a number, where HCL converts by itself.
    pub(crate) fn to_number(&self) -> Option<Numeric> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Text(text) => Numeric::parse(text),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// As a boolean, where HCL converts by itself.
    pub(crate) fn to_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(*flag),
            Value::Text(text) if text == "true" || text == "1" => Some(true),
            Value::Text(text) if text == "false" || text == "0" => Some(false),
            Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => number.to_json().map_or(Json::Null, Json::Number),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Map(map) => {
                Json::Object(map.iter().map(|(key, value)| (key.clone(), value.to_json())).collect())
            }
        }
    }

    pub(crate) fn from_json(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Bool(*flag),
            Json::Number(number) => Numeric::from_json(number).map_or(Value::Null, Value::Number),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::List(items.iter().map(Value::from_json).collect()),
            Json::Object(map) => {
                Value::Map(map.iter().map(|(key, value)| (key.clone(), Value::from_json(value))).collect())
            }
        }
    }
}

/// Makes the elements of a list alike, as HCL does when a list is wanted: strings win over numbers and
/// booleans. Nothing where no such type exists.
pub(crate) fn unify(items: Vec<Value>) -> Option<Vec<Value>> {
    let mut kinds: Vec<&str> = items.iter().filter(|item| **item != Value::Null).map(Value::kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() <= 1 {
        return Some(items);
    }
    if !kinds.contains(&"a string") {
        return None;
    }
    items
        .into_iter()
        .map(|item| match item {
            Value::Null => Some(Value::Null),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_)) => {
                other.to_text().map(Value::Text)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_exact_where_they_can() {
        let sum = |a: &str, b: &str| Numeric::parse(a).unwrap().add(Numeric::parse(b).unwrap()).unwrap();
        assert_eq!(sum("18446744073709551615", "1").to_string(), "18446744073709551616");
        assert_eq!(sum("0.1", "0.2").to_string(), "0.3");
        assert_eq!(sum("1e3", "0").to_string(), "1000");
        assert_eq!(Numeric::parse("0x10"), None);
        assert_eq!(Numeric::parse("inf"), None);
    }

    #[test]
    fn strings_win_when_elements_are_made_alike() {
        let mixed = vec![Value::number(1_i64), Value::text("a")];
        assert_eq!(unify(mixed), Some(vec![Value::text("1"), Value::text("a")]));
        assert_eq!(unify(vec![Value::number(1_i64), Value::Bool(true)]), None);
    }
}
