//! Arithmetic, comparison and logic, with the conversions HCL makes by itself.

use std::cmp::Ordering;

use hcl_edit::expr::{BinaryOp, BinaryOperator, Expression, UnaryOp, UnaryOperator};

use super::evaluate::{Evaluated, Evaluator, Scope};
use super::number::Numeric;
use super::value::Value;
use crate::text::diagnostic::Diagnostic;

pub(super) fn unary(evaluator: &Evaluator<'_>, operation: &UnaryOp, scope: &Scope<'_>) -> Evaluated {
    match operation.operator.value() {
        UnaryOperator::Neg => number(evaluator, &operation.expr, scope).map(|n| Value::Number(n.negate())),
        UnaryOperator::Not => boolean(evaluator, &operation.expr, scope).map(|flag| Value::Bool(!flag)),
    }
}

pub(super) fn binary(evaluator: &Evaluator<'_>, operation: &BinaryOp, scope: &Scope<'_>) -> Evaluated {
    let (left, right) = (&operation.lhs_expr, &operation.rhs_expr);
    let numbers = || Ok((number(evaluator, left, scope)?, number(evaluator, right, scope)?));
    let arithmetic = |operate: fn(Numeric, Numeric) -> Option<Numeric>| {
        let (a, b) = numbers()?;
        operate(a, b).map(Value::Number).ok_or_else(|| impossible(evaluator, right, b))
    };
    let ordered = |holds: fn(Ordering) -> bool| {
        let (a, b) = numbers()?;
        Ok(Value::Bool(holds(a.compare(b))))
    };
    match operation.operator.value() {
        BinaryOperator::Plus => arithmetic(Numeric::add),
        BinaryOperator::Minus => arithmetic(Numeric::subtract),
        BinaryOperator::Mul => arithmetic(Numeric::multiply),
        BinaryOperator::Div => arithmetic(Numeric::divide),
        BinaryOperator::Mod => arithmetic(Numeric::remainder),
        BinaryOperator::Less => ordered(Ordering::is_lt),
        BinaryOperator::LessEq => ordered(Ordering::is_le),
        BinaryOperator::Greater => ordered(Ordering::is_gt),
        BinaryOperator::GreaterEq => ordered(Ordering::is_ge),
        BinaryOperator::Eq => {
            Ok(Value::Bool(evaluator.value(left, scope)? == evaluator.value(right, scope)?))
        }
        BinaryOperator::NotEq => {
            Ok(Value::Bool(evaluator.value(left, scope)? != evaluator.value(right, scope)?))
        }
        BinaryOperator::And => {
            let (a, b) = (boolean(evaluator, left, scope)?, boolean(evaluator, right, scope)?);
            Ok(Value::Bool(a && b))
        }
        BinaryOperator::Or => {
            let (a, b) = (boolean(evaluator, left, scope)?, boolean(evaluator, right, scope)?);
            Ok(Value::Bool(a || b))
        }
    }
}

fn impossible(evaluator: &Evaluator<'_>, right: &Expression, divisor: Numeric) -> Diagnostic {
    let by_zero = divisor.as_float() == 0.0;
    evaluator.error(right, if by_zero { "division by zero" } else { "the result is too large" })
}

fn number(
    evaluator: &Evaluator<'_>,
    expression: &Expression,
    scope: &Scope<'_>,
) -> Result<Numeric, Diagnostic> {
    let value = evaluator.value(expression, scope)?;
    value
        .to_number()
        .ok_or_else(|| evaluator.error(expression, format!("a number is needed here, not {}", value.kind())))
}

fn boolean(
    evaluator: &Evaluator<'_>,
    expression: &Expression,
    scope: &Scope<'_>,
) -> Result<bool, Diagnostic> {
    let value = evaluator.value(expression, scope)?;
    value.to_bool().ok_or_else(|| {
        evaluator.error(expression, format!("true or false is needed here, not {}", value.kind()))
    })
}
