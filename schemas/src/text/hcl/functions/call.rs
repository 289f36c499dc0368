//! A call: the function is found, its arguments are evaluated and converted, its code runs.

use hcl_edit::expr::{Expression, FuncCall};

use super::function::{Arguments, Function, Kind};
use super::{collections, crypto, encoding, files, format, network, numeric, sets, strings, time};
use crate::text::Diagnostic;
use crate::text::hcl::evaluate::{Evaluated, Evaluator, Scope};
use crate::text::hcl::types::TypeConstraint;
use crate::text::hcl::value::{Value, unify};
use crate::text::source::Span;

const GROUPS: [&[Function]; 9] = [
    strings::FUNCTIONS,
    format::FUNCTIONS,
    collections::FUNCTIONS,
    sets::FUNCTIONS,
    numeric::FUNCTIONS,
    encoding::FUNCTIONS,
    crypto::FUNCTIONS,
    network::FUNCTIONS,
    time::FUNCTIONS,
];

/// What a byte of a regular expression costs, counted in bytes that are built: compiling it takes microseconds.
const PATTERN_COSTS: usize = 1024;

/// Calls a function by name.
pub(in crate::text::hcl) fn call(
    evaluator: &Evaluator<'_>,
    call: &FuncCall,
    span: &Span,
    scope: &Scope<'_>,
) -> Evaluated {
    let name = call.name.name.as_str();
    match name {
        "try" => return attempt(evaluator, call, span, scope),
        "can" => return can(evaluator, call, span, scope),
        "convert" => return convert(evaluator, call, span, scope),
        _ => {}
    }
    if let Some(answer) = files::call(evaluator, call, span, scope) {
        return answer;
    }
    let Some(function) = GROUPS.iter().flat_map(|group| group.iter()).find(|function| function.name == name)
    else {
        return Err(unknown(evaluator, name, span));
    };
    let (values, spans) = arguments(evaluator, call, scope)?;
    let values = accept(evaluator, function, values, &spans, span)?;
    if let Some(Value::Text(pattern)) = strings::pattern_of(name).and_then(|at| values.get(at)) {
        // A loop would compile another one each time.
        evaluator.spend(pattern.len().saturating_mul(PATTERN_COSTS), span)?;
    }
    (function.run)(&Arguments(values)).map_err(|fault| {
        let at = fault.argument.and_then(|at| spans.get(at)).unwrap_or(span);
        evaluator.source.error(at, format!("{name}: {}", fault.message))
    })
}

fn unknown(evaluator: &Evaluator<'_>, name: &str, span: &Span) -> Diagnostic {
    if let Some(reason) = files::refusal(name) {
        return evaluator.source.error(span, format!("`{name}` is not available: {reason}"));
    }
    let names = GROUPS.iter().flat_map(|group| group.iter()).map(|function| function.name);
    evaluator
        .source
        .error(span, format!("there is no function `{name}`"))
        .nearest(name, names.chain(["try", "can", "convert"]).chain(files::NAMES))
}

fn arguments(
    evaluator: &Evaluator<'_>,
    call: &FuncCall,
    scope: &Scope<'_>,
) -> Result<(Vec<Value>, Vec<Span>), Diagnostic> {
    let (mut values, mut spans) = (Vec::new(), Vec::new());
    let last = call.args.len().saturating_sub(1);
    for (position, argument) in call.args.iter().enumerate() {
        let value = evaluator.value(argument, scope)?;
        let span = evaluator.span(argument);
        if position < last || !call.args.expand_final() {
            values.push(value);
            spans.push(span);
            continue;
        }
        let Value::List(items) = value else {
            return Err(evaluator.error(argument, format!("`...` expands a list, not {}", value.kind())));
        };
        spans.extend(std::iter::repeat_n(span, items.len()));
        values.extend(items);
    }
    Ok((values, spans))
}

fn accept(
    evaluator: &Evaluator<'_>,
    function: &Function,
    values: Vec<Value>,
    spans: &[Span],
    span: &Span,
) -> Result<Vec<Value>, Diagnostic> {
    let (least, most) = (function.required.len(), function.required.len() + function.optional.len());
    if values.len() < least || (values.len() > most && function.variadic.is_none()) {
        let wanted = match (function.variadic, least == most) {
            (Some(_), _) => format!("at least {least}"),
            (None, true) => least.to_string(),
            (None, false) => format!("{least} to {most}"),
        };
        return Err(miscounted(evaluator, span, function.name, (&wanted, values.len())));
    }
    let kinds = function.required.iter().chain(function.optional).copied();
    let kinds = kinds.chain(function.variadic.into_iter().cycle());
    let pairs = values.into_iter().zip(kinds).enumerate();
    pairs
        .map(|(at, (value, kind))| {
            let found = value.kind();
            admit(value, kind).ok_or_else(|| {
                let message = format!("{}: {} is needed here, not {found}", function.name, wanted(kind));
                evaluator.source.error(spans.get(at).unwrap_or(span), message)
            })
        })
        .collect()
}

fn admit(value: Value, kind: Kind) -> Option<Value> {
    match (kind, value) {
        (Kind::Nullable, value) => Some(value),
        (_, Value::Null) => None,
        (Kind::Text, value) => value.to_text().map(Value::Text),
        (Kind::Number, value) => value.to_number().map(Value::Number),
        (Kind::List, value @ Value::List(_)) | (Kind::Map, value @ Value::Map(_)) | (Kind::Any, value) => {
            Some(value)
        }
        (Kind::Uniform, Value::List(items)) => unify(items).map(Value::List),
        (Kind::Texts, Value::List(items)) => {
            items.iter().map(|item| item.to_text().map(Value::Text)).collect::<Option<_>>().map(Value::List)
        }
        (Kind::List | Kind::Uniform | Kind::Texts | Kind::Map, _) => None,
    }
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a string",
        Kind::Number => "a number",
        Kind::List => "a list",
        Kind::Uniform => "a list of one kind of values",
        Kind::Texts => "a list of strings",
        Kind::Map => "a map",
        Kind::Any => "a value",
        Kind::Nullable => "anything",
    }
}

pub(super) fn miscounted(
    evaluator: &Evaluator<'_>,
    span: &Span,
    name: &str,
    (wanted, given): (&str, usize),
) -> Diagnostic {
    let message = format!("wrong number of arguments for `{name}`: {given} instead of {wanted}");
    evaluator.source.error(span, message)
}

/// The first argument that has a value.
fn attempt(evaluator: &Evaluator<'_>, call: &FuncCall, span: &Span, scope: &Scope<'_>) -> Evaluated {
    let mut last = None;
    for argument in &call.args {
        match evaluator.value(argument, scope) {
            Ok(value) => return Ok(value),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| miscounted(evaluator, span, "try", ("at least 1", 0))))
}

fn can(evaluator: &Evaluator<'_>, call: &FuncCall, span: &Span, scope: &Scope<'_>) -> Evaluated {
    let Some(argument) = only(call, 1).map(|arguments| arguments[0]) else {
        return Err(miscounted(evaluator, span, "can", ("1", call.args.len())));
    };
    Ok(Value::Bool(evaluator.value(argument, scope).is_ok()))
}

fn convert(evaluator: &Evaluator<'_>, call: &FuncCall, span: &Span, scope: &Scope<'_>) -> Evaluated {
    let Some(arguments) = only(call, 2) else {
        return Err(miscounted(evaluator, span, "convert", ("2", call.args.len())));
    };
    let wanted = TypeConstraint::parse(evaluator, arguments[1], &Scope::EMPTY)?;
    let value = evaluator.value(arguments[0], scope)?;
    wanted.convert(value).map_err(|message| evaluator.error(arguments[0], format!("convert: {message}")))
}

pub(super) fn only(call: &FuncCall, count: usize) -> Option<Vec<&Expression>> {
    let arguments: Vec<_> = call.args.iter().collect();
    (arguments.len() == count && !call.args.expand_final()).then_some(arguments)
}
