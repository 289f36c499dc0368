//! Functions over numbers.

use super::collections::{many, plain};
use super::function::{Arguments, Function, Kind, Outcome, fault};
use crate::text::hcl::number::Numeric;
use crate::text::hcl::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("abs", &[Kind::Number], |a| {
        let number = a.number(0);
        let negative = number.compare(Numeric::Whole(0)).is_lt();
        Ok(Value::Number(if negative { number.negate() } else { number }))
    }),
    plain("ceil", &[Kind::Number], |a| float(a.number(0).as_float().ceil())),
    plain("floor", &[Kind::Number], |a| float(a.number(0).as_float().floor())),
    plain("log", &[Kind::Number, Kind::Number], |a| {
        float(a.number(0).as_float().ln() / a.number(1).as_float().ln())
    }),
    plain("pow", &[Kind::Number, Kind::Number], |a| {
        float(a.number(0).as_float().powf(a.number(1).as_float()))
    }),
    plain("signum", &[Kind::Number], |a| {
        let order = a.number(0).compare(Numeric::Whole(0));
        Ok(Value::number(order as i64))
    }),
    plain("parseint", &[Kind::Text, Kind::Number], parse_int),
    many("min", &[Kind::Number], Kind::Number, |a| Ok(choose(a, std::cmp::Ordering::is_lt))),
    many("max", &[Kind::Number], Kind::Number, |a| Ok(choose(a, std::cmp::Ordering::is_gt))),
];

fn float(number: f64) -> Outcome {
    match Numeric::from_float(number) {
        Some(number) => Ok(Value::Number(number)),
        None => fault(0, "the result is not a finite number"),
    }
}

fn choose(a: &Arguments, better: fn(std::cmp::Ordering) -> bool) -> Value {
    let mut best = a.number(0);
    for at in 1..a.0.len() {
        if better(a.number(at).compare(best)) {
            best = a.number(at);
        }
    }
    Value::Number(best)
}

fn parse_int(a: &Arguments) -> Outcome {
    let Some(base) = u32::try_from(a.whole(1)?).ok().filter(|base| (2..=36).contains(base)) else {
        return fault(1, "the base must be from 2 to 36");
    };
    match i128::from_str_radix(a.text(0), base) {
        Ok(whole) => Ok(Value::Number(Numeric::Whole(whole))),
        Err(_) => fault(0, format!("`{}` is not a whole number in base {base}", a.text(0))),
    }
}
