//! The function library: what job files written for Nomad may call.
//!
//! Each function is a row of a table: name, parameters, code. Arguments are converted to the kinds of the
//! parameters before the code runs, as HCL does. Nothing here touches a file, a clock or chance: functions
//! that read files ask the caller, who offers them in its options or does not.

mod collections;
mod crypto;
mod encoding;
mod files;
mod format;
mod network;
mod numeric;
mod sets;
mod strings;
mod time;

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, FuncCall};

use super::evaluate::{Evaluated, Evaluator, MAX_TEXT_BYTES, Scope};
use super::number::Numeric;
use super::types::TypeConstraint;
use super::value::{Value, unify};
use crate::text::source::Span;

/// What a parameter accepts; other values are converted or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
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
struct Function {
    name: &'static str,
    /// The parameters that must be given.
    required: &'static [Kind],
    /// Those that may be left out.
    optional: &'static [Kind],
    /// The kind of all further arguments.
    variadic: Option<Kind>,
    run: fn(&Arguments) -> Result<Value, Fault>,
}

/// Why a call has no value, and which argument is to blame.
struct Fault {
    argument: Option<usize>,
    message: String,
}

type Outcome = Result<Value, Fault>;

fn fault<T>(argument: usize, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { argument: Some(argument), message: message.into() })
}

/// Refuses what would be too large, before it is made.
fn bounded(argument: usize, length_bytes: usize) -> Result<(), Fault> {
    if length_bytes <= MAX_TEXT_BYTES {
        return Ok(());
    }
    fault(argument, format!("this makes more than {MAX_TEXT_BYTES} bytes"))
}

/// Arguments already converted to the kinds of their parameters.
struct Arguments(Vec<Value>);

impl Arguments {
    fn given(&self, at: usize) -> bool {
        at < self.0.len()
    }

    fn value(&self, at: usize) -> &Value {
        self.0.get(at).unwrap_or(&Value::Null)
    }

    fn text(&self, at: usize) -> &str {
        if let Value::Text(text) = self.value(at) { text } else { "" }
    }

    fn number(&self, at: usize) -> Numeric {
        if let Value::Number(number) = self.value(at) { *number } else { Numeric::Whole(0) }
    }

    fn whole(&self, at: usize) -> Result<i64, Fault> {
        let number = self.number(at);
        match number.as_i64() {
            Some(whole) => Ok(whole),
            None => fault(at, format!("a whole number is needed, not {number}")),
        }
    }

    fn size(&self, at: usize) -> Result<usize, Fault> {
        let whole = self.whole(at)?;
        match usize::try_from(whole) {
            Ok(size) => Ok(size),
            Err(_) => fault(at, format!("must not be negative, but is {whole}")),
        }
    }

    fn list(&self, at: usize) -> &[Value] {
        if let Value::List(items) = self.value(at) { items } else { &[] }
    }

    fn map(&self, at: usize) -> &BTreeMap<String, Value> {
        static EMPTY: BTreeMap<String, Value> = BTreeMap::new();
        if let Value::Map(map) = self.value(at) { map } else { &EMPTY }
    }

    /// The arguments from a position on.
    fn rest(&self, from: usize) -> &[Value] {
        self.0.get(from..).unwrap_or_default()
    }
}

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

/// Calls a function by name.
pub(super) fn call(evaluator: &Evaluator<'_>, call: &FuncCall, span: &Span, scope: &Scope<'_>) -> Evaluated {
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
    (function.run)(&Arguments(values)).map_err(|fault| {
        let at = fault.argument.and_then(|at| spans.get(at)).unwrap_or(span);
        evaluator.source.error(at, format!("{name}: {}", fault.message))
    })
}

fn unknown(evaluator: &Evaluator<'_>, name: &str, span: &Span) -> crate::text::Diagnostic {
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
) -> Result<(Vec<Value>, Vec<Span>), crate::text::Diagnostic> {
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
) -> Result<Vec<Value>, crate::text::Diagnostic> {
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

/// The first argument that has a value.
fn miscounted(
    evaluator: &Evaluator<'_>,
    span: &Span,
    name: &str,
    (wanted, given): (&str, usize),
) -> crate::text::Diagnostic {
    let message = format!("wrong number of arguments for `{name}`: {given} instead of {wanted}");
    evaluator.source.error(span, message)
}

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

fn only(call: &FuncCall, count: usize) -> Option<Vec<&Expression>> {
    let arguments: Vec<_> = call.args.iter().collect();
    (arguments.len() == count && !call.args.expand_final()).then_some(arguments)
}
