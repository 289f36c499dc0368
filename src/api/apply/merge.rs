//! Values and the fields they have: what a value holds, what two merge to, how two differ, what removing leaves.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::structure::{Form, Shape, item_step, item_steps};

/// A value seen with its structure: its parts, if it has any that can be owned one by one.
pub(super) enum Parts<'v> {
    Fields(&'v Map<String, Value>),
    Items(Vec<(String, &'v Value)>),
    Whole,
}

pub(super) fn parts<'v>(shape: Shape<'_>, value: &'v Value) -> Parts<'v> {
    match (shape.form(), value) {
        (Form::Object, Value::Object(fields)) => Parts::Fields(fields),
        (Form::Keyed(key), Value::Array(items)) => match item_steps(key, items) {
            Some(steps) => Parts::Items(steps.into_iter().zip(items).collect()),
            None => Parts::Whole,
        },
        (Form::Object | Form::Keyed(_) | Form::Atom, _) => Parts::Whole,
    }
}

fn field_step(field: &str) -> String {
    format!("f:{field}")
}

/// Every field that a value sets.
pub(super) fn fields_of(shape: Shape<'_>, value: &Value) -> Fields {
    let mut out = Fields::default();
    match parts(shape, value) {
        Parts::Fields(fields) if !fields.is_empty() => {
            for (field, value) in fields {
                out.put(field_step(field), fields_of(shape.field(field), value));
            }
        }
        Parts::Items(items) if !items.is_empty() => {
            for (step, item) in items {
                let under = fields_of(shape.item(), item);
                out.put(step, Fields { is_member: true, ..under });
            }
        }
        Parts::Fields(_) | Parts::Items(_) | Parts::Whole => out.is_member = true,
    }
    out
}

/// What is live, with what is wanted laid over it.
pub(super) fn merge(shape: Shape<'_>, live: &Value, wanted: &Value) -> Value {
    match (parts(shape, live), parts(shape, wanted)) {
        (Parts::Fields(live), Parts::Fields(wanted)) => {
            let mut out = live.clone();
            for (field, value) in wanted {
                let merged = match live.get(field) {
                    Some(live) => merge(shape.field(field), live, value),
                    None => value.clone(),
                };
                out.insert(field.clone(), merged);
            }
            Value::Object(out)
        }
        (Parts::Items(live), Parts::Items(wanted)) => {
            let find = |step: &String| wanted.iter().find(|(its, _)| its == step);
            // What is there keeps its place; what is new follows.
            let mut out: Vec<Value> = live
                .iter()
                .map(|(step, item)| {
                    find(step).map_or_else(|| (*item).clone(), |(_, value)| merge(shape.item(), item, value))
                })
                .collect();
            let is_new = |step: &String| live.iter().all(|(its, _)| its != step);
            out.extend(wanted.iter().filter(|(step, _)| is_new(step)).map(|(_, item)| (*item).clone()));
            Value::Array(out)
        }
        _ => wanted.clone(),
    }
}

/// Every field in which two values differ: changed, added or removed.
pub(super) fn difference(shape: Shape<'_>, before: &Value, after: &Value) -> Fields {
    if before == after {
        return Fields::default();
    }
    let mut out = Fields::default();
    match (parts(shape, before), parts(shape, after)) {
        (Parts::Fields(before), Parts::Fields(after)) => {
            for field in before.keys().chain(after.keys()) {
                let inner = one_of(shape.field(field), before.get(field), after.get(field));
                out.put(field_step(field), inner);
            }
        }
        (Parts::Items(before), Parts::Items(after)) => {
            for (step, _) in before.iter().chain(&after) {
                let find = |items: &[(String, &'_ Value)]| {
                    items.iter().find(|(its, _)| its == step).map(|(_, item)| (*item).clone())
                };
                let (before, after) = (find(&before), find(&after));
                let is_member = before.is_some() != after.is_some();
                let under = one_of(shape.item(), before.as_ref(), after.as_ref());
                out.put(step.clone(), Fields { is_member: under.is_member || is_member, ..under });
            }
        }
        _ => out = fields_of(shape, before).or(&fields_of(shape, after)),
    }
    out
}

fn one_of(shape: Shape<'_>, before: Option<&Value>, after: Option<&Value>) -> Fields {
    match (before, after) {
        (Some(before), Some(after)) => difference(shape, before, after),
        (Some(one), None) | (None, Some(one)) => fields_of(shape, one),
        (None, None) => Fields::default(),
    }
}

/// What is left of a value when some of its fields are removed; nothing, if nothing is.
pub(super) fn remove(shape: Shape<'_>, value: &Value, gone: &Fields) -> Option<Value> {
    match (shape.form(), value) {
        (Form::Object, Value::Object(fields)) => {
            let mut out = Map::new();
            for (field, value) in fields {
                match gone.under.get(&field_step(field)) {
                    None => drop(out.insert(field.clone(), value.clone())),
                    Some(gone) if gone.is_member => {}
                    Some(gone) => {
                        let left = remove(shape.field(field), value, gone);
                        out.extend(left.map(|left| (field.clone(), left)));
                    }
                }
            }
            (!out.is_empty()).then_some(Value::Object(out))
        }
        (Form::Keyed(key), Value::Array(items)) => {
            let left = items.iter().filter_map(|item| {
                let gone = item_step(key, item).and_then(|step| gone.under.get(&step));
                match gone {
                    None => Some(item.clone()),
                    Some(gone) if gone.is_member => None,
                    Some(gone) => remove(shape.item(), item, gone),
                }
            });
            let left: Vec<Value> = left.collect();
            (!left.is_empty()).then_some(Value::Array(left))
        }
        (Form::Object | Form::Keyed(_) | Form::Atom, _) => Some(value.clone()),
    }
}
