//! `variable` blocks: their types, defaults, given values and conditions.

use std::cell::RefCell;
use std::collections::BTreeMap;

use hcl_edit::Span as _;
use hcl_edit::structure::{Block, Body};

use super::evaluate::{Evaluated, Evaluator, Roots, Scope, Unbound};
use super::module::{NoRoots, attribute, read_plain, values_of};
use super::types::TypeConstraint;
use super::value::Value;
use crate::text::diagnostic::Diagnostic;
use crate::text::options::Options;
use crate::text::source::{Source, Span};

const KEYS: [&str; 5] = ["type", "default", "description", "sensitive", "validation"];
/// Prefixes of environment variables that give values; the later one wins.
const PREFIXES: [&str; 2] = ["NOMAD_VAR_", "ENCAMP_VAR_"];

type Said<'s> = &'s RefCell<Vec<Diagnostic>>;

struct Declared<'b> {
    span: Span,
    kind: TypeConstraint,
    default: Option<Value>,
    block: Option<&'b Block>,
}

/// Puts the values of all declared variables into `into`; nothing for those that have none.
pub(super) fn declare(
    source: &Source,
    body: &Body,
    options: &Options,
    said: Said<'_>,
    into: &mut BTreeMap<String, Option<Value>>,
) {
    let evaluator = Evaluator::new(source, options, &NoRoots, Unbound::Refuse, said);
    let mut declared = BTreeMap::new();
    for block in body.blocks() {
        if block.has_ident("variable") {
            if let Some((name, variable)) = variable(&evaluator, block) {
                enter(&evaluator, &mut declared, name, variable);
            }
        } else if block.has_ident("variables") {
            for attribute in block.body.attributes() {
                let span = attribute.key.span().unwrap_or_default();
                let value = report(&evaluator, evaluator.value(&attribute.value, &Scope::EMPTY));
                let kind = value.as_ref().map_or(TypeConstraint::Any, TypeConstraint::of);
                let variable = Declared { span, kind, default: value, block: None };
                enter(&evaluator, &mut declared, attribute.key.as_str().to_owned(), variable);
            }
        }
    }
    let mut given = given(source, options, &declared, said);
    for (name, variable) in &declared {
        let value = given.remove(name).or_else(|| variable.default.clone().map(Some));
        if value.is_none() && variable.block.is_some_and(|block| attribute(block, "default").is_none()) {
            let error = source.error(&variable.span, format!("the variable `{name}` has no value"));
            said.borrow_mut()
                .push(error.hint(format!("give one with `-var {name}=…`, ENCAMP_VAR_{name} or a `default`")));
        }
        into.insert(name.clone(), value.flatten());
    }
    for (name, variable) in &declared {
        if let Some(block) = variable.block {
            check(source, options, said, (name, block), into);
        }
    }
}

fn enter<'b>(
    evaluator: &Evaluator<'_>,
    declared: &mut BTreeMap<String, Declared<'b>>,
    name: String,
    variable: Declared<'b>,
) {
    if declared.contains_key(&name) {
        let message = format!("the variable `{name}` is declared twice");
        evaluator.say(evaluator.source.error(&variable.span, message));
    }
    declared.insert(name, variable);
}

fn variable<'b>(evaluator: &Evaluator<'_>, block: &'b Block) -> Option<(String, Declared<'b>)> {
    let here = block.ident.span().unwrap_or_default();
    let [label] = &block.labels[..] else {
        evaluator.say(evaluator.source.error(&here, "a variable has one name: `variable \"name\" {}`"));
        return None;
    };
    let span = label.span().unwrap_or(here);
    let attributes = block.body.attributes().map(|attribute| &attribute.key);
    for key in attributes.chain(block.body.blocks().map(|block| &block.ident)) {
        if !KEYS.contains(&key.as_str()) {
            let at = key.span().unwrap_or_default();
            let error = evaluator.source.error(&at, format!("unknown key `{}` in `variable`", key.as_str()));
            evaluator.say(error.allowed(KEYS).nearest(key.as_str(), KEYS));
        }
    }
    let given = attribute(block, "type")
        .and_then(|kind| report(evaluator, TypeConstraint::parse(evaluator, kind, &Scope::EMPTY)));
    let expression = attribute(block, "default");
    let default = expression.and_then(|default| report(evaluator, evaluator.value(default, &Scope::EMPTY)));
    let kind = given.unwrap_or_else(|| default.as_ref().map_or(TypeConstraint::Any, TypeConstraint::of));
    let default = default.and_then(|value| match kind.convert(value) {
        Ok(value) => Some(value),
        Err(message) => {
            let at = expression.map_or_else(|| span.clone(), |expression| evaluator.span(expression));
            evaluator
                .say(evaluator.source.error(&at, format!("the default does not fit the type: {message}")));
            None
        }
    });
    Some((label.as_str().to_owned(), Declared { span, kind, default, block: Some(block) }))
}

fn report<T>(evaluator: &Evaluator<'_>, result: Result<T, Diagnostic>) -> Option<T> {
    result.map_err(|error| evaluator.say(error)).ok()
}

/// The values given from outside. Nothing within for a variable whose value is refused.
fn given(
    source: &Source,
    options: &Options,
    declared: &BTreeMap<String, Declared<'_>>,
    said: Said<'_>,
) -> BTreeMap<String, Option<Value>> {
    let mut given = BTreeMap::new();
    let say = |error: Diagnostic| said.borrow_mut().push(error);
    for (name, variable) in declared {
        for prefix in PREFIXES {
            if let Some(text) = options.env.get(&format!("{prefix}{name}")) {
                let value = read_plain(&variable.kind, name, text, options).map_err(|message| {
                    say(source.error(
                        &variable.span,
                        format!("the value of {prefix}{name} does not fit: {message}"),
                    ));
                });
                given.insert(name.clone(), value.ok());
            }
        }
    }
    for file in &options.var_files {
        for (name, span, value) in values_of(file, options, said) {
            let Some(variable) = declared.get(&name) else {
                if !options.ignore_undeclared {
                    said.borrow_mut().push(undeclared(
                        file.error(&span, undeclared_message(&name)),
                        &name,
                        declared,
                    ));
                }
                continue;
            };
            let value = variable.kind.convert(value).map_err(|message| {
                let error = file.error(&span, format!("the value of `{name}` does not fit: {message}"));
                said.borrow_mut().push(error);
            });
            given.insert(name, value.ok());
        }
    }
    for (name, text) in &options.variables {
        let Some(variable) = declared.get(name) else {
            if !options.ignore_undeclared {
                said.borrow_mut().push(undeclared(
                    Diagnostic::error(undeclared_message(name)),
                    name,
                    declared,
                ));
            }
            continue;
        };
        let value = read_plain(&variable.kind, name, text, options).map_err(|message| {
            let message = format!("the value given for `{name}` does not fit: {message}");
            said.borrow_mut().push(source.error(&variable.span, message));
        });
        given.insert(name.clone(), value.ok());
    }
    given
}

fn undeclared_message(name: &str) -> String {
    format!("a value is given for the variable `{name}`, which is not declared")
}

fn undeclared(error: Diagnostic, name: &str, declared: &BTreeMap<String, Declared<'_>>) -> Diagnostic {
    error
        .allowed(declared.keys().cloned())
        .nearest(name, declared.keys().map(String::as_str))
        .hint(format!("declare it in the job file: `variable \"{name}\" {{}}`"))
}

/// Only `var`, for the conditions of variables.
struct Variables<'v>(&'v BTreeMap<String, Option<Value>>);

impl Roots for Variables<'_> {
    fn root(&self, _: &Evaluator<'_>, name: &str, _: &Span) -> Option<Evaluated> {
        let known =
            || self.0.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
        (name == "var").then(|| Ok(Value::Map(known())))
    }

    fn member(&self, _: &Evaluator<'_>, _: &str, _: &str, _: &Span) -> Option<Evaluated> {
        None
    }
}

fn check(
    source: &Source,
    options: &Options,
    said: Said<'_>,
    (name, block): (&str, &Block),
    values: &BTreeMap<String, Option<Value>>,
) {
    if !matches!(values.get(name), Some(Some(_))) {
        return;
    }
    let roots = Variables(values);
    let evaluator = Evaluator::new(source, options, &roots, Unbound::Refuse, said);
    for validation in block.body.get_blocks("validation") {
        let here = validation.ident.span().unwrap_or_default();
        let Some(condition) = attribute(validation, "condition") else {
            evaluator.say(source.error(&here, "a validation needs a `condition` and an `error_message`"));
            continue;
        };
        let text = attribute(validation, "error_message").map(|text| evaluator.value(text, &Scope::EMPTY));
        let message = text.and_then(|text| report(&evaluator, text)).and_then(|text| text.to_text());
        match evaluator.value(condition, &Scope::EMPTY).map(|value| value.to_bool()) {
            Ok(Some(true)) => {}
            Ok(Some(false)) => {
                let said =
                    message.unwrap_or_else(|| format!("the value of `{name}` is refused by its condition"));
                evaluator.say(evaluator.error(condition, said));
            }
            Ok(None) => evaluator.say(evaluator.error(condition, "the condition must be true or false")),
            Err(error) => evaluator.say(error),
        }
    }
}
