//! Functions over sets. A set is a list without doubles, in the order of its values.

use std::collections::BTreeSet;

use super::collections::{many, name, without_doubles};
use super::function::{Arguments, Function, Kind, Outcome, bounded, fault};
use crate::text::hcl::value::{Value, unify};

pub(super) const FUNCTIONS: &[Function] = &[
    many("setunion", &[Kind::List], Kind::List, |a| {
        combine(a, |first, others| {
            let more = others.iter().flatten().cloned();
            first.into_iter().chain(more).collect()
        })
    }),
    many("setintersection", &[Kind::List], Kind::List, |a| {
        combine(a, |first, others| {
            let others: Vec<_> = others.iter().map(|other| names(other)).collect();
            first.into_iter().filter(|item| others.iter().all(|other| other.contains(&name(item)))).collect()
        })
    }),
    many("setsubtract", &[Kind::List], Kind::List, |a| {
        combine(a, |first, others| {
            let others: Vec<_> = others.iter().map(|other| names(other)).collect();
            first.into_iter().filter(|item| !others.iter().any(|other| other.contains(&name(item)))).collect()
        })
    }),
    many("setproduct", &[Kind::List], Kind::List, product),
];

/// How many combinations `setproduct` may make.
const MAX_PRODUCT: usize = 10_000;

fn combine(a: &Arguments, choose: fn(Vec<Value>, &[Vec<Value>]) -> Vec<Value>) -> Outcome {
    let sizes: Vec<usize> = (0..a.0.len()).map(|at| a.list(at).len()).collect();
    let Some(all) = unify((0..a.0.len()).flat_map(|at| a.list(at).to_vec()).collect()) else {
        return fault(0, "all elements must be of one kind");
    };
    let mut rest = all.into_iter();
    let mut sets: Vec<Vec<Value>> = sizes.iter().map(|size| rest.by_ref().take(*size).collect()).collect();
    let others = sets.split_off(1);
    let mut chosen = without_doubles(&choose(sets.remove(0), &others));
    chosen.sort_by(order);
    Ok(Value::List(chosen))
}

fn names(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(name).collect()
}

fn order(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.compare(*b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => a.to_json().to_string().cmp(&b.to_json().to_string()),
    }
}

fn product(a: &Arguments) -> Outcome {
    if a.0.len() < 2 {
        return fault(0, "at least two lists are needed");
    }
    let mut rows = vec![Vec::new()];
    for at in 0..a.0.len() {
        if rows.len().saturating_mul(a.list(at).len()) > MAX_PRODUCT {
            return fault(at, format!("more than {MAX_PRODUCT} combinations"));
        }
        let rows_bytes: usize = rows.iter().flatten().map(Value::size_bytes).sum();
        let more_bytes = a.value(at).size_bytes().saturating_mul(rows.len());
        bounded(at, rows_bytes.saturating_mul(a.list(at).len()).saturating_add(more_bytes))?;
        rows = rows
            .iter()
            .flat_map(|row: &Vec<Value>| {
                a.list(at).iter().map(|item| row.iter().cloned().chain([item.clone()]).collect())
            })
            .collect();
    }
    Ok(Value::List(rows.into_iter().map(Value::List).collect()))
}
