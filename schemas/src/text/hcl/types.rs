//! Type constraints of variables, and the conversions they ask for.

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, FuncCall, Object};

use super::evaluate::{Evaluator, Scope};
use super::value::Value;
use crate::text::diagnostic::Diagnostic;

/// What a variable may hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TypeConstraint {
    Any,
    Text,
    Number,
    Bool,
    List(Box<TypeConstraint>),
    Set(Box<TypeConstraint>),
    Map(Box<TypeConstraint>),
    Tuple(Vec<TypeConstraint>),
    Object(BTreeMap<String, Field>),
}

/// An attribute of an object type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    kind: TypeConstraint,
    /// Set where the attribute may be missing.
    default: Option<Value>,
}

const NAMES: [&str; 9] = ["any", "string", "number", "bool", "list", "set", "map", "tuple", "object"];
/// How deep types may nest.
const MAX_DEPTH: usize = 16;

impl TypeConstraint {
    /// Reads a type such as `list(string)`. The words may also stand in quotes, as they did in older files.
    pub(crate) fn parse(
        evaluator: &Evaluator<'_>,
        expression: &Expression,
        scope: &Scope<'_>,
    ) -> Result<TypeConstraint, Diagnostic> {
        parse(evaluator, expression, scope, 0)
    }

    /// The type that a default value implies.
    pub(crate) fn of(value: &Value) -> TypeConstraint {
        match value {
            Value::Null => TypeConstraint::Any,
            Value::Bool(_) => TypeConstraint::Bool,
            Value::Number(_) => TypeConstraint::Number,
            Value::Text(_) => TypeConstraint::Text,
            Value::List(_) => TypeConstraint::List(Box::new(TypeConstraint::Any)),
            Value::Map(_) => TypeConstraint::Map(Box::new(TypeConstraint::Any)),
        }
    }

    /// Whether a value given as plain text is that text, not an expression.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(
            self,
            TypeConstraint::Any | TypeConstraint::Text | TypeConstraint::Number | TypeConstraint::Bool
        )
    }

    /// The value as this type, or why it is none.
    pub(crate) fn convert(&self, value: Value) -> Result<Value, String> {
        let kind = value.kind();
        let converted = match (self, value) {
            (TypeConstraint::Any, value) => Some(value),
            (_, Value::Null) => Some(Value::Null),
            (TypeConstraint::Text, value) => value.to_text().map(Value::Text),
            (TypeConstraint::Number, value) => value.to_number().map(Value::Number),
            (TypeConstraint::Bool, value) => value.to_bool().map(Value::Bool),
            (TypeConstraint::List(of), Value::List(items)) => Some(Value::List(each(of, items)?)),
            (TypeConstraint::Set(of), Value::List(items)) => {
                let mut items = each(of, items)?;
                items.sort_by_key(|item| item.to_json().to_string());
                items.dedup();
                Some(Value::List(items))
            }
            (TypeConstraint::Map(of), Value::Map(map)) => {
                let convert = |(key, item): (String, Value)| {
                    of.convert(item)
                        .map(|item| (key.clone(), item))
                        .map_err(|error| format!("{key}: {error}"))
                };
                Some(Value::Map(map.into_iter().map(convert).collect::<Result<_, _>>()?))
            }
            (TypeConstraint::Tuple(kinds), Value::List(items)) if kinds.len() == items.len() => {
                let pairs = kinds.iter().zip(items);
                Some(Value::List(pairs.map(|(kind, item)| kind.convert(item)).collect::<Result<_, _>>()?))
            }
            (TypeConstraint::Object(fields), Value::Map(map)) => Some(object(fields, map)?),
            (
                TypeConstraint::List(_)
                | TypeConstraint::Set(_)
                | TypeConstraint::Map(_)
                | TypeConstraint::Tuple(_)
                | TypeConstraint::Object(_),
                _,
            ) => None,
        };
        converted.ok_or_else(|| format!("{} is needed, not {kind}", self.wanted()))
    }

    fn wanted(&self) -> String {
        match self {
            TypeConstraint::Any => "anything".to_owned(),
            TypeConstraint::Text => "a string".to_owned(),
            TypeConstraint::Number => "a number".to_owned(),
            TypeConstraint::Bool => "true or false".to_owned(),
            TypeConstraint::List(_) | TypeConstraint::Set(_) => "a list".to_owned(),
            TypeConstraint::Map(_) | TypeConstraint::Object(_) => "a map".to_owned(),
            TypeConstraint::Tuple(kinds) => format!("a list of {} values", kinds.len()),
        }
    }
}

fn each(of: &TypeConstraint, items: Vec<Value>) -> Result<Vec<Value>, String> {
    let convert = |(at, item)| of.convert(item).map_err(|error| format!("element {at}: {error}"));
    items.into_iter().enumerate().map(convert).collect()
}

fn object(fields: &BTreeMap<String, Field>, mut map: BTreeMap<String, Value>) -> Result<Value, String> {
    let mut converted = BTreeMap::new();
    for (name, field) in fields {
        let value = match (map.remove(name), &field.default) {
            (Some(value), _) => value,
            (None, Some(default)) => default.clone(),
            (None, None) => return Err(format!("the attribute `{name}` is missing")),
        };
        let value = field.kind.convert(value).map_err(|error| format!("{name}: {error}"))?;
        converted.insert(name.clone(), value);
    }
    Ok(Value::Map(converted))
}

fn parse(
    evaluator: &Evaluator<'_>,
    expression: &Expression,
    scope: &Scope<'_>,
    depth: usize,
) -> Result<TypeConstraint, Diagnostic> {
    if depth > MAX_DEPTH {
        return Err(evaluator.error(expression, "this type nests too deep"));
    }
    if let Expression::FuncCall(call) = expression {
        return composite(evaluator, expression, call, scope, depth);
    }
    let word = match (expression.as_variable(), expression.as_str()) {
        (Some(name), _) => name.as_str(),
        (None, word) => word.unwrap_or_default(),
    };
    match word {
        "any" => Ok(TypeConstraint::Any),
        "string" => Ok(TypeConstraint::Text),
        "number" => Ok(TypeConstraint::Number),
        "bool" => Ok(TypeConstraint::Bool),
        "list" => Ok(TypeConstraint::List(Box::new(TypeConstraint::Any))),
        "map" => Ok(TypeConstraint::Map(Box::new(TypeConstraint::Any))),
        other => Err(evaluator.error(expression, "this is not a type").allowed(NAMES).nearest(other, NAMES)),
    }
}

fn composite(
    evaluator: &Evaluator<'_>,
    expression: &Expression,
    call: &FuncCall,
    scope: &Scope<'_>,
    depth: usize,
) -> Result<TypeConstraint, Diagnostic> {
    let arguments: Vec<&Expression> = call.args.iter().collect();
    let [argument] = arguments[..] else {
        return Err(evaluator.error(expression, "this type takes one argument, such as `list(string)`"));
    };
    let inner = || parse(evaluator, argument, scope, depth + 1).map(Box::new);
    match (call.name.name.as_str(), argument) {
        ("list", _) => inner().map(TypeConstraint::List),
        ("set", _) => inner().map(TypeConstraint::Set),
        ("map", _) => inner().map(TypeConstraint::Map),
        ("tuple", Expression::Array(items)) => {
            let kinds = items.iter().map(|item| parse(evaluator, item, scope, depth + 1));
            kinds.collect::<Result<_, _>>().map(TypeConstraint::Tuple)
        }
        ("object", Expression::Object(fields)) => object_type(evaluator, fields, scope, depth),
        (other, _) => Err(evaluator
            .error(expression, format!("`{other}(…)` is not a type"))
            .allowed(NAMES)
            .nearest(other, NAMES)),
    }
}

fn object_type(
    evaluator: &Evaluator<'_>,
    fields: &Object,
    scope: &Scope<'_>,
    depth: usize,
) -> Result<TypeConstraint, Diagnostic> {
    let mut object = BTreeMap::new();
    for (key, value) in fields {
        let (name, _) = evaluator.object_key(key, scope)?;
        object.insert(name, field(evaluator, value.expr(), scope, depth)?);
    }
    Ok(TypeConstraint::Object(object))
}

fn field(
    evaluator: &Evaluator<'_>,
    expression: &Expression,
    scope: &Scope<'_>,
    depth: usize,
) -> Result<Field, Diagnostic> {
    if let Expression::FuncCall(call) = expression
        && call.name.name.as_str() == "optional"
    {
        let arguments: Vec<&Expression> = call.args.iter().collect();
        let Some(first) = arguments.first() else {
            return Err(evaluator.error(expression, "`optional` takes a type and, if you like, a default"));
        };
        let kind = parse(evaluator, first, scope, depth + 1)?;
        let default = arguments.get(1).map(|default| evaluator.value(default, scope)).transpose()?;
        return Ok(Field { kind, default: Some(default.unwrap_or(Value::Null)) });
    }
    Ok(Field { kind: parse(evaluator, expression, scope, depth + 1)?, default: None })
}
