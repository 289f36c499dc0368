//! YAML and JSON against the schema: every unknown key and every value of the wrong kind, all at once.
//!
//! Nothing is converted here: YAML reads `1.10` as a number, and a number where a name is wanted has already
//! lost its zero.

use super::diagnostic::Diagnostic;
use super::gaps::Gaps;
use super::node::{Node, NodeValue, join};
use super::schema::{Schema, Shape, snake};
use super::shape::misplaced;
use super::source::{Source, Span};
use crate::validate::nearest;

/// What does not fit.
#[derive(Default)]
pub(crate) struct Misfits {
    pub(crate) said: Vec<Diagnostic>,
    /// The fields to take out before the rest is decoded.
    pub(crate) pointers: Vec<String>,
    /// What is not known without them.
    pub(crate) gaps: Gaps,
}

/// What is wrong with a value called `name` whose shape is the root of the schema, standing at `pointer`.
pub(crate) fn check(source: &Source, schema: &Schema, node: &Node, (name, pointer): (&str, &str)) -> Misfits {
    let mut check = Check { source, schema, misfits: Misfits::default() };
    check.value(&Shape::Struct(schema.root.clone()), node, pointer, name);
    check.misfits
}

struct Check<'s> {
    source: &'s Source,
    schema: &'s Schema,
    misfits: Misfits,
}

impl Check<'_> {
    fn value(&mut self, shape: &Shape, node: &Node, pointer: &str, name: &str) {
        match (shape, &node.value) {
            (Shape::Free, _)
            | (_, NodeValue::Null)
            | (Shape::Text | Shape::Choice(_) | Shape::Duration, NodeValue::String(_))
            | (Shape::Bool, NodeValue::Bool(_))
            | (Shape::Number, NodeValue::Number(_)) => {}
            (Shape::Whole | Shape::Duration, NodeValue::Number(number)) if !number.is_f64() => {}
            (Shape::List(of), NodeValue::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(of, item, &format!("{pointer}/{index}"), name);
                }
            }
            (Shape::Map(of), NodeValue::Object(entries)) => {
                for entry in entries {
                    self.value(of, &entry.value, &join(pointer, &entry.key), &entry.key);
                }
            }
            (Shape::Struct(inner), NodeValue::Object(entries)) => {
                for entry in entries {
                    let field = self.schema.fields(inner).iter().find(|field| field.property == entry.key);
                    match field {
                        Some(field) => {
                            self.value(&field.shape, &entry.value, &join(pointer, &entry.key), &entry.key);
                        }
                        None => self.unknown(inner, &entry.key, &entry.key_span, (pointer, name)),
                    }
                }
            }
            (
                Shape::Text
                | Shape::Choice(_)
                | Shape::Whole
                | Shape::Number
                | Shape::Bool
                | Shape::Duration
                | Shape::List(_)
                | Shape::Map(_)
                | Shape::Struct(_),
                _,
            ) => self.wrong(shape, node, pointer, name),
        }
    }

    fn wrong(&mut self, shape: &Shape, node: &Node, pointer: &str, name: &str) {
        let raw = self.source.slice(&node.span).trim();
        let found = match (shape, &node.value) {
            (Shape::Whole, NodeValue::Number(number)) => number.to_string(),
            (_, _) => node.kind().to_owned(),
        };
        let message = format!("`{name}` must be {}, not {found}", shape.wanted());
        let error = self.source.error(&node.span, message).pointer(pointer);
        self.misfits.pointers.push(pointer.to_owned());
        self.misfits.said.push(match (shape, &node.value) {
            (Shape::Text | Shape::Choice(_) | Shape::Duration, NodeValue::Number(_) | NodeValue::Bool(_)) => {
                error.hint(format!("quote it: \"{raw}\""))
            }
            (Shape::Whole | Shape::Number | Shape::Bool, NodeValue::String(text)) if plain(shape, text) => {
                error.hint(format!("remove the quotes: {text}"))
            }
            (Shape::Bool, NodeValue::String(text))
                if matches!(text.as_str(), "yes" | "on" | "Yes" | "On") =>
            {
                error.hint("write `true`")
            }
            (Shape::Bool, NodeValue::String(text))
                if matches!(text.as_str(), "no" | "off" | "No" | "Off") =>
            {
                error.hint("write `false`")
            }
            (Shape::List(_), NodeValue::String(_) | NodeValue::Number(_)) => {
                error.hint(format!("write [{raw}]"))
            }
            (Shape::List(_), NodeValue::Object(_)) => error.hint("write one line with `- ` for each element"),
            (_, _) => error,
        });
    }

    fn unknown(&mut self, inner: &str, key: &str, span: &Span, (object, name): (&str, &str)) {
        let fields = self.schema.fields(inner);
        let pointer = join(object, key);
        let allowed: Vec<&str> = fields.iter().map(|field| field.property.as_str()).collect();
        let error = self
            .source
            .error(span, format!("unknown key `{key}` in `{name}`"))
            .pointer(&pointer)
            .allowed(allowed.iter().copied());
        // The first hint stays.
        let error = match self.schema.instead_of(inner, key) {
            Some(hint) => error.hint(hint),
            None => error,
        };
        let singular = fields.iter().find(|field| field.key == key || field.key == snake(key));
        let error = match singular {
            Some(field) => error.hint(format!("did you mean `{}`?", field.property)),
            None => error.nearest(key, allowed.iter().copied()),
        };
        let error = match misplaced::driver_key(inner, key) {
            Some(hint) => error.hint(hint),
            None => error,
        };
        let error = match self.schema.home_below(inner, &snake(key)) {
            Some(path) => error.hint(format!("`{key}` belongs deeper: inside `{}`", path.join("` → `"))),
            None => error,
        };
        self.misfits.said.push(error);
        self.misfits.pointers.push(pointer);
        self.misfits.gaps.stranger(object, key);
        let near = singular.map(|field| field.property.as_str()).or_else(|| nearest(key, &allowed));
        for meant in fields.iter().filter(|field| Some(field.property.as_str()) == near) {
            self.misfits.gaps.field(object, meant);
        }
    }
}

fn plain(shape: &Shape, text: &str) -> bool {
    match shape {
        Shape::Whole => text.parse::<i64>().is_ok(),
        Shape::Number => text.parse::<f64>().is_ok(),
        Shape::Bool => matches!(text, "true" | "false"),
        Shape::Text
        | Shape::Choice(_)
        | Shape::Duration
        | Shape::List(_)
        | Shape::Map(_)
        | Shape::Free
        | Shape::Struct(_) => false,
    }
}
