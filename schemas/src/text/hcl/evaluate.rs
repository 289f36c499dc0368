//! Expressions to values, by the rules of HashiCorp's implementation.
//!
//! One expression gives one value or one error; whoever holds many expressions collects the errors. A name
//! that is neither a variable, a local nor bound by a `for` is not an error in a job: the scheduler and the
//! node know `attr`, `meta`, `env` and the like, so such a reference is kept as it was written.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, FuncCall, Object, ObjectKey};
use hcl_edit::{Ident, Span as _};

use super::functions;
use super::number::Numeric;
use super::operators;
use super::template::{Quoting, unescape};
use super::value::Value;
use crate::limits::{COMPLAINTS, EVALUATED_BYTES, EVALUATED_VALUES};
use crate::text::diagnostic::Diagnostic;
use crate::text::options::Options;
use crate::text::source::{MAX_BYTES, Source, Span};
use crate::validate::nearest;

/// How deep evaluation may nest, locals that name locals included.
const MAX_DEPTH: usize = 128;
/// How long one text may become: as long as a whole job.
pub(super) const MAX_TEXT_BYTES: usize = MAX_BYTES;

pub(crate) type Evaluated = Result<Value, Diagnostic>;

/// What to do with a reference whose first name nobody has bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unbound {
    /// Keep its text: it is resolved where the task runs.
    Keep,
    /// Refuse it.
    Refuse,
}

/// Where names that are no loop variables come from.
pub(crate) trait Roots {
    /// The value of a root such as `var`; nothing if there is no such root.
    fn root(&self, evaluator: &Evaluator<'_>, name: &str, span: &Span) -> Option<Evaluated>;
    /// The value of a member of a root, so that `local.a` need not evaluate every other local.
    fn member(&self, evaluator: &Evaluator<'_>, root: &str, name: &str, span: &Span) -> Option<Evaluated>;
}

/// Evaluates the expressions of one source.
pub(crate) struct Evaluator<'a> {
    pub(crate) source: &'a Source,
    pub(crate) options: &'a Options,
    pub(crate) roots: &'a dyn Roots,
    pub(crate) unbound: Unbound,
    pub(crate) said: &'a RefCell<Vec<Diagnostic>>,
    depth: Cell<usize>,
    steps: Cell<usize>,
    built_bytes: Cell<usize>,
}

/// The names bound by loops around an expression.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    names: Option<&'s BTreeMap<String, Value>>,
    outer: Option<&'s Scope<'s>>,
}

impl<'s> Scope<'s> {
    /// No loop around.
    pub(crate) const EMPTY: Scope<'static> = Scope { names: None, outer: None };

    /// A scope within this one.
    pub(crate) fn within(&'s self, names: &'s BTreeMap<String, Value>) -> Scope<'s> {
        Scope { names: Some(names), outer: Some(self) }
    }

    /// Whether a reference starts with a name that somebody has bound.
    pub(crate) fn knows(&self, root: &str) -> bool {
        self.binds(root) || matches!(root, "var" | "local")
    }

    /// Whether a loop around binds the name.
    pub(crate) fn binds(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&Value> {
        let here = self.names.and_then(|names| names.get(name));
        here.or_else(|| self.outer.and_then(|outer| outer.find(name)))
    }
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        source: &'a Source,
        options: &'a Options,
        roots: &'a dyn Roots,
        unbound: Unbound,
        said: &'a RefCell<Vec<Diagnostic>>,
    ) -> Evaluator<'a> {
        let (depth, steps, built_bytes) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Evaluator { source, options, roots, unbound, said, depth, steps, built_bytes }
    }

    /// The value of an expression.
    pub(crate) fn value(&self, expression: &Expression, scope: &Scope<'_>) -> Evaluated {
        let depth = self.depth.get();
        self.step(&self.span(expression))?;
        if depth >= MAX_DEPTH {
            return Err(self.error(expression, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        self.depth.set(depth + 1);
        let value = self.dispatch(expression, scope);
        self.depth.set(depth);
        let value = value?;
        self.spend(value.size_bytes(), &self.span(expression))?;
        if let Value::Text(text) = &value
            && text.len() > MAX_TEXT_BYTES
        {
            return Err(self.error(expression, format!("a text of more than {MAX_TEXT_BYTES} bytes")));
        }
        Ok(value)
    }

    /// Counts bytes that are built or looked through, and refuses too many.
    pub(crate) fn spend(&self, bytes: usize, span: &Span) -> Result<(), Diagnostic> {
        self.built_bytes.set(self.built_bytes.get().saturating_add(bytes));
        if self.built_bytes.get() > EVALUATED_BYTES {
            let message = format!("the values of this file take more than {EVALUATED_BYTES} bytes");
            return Err(self.source.error(span, message));
        }
        Ok(())
    }

    /// Counts a value about to be built and refuses to build too many.
    pub(crate) fn step(&self, span: &Span) -> Result<(), Diagnostic> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if steps > EVALUATED_VALUES {
            let message = format!("evaluation takes more than {EVALUATED_VALUES} steps");
            return Err(self.source.error(span, message));
        }
        if self.is_noise() {
            return Err(echo());
        }
        Ok(())
    }

    /// Whether so much is wrong already that looking further only costs time.
    pub(crate) fn is_noise(&self) -> bool {
        self.said.borrow().len() >= COMPLAINTS
    }

    pub(crate) fn span(&self, expression: &Expression) -> Span {
        let whole = expression.span().unwrap_or_default();
        let blank = self.source.slice(&whole);
        whole.start..whole.start + blank.trim_end().len().max(1)
    }

    pub(crate) fn error(&self, expression: &Expression, message: impl Into<String>) -> Diagnostic {
        self.source.error(&self.span(expression), message)
    }

    fn dispatch(&self, expression: &Expression, scope: &Scope<'_>) -> Evaluated {
        match expression {
            Expression::Null(_) => Ok(Value::Null),
            Expression::Bool(flag) => Ok(Value::Bool(*flag.value())),
            Expression::Number(_) => self.literal_number(expression),
            Expression::String(_) => self.literal_text(expression),
            Expression::Array(items) => {
                items.iter().map(|item| self.value(item, scope)).collect::<Result<_, _>>().map(Value::List)
            }
            Expression::Object(object) => self.object(object, scope),
            Expression::StringTemplate(template) => self.template(template, Quoting::Quoted, scope),
            Expression::HeredocTemplate(heredoc) => {
                let indented = self.source.slice(&self.span(expression)).starts_with("<<-");
                let quoting = if indented { Quoting::Indented } else { Quoting::Heredoc };
                self.template(&heredoc.template, quoting, scope)
            }
            Expression::Parenthesis(inner) => self.value(inner.inner(), scope),
            Expression::Variable(name) => self.variable(name.value(), &self.span(expression), scope),
            Expression::Conditional(conditional) => self.conditional(conditional, scope),
            Expression::FuncCall(call) => self.call(call, expression, scope),
            Expression::Traversal(traversal) => self.traversal(traversal, expression, scope),
            Expression::UnaryOp(operation) => operators::unary(self, operation, scope),
            Expression::BinaryOp(operation) => operators::binary(self, operation, scope),
            Expression::ForExpr(expression) => self.for_expression(expression, scope),
        }
    }

    fn literal_number(&self, expression: &Expression) -> Evaluated {
        let text: String =
            self.source.slice(&self.span(expression)).chars().filter(|c| !c.is_whitespace()).collect();
        Numeric::parse(&text)
            .map(Value::Number)
            .ok_or_else(|| self.error(expression, "this number is too large"))
    }

    fn literal_text(&self, expression: &Expression) -> Evaluated {
        let span = self.span(expression);
        let within = span.start + 1..span.end.saturating_sub(1).max(span.start + 1);
        unescape(self.source, &within, self.source.slice(&within)).map(Value::Text)
    }

    fn object(&self, object: &Object, scope: &Scope<'_>) -> Evaluated {
        let mut map = BTreeMap::new();
        for (key, value) in object {
            map.insert(self.object_key(key, scope)?.0, self.value(value.expr(), scope)?);
        }
        Ok(Value::Map(map))
    }

    /// The text of an object key and where it stands.
    pub(crate) fn object_key(
        &self,
        key: &ObjectKey,
        scope: &Scope<'_>,
    ) -> Result<(String, Span), Diagnostic> {
        match key {
            ObjectKey::Ident(name) => Ok((name.as_str().to_owned(), name.span().unwrap_or_default())),
            ObjectKey::Expression(expression @ Expression::Traversal(_)) => Err(self
                .error(expression, "a key with dots is ambiguous")
                .hint("put it in quotes if it is a key, or in parentheses if it is a reference")),
            ObjectKey::Expression(expression) => {
                let value = self.value(expression, scope)?;
                let text = value.to_text();
                let text = text.ok_or_else(|| {
                    self.error(expression, format!("a key must be a string, not {}", value.kind()))
                })?;
                Ok((text, self.span(expression)))
            }
        }
    }

    fn conditional(&self, conditional: &hcl_edit::expr::Conditional, scope: &Scope<'_>) -> Evaluated {
        let condition = self.value(&conditional.cond_expr, scope)?;
        let condition = condition.to_bool().ok_or_else(|| {
            self.error(
                &conditional.cond_expr,
                format!("the condition must be true or false, not {}", condition.kind()),
            )
        })?;
        let yes = self.value(&conditional.true_expr, scope);
        let no = self.value(&conditional.false_expr, scope);
        let (chosen, other) = if condition { (yes?, no) } else { (no?, yes) };
        let Ok(other) = other else { return Ok(chosen) };
        let (have, want) = (chosen.kind(), other.kind());
        adapt(chosen, &other).ok_or_else(|| {
            let message = format!("both results must have one type, not {have} and {want}");
            self.error(&conditional.true_expr, message)
        })
    }

    fn call(&self, call: &FuncCall, expression: &Expression, scope: &Scope<'_>) -> Evaluated {
        let span = call.name.name.span().unwrap_or_else(|| self.span(expression));
        if call.name.is_namespaced() {
            return Err(self.source.error(&span, "functions of a namespace are not supported"));
        }
        functions::call(self, call, &span, scope)
    }

    fn variable(&self, name: &Ident, span: &Span, scope: &Scope<'_>) -> Evaluated {
        if let Some(value) = scope.find(name) {
            return Ok(value.clone());
        }
        if let Some(value) = self.roots.root(self, name, span) {
            return value;
        }
        self.unbound(name, span)
    }

    /// The value of a reference that nobody has bound, whose text is `span`.
    pub(crate) fn unbound(&self, root: &str, span: &Span) -> Evaluated {
        match self.unbound {
            Unbound::Keep => {
                self.doubt(root, span);
                Ok(Value::text(self.source.slice(span)))
            }
            Unbound::Refuse => Err(self
                .source
                .error(span, format!("`{root}` is not known here"))
                .hint(format!("put it in quotes if the word is meant: \"{root}\""))),
        }
    }

    /// Warns about a reference that is kept but looks like a misspelt `var` or `local`.
    pub(crate) fn doubt(&self, root: &str, span: &Span) {
        let meant = match root {
            "variable" | "variables" => Some("var"),
            _ => nearest(root, &["var", "local"]),
        };
        if let Some(meant) = meant {
            let warning =
                format!("`{root}` is not known here, so the text is kept as it is for the node to resolve");
            self.say(self.source.warning(span, warning).hint(format!("did you mean `{meant}`?")));
        }
    }

    /// The keys and values that a `for` walks over.
    pub(crate) fn pairs(
        &self,
        collection: &Expression,
        scope: &Scope<'_>,
    ) -> Result<Vec<(Value, Value)>, Diagnostic> {
        match self.value(collection, scope)? {
            Value::List(items) => {
                Ok(items.into_iter().enumerate().map(|(index, item)| (Value::number(index), item)).collect())
            }
            Value::Map(map) => Ok(map.into_iter().map(|(key, value)| (Value::Text(key), value)).collect()),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_)) => {
                Err(self.error(collection, format!("`for` walks over a list or a map, not {}", other.kind())))
            }
        }
    }
}

/// An error that is already said elsewhere; see [`Evaluator::say`].
pub(super) fn echo() -> Diagnostic {
    Diagnostic::error(String::new())
}

/// The names that one round of a loop binds.
pub(crate) fn bind(
    key_name: Option<&Ident>,
    value_name: &Ident,
    key: Value,
    value: Value,
) -> BTreeMap<String, Value> {
    let mut names = BTreeMap::new();
    if let Some(name) = key_name {
        names.insert(name.as_str().to_owned(), key);
    }
    names.insert(value_name.as_str().to_owned(), value);
    names
}

/// The chosen result of a conditional in the type that both results share: strings win over numbers and
/// booleans. Nothing where there is no such type.
fn adapt(chosen: Value, other: &Value) -> Option<Value> {
    match (chosen, other) {
        (Value::List(items), Value::List(others)) if items.len() == others.len() => items
            .into_iter()
            .zip(others)
            .map(|(item, other)| adapt(item, other))
            .collect::<Option<_>>()
            .map(Value::List),
        (chosen, other)
            if chosen.kind() == other.kind() || chosen == Value::Null || *other == Value::Null =>
        {
            Some(chosen)
        }
        (chosen, Value::Text(_)) => chosen.to_text().map(Value::Text),
        (Value::Text(text), other) if other.is_primitive() => Some(Value::Text(text)),
        (_, _) => None,
    }
}
