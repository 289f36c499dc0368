//! The variables and locals of a file.
//!
//! Values come from the environment, then from variable files, then from the command line; later ones win.
//! Locals may name each other in any order; one that needs itself is refused with the way round.

use std::cell::RefCell;
use std::collections::BTreeMap;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use super::evaluate::{Evaluated, Evaluator, Roots, Scope, Unbound, echo};
use super::types::TypeConstraint;
use super::value::Value;
use crate::text::diagnostic::Diagnostic;
use crate::text::options::Options;
use crate::text::source::{Source, Span};

/// Names that resolve to nothing: for files of values, which may not refer to anything.
pub(crate) struct NoRoots;

impl Roots for NoRoots {
    fn root(&self, _: &Evaluator<'_>, _: &str, _: &Span) -> Option<Evaluated> {
        None
    }

    fn member(&self, _: &Evaluator<'_>, _: &str, _: &str, _: &Span) -> Option<Evaluated> {
        None
    }
}

/// The variables and locals of one file.
#[derive(Default)]
pub(crate) struct Module<'b> {
    /// Nothing for a variable whose error is already said.
    variables: BTreeMap<String, Option<Value>>,
    locals: BTreeMap<String, (&'b Expression, Span)>,
    states: RefCell<BTreeMap<String, State>>,
    /// The locals being computed, to name the way round of a cycle.
    path: RefCell<Vec<String>>,
}

enum State {
    Running,
    Done(Value),
    Failed,
}

impl<'b> Module<'b> {
    /// Declares the variables and locals of a body.
    pub(crate) fn load(
        source: &Source,
        body: &'b Body,
        options: &Options,
        said: &RefCell<Vec<Diagnostic>>,
    ) -> Module<'b> {
        let mut module = Module::default();
        for block in body.blocks().filter(|block| block.has_ident("locals")) {
            for attribute in block.body.attributes() {
                let span = attribute.key.span().unwrap_or_default();
                let name = attribute.key.as_str().to_owned();
                if module.locals.insert(name.clone(), (&attribute.value, span.clone())).is_some() {
                    said.borrow_mut()
                        .push(source.error(&span, format!("the local `{name}` is declared twice")));
                }
            }
            for inner in block.body.blocks() {
                let span = inner.ident.span().unwrap_or_default();
                let message = format!("`locals` holds values, not the block `{}`", inner.ident.as_str());
                said.borrow_mut().push(source.error(&span, message).hint("write `name = value`"));
            }
        }
        super::variables::declare(source, body, options, said, &mut module.variables);
        module
    }

    /// Computes every local, so that errors are said even in those that nobody uses.
    pub(crate) fn check_locals(&self, evaluator: &Evaluator<'_>) {
        for (name, (_, span)) in &self.locals {
            if let Err(error) = self.local(evaluator, name, span) {
                evaluator.say(error);
            }
        }
    }

    fn local(&self, evaluator: &Evaluator<'_>, name: &str, span: &Span) -> Evaluated {
        match self.states.borrow().get(name) {
            Some(State::Done(value)) => return Ok(value.clone()),
            Some(State::Failed) => return Err(echo()),
            Some(State::Running) => return Err(self.cycle(evaluator, name, span)),
            None => {}
        }
        let Some((expression, _)) = self.locals.get(name) else {
            let names: Vec<&str> = self.locals.keys().map(String::as_str).collect();
            return Err(missing(evaluator.source, "local", name, span, &names));
        };
        self.states.borrow_mut().insert(name.to_owned(), State::Running);
        self.path.borrow_mut().push(name.to_owned());
        let value = evaluator.value(expression, &Scope::EMPTY);
        self.path.borrow_mut().pop();
        let state = value.as_ref().map_or(State::Failed, |value| State::Done(value.clone()));
        self.states.borrow_mut().insert(name.to_owned(), state);
        value
    }

    fn cycle(&self, evaluator: &Evaluator<'_>, name: &str, span: &Span) -> Diagnostic {
        let path = self.path.borrow();
        let from = path.iter().position(|step| step == name).unwrap_or(0);
        let way: Vec<String> = path[from..].iter().map(|step| format!("local.{step}")).collect();
        evaluator
            .source
            .error(span, format!("the local `{name}` needs itself: {} → local.{name}", way.join(" → ")))
            .hint("give one of them a value of its own")
    }
}

impl Roots for Module<'_> {
    fn root(&self, evaluator: &Evaluator<'_>, name: &str, span: &Span) -> Option<Evaluated> {
        match name {
            "var" => {
                let known =
                    self.variables.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
                Some(Ok(Value::Map(known.collect())))
            }
            "local" => {
                let names: Vec<&String> = self.locals.keys().collect();
                let each =
                    names.into_iter().map(|name| Ok((name.clone(), self.local(evaluator, name, span)?)));
                Some(each.collect::<Result<_, _>>().map(Value::Map))
            }
            _ => None,
        }
    }

    fn member(&self, evaluator: &Evaluator<'_>, root: &str, name: &str, span: &Span) -> Option<Evaluated> {
        match root {
            "local" => Some(self.local(evaluator, name, span)),
            "var" => Some(match self.variables.get(name) {
                Some(Some(value)) => Ok(value.clone()),
                Some(None) => Err(echo()),
                None => {
                    let names: Vec<&str> = self.variables.keys().map(String::as_str).collect();
                    Err(missing(evaluator.source, "variable", name, span, &names))
                }
            }),
            _ => None,
        }
    }
}

/// With how many names one that is not there is compared.
const COMPARED: usize = 1_000;

fn missing(source: &Source, what: &str, name: &str, span: &Span, names: &[&str]) -> Diagnostic {
    let declare = if what == "local" {
        format!("declare it: `locals {{ {name} = … }}`")
    } else {
        format!("declare it: `variable \"{name}\" {{}}`")
    };
    source
        .error(span, format!("there is no {what} `{name}`"))
        .allowed(names.iter().take(20).copied())
        .nearest(name, names.iter().copied().take(COMPARED))
        .hint(declare)
}

/// The values that a file of `name = value` lines gives.
pub(crate) fn values_of(
    source: &Source,
    options: &Options,
    said: &RefCell<Vec<Diagnostic>>,
) -> Vec<(String, Span, Value)> {
    let body = match super::syntax::parse(source) {
        Ok(body) => body,
        Err(error) => {
            said.borrow_mut().push(error);
            return Vec::new();
        }
    };
    for block in body.blocks() {
        let span = block.ident.span().unwrap_or_default();
        let error = source.error(&span, "a variable file holds only `name = value` lines");
        said.borrow_mut().push(error.hint("declare variables in the job file itself"));
    }
    let evaluator = Evaluator::new(source, options, &NoRoots, Unbound::Refuse, said);
    let mut values = Vec::new();
    for attribute in body.attributes() {
        let span = attribute.key.span().unwrap_or_default();
        match evaluator.value(&attribute.value, &Scope::EMPTY) {
            Ok(value) => values.push((attribute.key.as_str().to_owned(), span, value)),
            Err(error) => evaluator.say(error),
        }
    }
    values
}

/// The value of one attribute of a block, if the block has it.
pub(crate) fn attribute<'b>(block: &'b Block, name: &str) -> Option<&'b Expression> {
    block.body.get_attribute(name).map(|attribute| &attribute.value)
}

/// A variable's value given as text: the text itself, or an expression where its type is a composite one.
pub(crate) fn read_plain(
    kind: &TypeConstraint,
    name: &str,
    text: &str,
    options: &Options,
) -> Result<Value, String> {
    if kind.is_plain() {
        return kind.convert(Value::text(text));
    }
    let source = Source::new(name, format!("value = {text}\n"));
    let said = RefCell::default();
    let body = super::syntax::parse(&source).map_err(|error| error.message)?;
    let evaluator = Evaluator::new(&source, options, &NoRoots, Unbound::Refuse, &said);
    let expression =
        body.get_attribute("value").map(|attribute| &attribute.value).ok_or("a value is needed")?;
    let value = evaluator.value(expression, &Scope::EMPTY).map_err(|error| error.message)?;
    kind.convert(value)
}
