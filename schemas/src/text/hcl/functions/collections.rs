//! Functions over lists and maps.

use std::collections::BTreeMap;

use super::function::{Arguments, Function, Kind, Outcome, fault};
use crate::text::hcl::number::Numeric;
use crate::text::hcl::value::{Value, unify};

pub(super) const FUNCTIONS: &[Function] = &[
    plain("length", &[Kind::Any], length),
    plain("element", &[Kind::List, Kind::Number], element),
    plain("index", &[Kind::Any, Kind::Any], index),
    plain("contains", &[Kind::List, Kind::Any], |a| Ok(contains(a))),
    plain("distinct", &[Kind::Uniform], |a| Ok(distinct(a))),
    plain("compact", &[Kind::List], compact),
    plain("flatten", &[Kind::List], |a| Ok(Value::List(flatten(a.list(0))))),
    plain("keys", &[Kind::Map], |a| Ok(Value::List(a.map(0).keys().map(Value::text).collect()))),
    plain("values", &[Kind::Map], |a| Ok(Value::List(a.map(0).values().cloned().collect()))),
    plain("reverse", &[Kind::List], |a| Ok(Value::List(a.list(0).iter().rev().cloned().collect()))),
    plain("sort", &[Kind::Texts], |a| Ok(sort(a))),
    plain("slice", &[Kind::List, Kind::Number, Kind::Number], slice),
    plain("chunklist", &[Kind::List, Kind::Number], chunk_list),
    plain("zipmap", &[Kind::Texts, Kind::List], zip_map),
    plain("alltrue", &[Kind::List], |a| Ok(Value::Bool(a.list(0).iter().all(|v| v.to_bool() == Some(true))))),
    plain("anytrue", &[Kind::List], |a| Ok(Value::Bool(a.list(0).iter().any(|v| v.to_bool() == Some(true))))),
    plain("sum", &[Kind::List], sum),
    plain("one", &[Kind::List], one),
    Function {
        name: "lookup",
        required: &[Kind::Map, Kind::Text],
        optional: &[Kind::Nullable],
        variadic: None,
        run: lookup,
    },
    many("concat", &[Kind::List], Kind::List, |a| Ok(concat(a))),
    many("merge", &[], Kind::Nullable, merge),
    many("coalesce", &[], Kind::Nullable, coalesce),
    many("coalescelist", &[], Kind::List, coalesce_list),
    Function {
        name: "range",
        required: &[Kind::Number],
        optional: &[Kind::Number, Kind::Number],
        variadic: None,
        run: range,
    },
];

/// How long a list `range` may make.
const MAX_RANGE: usize = 1024;

pub(super) const fn plain(
    name: &'static str,
    required: &'static [Kind],
    run: fn(&Arguments) -> Outcome,
) -> Function {
    Function { name, required, optional: &[], variadic: None, run }
}

pub(super) const fn many(
    name: &'static str,
    required: &'static [Kind],
    variadic: Kind,
    run: fn(&Arguments) -> Outcome,
) -> Function {
    Function { name, required, optional: &[], variadic: Some(variadic), run }
}

fn length(a: &Arguments) -> Outcome {
    match a.value(0) {
        Value::List(items) => Ok(Value::number(items.len())),
        Value::Map(map) => Ok(Value::number(map.len())),
        Value::Text(_) => fault(0, "a list or a map is needed; `strlen` counts the characters of a string"),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => {
            fault(0, format!("a list or a map is needed, not {}", other.kind()))
        }
    }
}

fn element(a: &Arguments) -> Outcome {
    let items = a.list(0);
    if items.is_empty() {
        return fault(0, "an empty list has no elements");
    }
    let at = a.size(1)?;
    Ok(items[at % items.len()].clone())
}

/// The position of a value in a list. With a number it is the element at that position, and with a map the
/// value of a key, since files use it both ways.
fn index(a: &Arguments) -> Outcome {
    let found = match (a.value(0), a.value(1)) {
        (Value::Map(map), key) => key.to_text().and_then(|key| map.get(&key).cloned()),
        (Value::List(items), Value::Number(number)) => {
            number.as_i64().and_then(|at| usize::try_from(at).ok()).and_then(|at| items.get(at).cloned())
        }
        (Value::List(items), wanted) => items.iter().position(|item| item == wanted).map(Value::number),
        (other, _) => return fault(0, format!("a list or a map is needed, not {}", other.kind())),
    };
    found.map_or_else(|| fault(1, "there is no such element"), Ok)
}

fn contains(a: &Arguments) -> Value {
    let wanted = a.value(1);
    let same = |item: &Value| {
        item == wanted
            || (item.is_primitive()
                && wanted.is_primitive()
                && item.kind() != wanted.kind()
                && item.to_text() == wanted.to_text())
    };
    Value::Bool(a.list(0).iter().any(same))
}

fn distinct(a: &Arguments) -> Value {
    Value::List(without_doubles(a.list(0)))
}

pub(super) fn without_doubles(items: &[Value]) -> Vec<Value> {
    let mut seen = std::collections::BTreeSet::new();
    items.iter().filter(|item| seen.insert(name(item))).cloned().collect()
}

/// A text that equal values share, and no others.
pub(super) fn name(value: &Value) -> String {
    format!("{value:?}")
}

fn compact(a: &Arguments) -> Outcome {
    let items = a.list(0).iter().filter(|item| **item != Value::Null);
    let Some(texts) = items.map(Value::to_text).collect::<Option<Vec<_>>>() else {
        return fault(0, "a list of strings is needed");
    };
    Ok(Value::List(texts.into_iter().filter(|text| !text.is_empty()).map(Value::Text).collect()))
}

fn flatten(items: &[Value]) -> Vec<Value> {
    let mut flat = Vec::new();
    for item in items {
        match item {
            Value::List(inner) => flat.extend(flatten(inner)),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_)) => {
                flat.push(other.clone());
            }
        }
    }
    flat
}

fn sort(a: &Arguments) -> Value {
    let mut texts: Vec<String> = a.list(0).iter().filter_map(Value::to_text).collect();
    texts.sort();
    Value::List(texts.into_iter().map(Value::Text).collect())
}

fn slice(a: &Arguments) -> Outcome {
    let (from, to) = (a.size(1)?, a.size(2)?);
    match a.list(0).get(from..to) {
        Some(part) => Ok(Value::List(part.to_vec())),
        None => fault(2, format!("{from} to {to} is not within a list of {}", a.list(0).len())),
    }
}

fn chunk_list(a: &Arguments) -> Outcome {
    let size = a.size(1)?;
    if a.list(0).is_empty() {
        return Ok(Value::List(Vec::new()));
    }
    let size = if size == 0 { a.list(0).len() } else { size };
    Ok(Value::List(a.list(0).chunks(size).map(|chunk| Value::List(chunk.to_vec())).collect()))
}

fn zip_map(a: &Arguments) -> Outcome {
    let (keys, values) = (a.list(0), a.list(1));
    if keys.len() != values.len() {
        return fault(1, format!("{} keys need as many values, not {}", keys.len(), values.len()));
    }
    let pairs = keys.iter().filter_map(Value::to_text).zip(values.iter().cloned());
    Ok(Value::Map(pairs.collect()))
}

fn sum(a: &Arguments) -> Outcome {
    let mut total = Numeric::Whole(0);
    for item in a.list(0) {
        match item.to_number().and_then(|number| total.add(number)) {
            Some(next) => total = next,
            None => return fault(0, "a list of numbers is needed"),
        }
    }
    Ok(Value::Number(total))
}

fn one(a: &Arguments) -> Outcome {
    match a.list(0) {
        [] => Ok(Value::Null),
        [single] => Ok(single.clone()),
        more => fault(0, format!("at most one element is expected, not {}", more.len())),
    }
}

fn lookup(a: &Arguments) -> Outcome {
    match (a.map(0).get(a.text(1)), a.given(2)) {
        (Some(found), _) => Ok(found.clone()),
        (None, true) => Ok(a.value(2).clone()),
        (None, false) => fault(1, format!("the map has no key `{}` and no default is given", a.text(1))),
    }
}

fn concat(a: &Arguments) -> Value {
    Value::List((0..a.0.len()).flat_map(|at| a.list(at).to_vec()).collect())
}

fn merge(a: &Arguments) -> Outcome {
    let mut merged = BTreeMap::new();
    for (at, value) in a.rest(0).iter().enumerate() {
        match value {
            Value::Null => {}
            Value::Map(map) => merged.extend(map.clone()),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_)) => {
                return fault(at, format!("a map is needed, not {}", other.kind()));
            }
        }
    }
    Ok(Value::Map(merged))
}

fn coalesce(a: &Arguments) -> Outcome {
    let Some(values) = unify(a.0.clone()) else { return fault(0, "all arguments must be of one kind") };
    let found = values.into_iter().find(|value| *value != Value::Null);
    found.map_or_else(|| fault(0, "every argument is null"), Ok)
}

fn coalesce_list(a: &Arguments) -> Outcome {
    match (0..a.0.len()).map(|at| a.list(at)).find(|items| !items.is_empty()) {
        Some(items) => Ok(Value::List(items.to_vec())),
        None => fault(0, "every list is empty"),
    }
}

fn range(a: &Arguments) -> Outcome {
    let (start, end) = if a.given(1) { (a.number(0), a.number(1)) } else { (Numeric::Whole(0), a.number(0)) };
    let down = end.compare(start).is_lt();
    let step = if a.given(2) { a.number(2) } else { Numeric::Whole(if down { -1 } else { 1 }) };
    let backwards = step.compare(Numeric::Whole(0)).is_lt();
    if step.compare(Numeric::Whole(0)).is_eq() || (down != backwards && !end.compare(start).is_eq()) {
        return fault(2, "the step must lead from the start to the end");
    }
    let mut items = Vec::new();
    let mut next = start;
    while if down { next.compare(end).is_gt() } else { next.compare(end).is_lt() } {
        if items.len() >= MAX_RANGE {
            return fault(0, format!("more than {MAX_RANGE} numbers"));
        }
        items.push(Value::Number(next));
        match next.add(step) {
            Some(following) => next = following,
            None => break,
        }
    }
    Ok(Value::List(items))
}
