//! References and what follows them: attributes, indexes and splats, and `for` expressions.

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, ForExpr, Traversal, TraversalOperator};
use hcl_edit::{Decorated, Span as _};

use super::evaluate::{Evaluated, Evaluator, Scope, bind};
use super::value::Value;
use crate::text::diagnostic::Diagnostic;
use crate::text::source::Span;

/// With how many keys one that is not there is compared.
const COMPARED: usize = 1_000;

type Operators<'t> = &'t [Decorated<TraversalOperator>];

impl Evaluator<'_> {
    pub(super) fn traversal(
        &self,
        traversal: &Traversal,
        expression: &Expression,
        scope: &Scope<'_>,
    ) -> Evaluated {
        let Expression::Variable(root) = &traversal.expr else {
            let base = self.value(&traversal.expr, scope)?;
            return self.follow(base, &traversal.operators, scope);
        };
        let operators = &traversal.operators;
        if !scope.knows(root) {
            let fixed = operators.iter().take_while(|operator| is_fixed(operator.value())).count();
            let whole = self.span(expression);
            let end = match fixed {
                0 => self.span(&traversal.expr).end,
                all if all == operators.len() => whole.end,
                some => operators[some - 1].span().map_or(whole.end, |span| span.end),
            };
            let kept = self.unbound(root, &(whole.start..end))?;
            return self.follow(kept, &operators[fixed..], scope);
        }
        let span = self.span(&traversal.expr);
        if let Some(TraversalOperator::GetAttr(name)) = operators.first().map(Decorated::value)
            && let Some(member) =
                self.roots_member(root, name.as_str(), &(span.start..name_end(name, &span)), scope)
        {
            let member = member?;
            self.spend(member.size_bytes(), &span)?;
            return self.follow(member, &operators[1..], scope);
        }
        let base = self.value(&traversal.expr, scope)?;
        self.follow(base, operators, scope)
    }

    fn roots_member(&self, root: &str, name: &str, span: &Span, scope: &Scope<'_>) -> Option<Evaluated> {
        if scope.binds(root) {
            return None;
        }
        self.roots.member(self, root, name, span)
    }

    fn follow(&self, base: Value, operators: Operators<'_>, scope: &Scope<'_>) -> Evaluated {
        let mut value = base;
        for (position, operator) in operators.iter().enumerate() {
            let rest = &operators[position + 1..];
            let span = operator.span().unwrap_or_default();
            match operator.value() {
                TraversalOperator::GetAttr(name) => value = self.attribute(value, name.as_str(), &span)?,
                TraversalOperator::LegacyIndex(index) => {
                    value = self.index(&value, &Value::Number(u64_number(*index.value())), &span)?;
                }
                TraversalOperator::Index(key) => {
                    let key_value = self.value(key, scope)?;
                    value = self.index(&value, &key_value, &self.span(key))?;
                }
                TraversalOperator::AttrSplat(_) => {
                    let each = rest.iter().take_while(|operator| is_attribute(operator.value())).count();
                    let list = self.splat(value, &rest[..each], scope)?;
                    return self.follow(list, &rest[each..], scope);
                }
                TraversalOperator::FullSplat(_) => return self.splat(value, rest, scope),
            }
        }
        Ok(value)
    }

    fn splat(&self, value: Value, each: Operators<'_>, scope: &Scope<'_>) -> Evaluated {
        let items = match value {
            Value::Null => Vec::new(),
            Value::List(items) => items,
            single @ (Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_)) => vec![single],
        };
        items
            .into_iter()
            .map(|item| self.follow(item, each, scope))
            .collect::<Result<_, _>>()
            .map(Value::List)
    }

    fn attribute(&self, value: Value, name: &str, span: &Span) -> Evaluated {
        match value {
            Value::Map(mut map) => match map.remove(name) {
                Some(found) => Ok(found),
                None => Err(self.missing(&map, name, span)),
            },
            Value::List(_) => Err(self
                .source
                .error(span, format!("a list has no attribute `{name}`"))
                .hint(format!("`[0].{name}` takes that of one element, `[*].{name}` that of each"))),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_)) => {
                Err(self.source.error(span, format!("{} has no attribute `{name}`", other.kind())))
            }
        }
    }

    fn missing(&self, map: &BTreeMap<String, Value>, name: &str, span: &Span) -> Diagnostic {
        self.source
            .error(span, format!("there is no `{name}` in this map"))
            .allowed(map.keys().take(20).cloned())
            .nearest(name, map.keys().map(String::as_str).take(COMPARED))
    }

    /// One element of a list or a map.
    pub(super) fn index(&self, value: &Value, key: &Value, span: &Span) -> Evaluated {
        match value {
            Value::List(items) => {
                let number = key.to_number().and_then(super::number::Numeric::as_i64);
                let number = number.ok_or_else(|| {
                    self.source
                        .error(span, format!("a list is indexed by a whole number, not {}", key.kind()))
                })?;
                let found = usize::try_from(number).ok().and_then(|at| items.get(at));
                found.cloned().ok_or_else(|| {
                    let message = format!("the index {number} is outside of a list of {}", items.len());
                    self.source.error(span, message)
                })
            }
            Value::Map(map) => {
                let Some(name) = key.to_text() else {
                    let message = format!("a map is indexed by a string, not {}", key.kind());
                    return Err(self.source.error(span, message));
                };
                map.get(&name).cloned().ok_or_else(|| self.missing(map, &name, span))
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_)) => {
                Err(self.source.error(span, format!("{} cannot be indexed", other.kind())))
            }
        }
    }

    pub(super) fn for_expression(&self, expression: &ForExpr, scope: &Scope<'_>) -> Evaluated {
        let intro = &expression.intro;
        let mut list = Vec::new();
        let mut map: BTreeMap<String, Value> = BTreeMap::new();
        for (key, value) in self.pairs(&intro.collection_expr, scope)? {
            let names = bind(intro.key_var.as_deref(), &intro.value_var, key, value);
            let inner = scope.within(&names);
            if let Some(condition) = &expression.cond {
                let wanted = self.value(&condition.expr, &inner)?;
                let wanted = wanted.to_bool();
                if !wanted
                    .ok_or_else(|| self.error(&condition.expr, "the condition must be true or false"))?
                {
                    continue;
                }
            }
            let result = self.value(&expression.value_expr, &inner)?;
            match &expression.key_expr {
                None => list.push(result),
                Some(key) => {
                    let name = self.key(key, &inner)?;
                    if !collect(&mut map, name.clone(), result, expression.grouping) {
                        return Err(self
                            .error(key, format!("two elements give the key `{name}`"))
                            .hint("put `...` after the value to group them into lists"));
                    }
                }
            }
        }
        Ok(if expression.key_expr.is_some() { Value::Map(map) } else { Value::List(list) })
    }

    /// The key that one round of a `for` gives to its value.
    fn key(&self, key: &Expression, scope: &Scope<'_>) -> Result<String, Diagnostic> {
        let value = self.value(key, scope)?;
        let name = value.to_text();
        name.ok_or_else(|| self.error(key, format!("a key must be a string, not {}", value.kind())))
    }
}

/// Puts a value under its key, or into the list of values of that key. False if the key is taken.
fn collect(map: &mut BTreeMap<String, Value>, key: String, value: Value, is_grouping: bool) -> bool {
    if !is_grouping {
        return map.insert(key, value).is_none();
    }
    if let Value::List(group) = map.entry(key).or_insert_with(|| Value::List(Vec::new())) {
        group.push(value);
    }
    true
}

/// The first name of a reference that can be kept as text: names and fixed indexes, nothing to compute.
pub(super) fn static_reference(expression: &Expression) -> Option<String> {
    if let Expression::Variable(name) = expression {
        return Some(name.as_str().to_owned());
    }
    let Expression::Traversal(traversal) = expression else { return None };
    let Expression::Variable(root) = &traversal.expr else { return None };
    let is_static = traversal.operators.iter().all(|operator| is_fixed(operator.value()));
    is_static.then(|| root.as_str().to_owned())
}

fn is_fixed(operator: &TraversalOperator) -> bool {
    match operator {
        TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_) => true,
        TraversalOperator::Index(key) => matches!(key, Expression::String(_) | Expression::Number(_)),
        TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => false,
    }
}

fn is_attribute(operator: &TraversalOperator) -> bool {
    matches!(operator, TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_))
}

fn u64_number(index: u64) -> super::number::Numeric {
    super::number::Numeric::Whole(index.into())
}

fn name_end(name: &Decorated<hcl_edit::Ident>, fallback: &Span) -> usize {
    name.span().map_or(fallback.end, |span| span.end)
}
