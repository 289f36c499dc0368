//! The structure of a document, as far as merging needs it: which objects have fields, which lists have keys.

use serde_json::{Map, Value};

/// The types of documents, and which lists are keyed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Structure<'a> {
    /// JSON Schemas by the name of the type.
    pub definitions: &'a Map<String, Value>,
    /// The type, its field, the key of an item.
    pub list_keys: &'a [(&'a str, &'a str, &'a str)],
}

/// The structure at one place of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    structure: Structure<'a>,
    schema: &'a Value,
    /// The key of the items, where the place is a list that has one.
    key: Option<&'a str>,
}

/// How a place is merged.
pub(super) enum Form<'a> {
    /// Field by field.
    Object,
    /// Item by item, told apart by a key.
    Keyed(&'a str),
    /// As a whole.
    Atom,
}

impl<'a> Structure<'a> {
    /// The shape of a type.
    pub(crate) fn of(self, name: &str) -> Shape<'a> {
        Shape { structure: self, schema: &self.definitions[name], key: None }
    }
}

static ANYTHING: Value = Value::Bool(true);

impl<'a> Shape<'a> {
    /// The schema behind references and behind "this or nothing", with the name of its type.
    fn resolved(self) -> (Option<&'a str>, &'a Value) {
        let (mut name, mut schema) = (None, self.schema);
        loop {
            let choice = schema.get("anyOf").and_then(Value::as_array);
            if let Some(some) = choice.and_then(|all| all.iter().find(|one| one["type"] != "null")) {
                schema = some;
            } else if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
                name = path.rsplit('/').next();
                schema = name.and_then(|name| self.structure.definitions.get(name)).unwrap_or(&ANYTHING);
            } else {
                return (name, schema);
            }
        }
    }

    pub(super) fn form(self) -> Form<'a> {
        if let Some(key) = self.key {
            return Form::Keyed(key);
        }
        let (_, schema) = self.resolved();
        let is_object = schema["type"] == "object"
            || schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "object"));
        if is_object { Form::Object } else { Form::Atom }
    }

    /// The shape of a field.
    pub(super) fn field(self, field: &str) -> Shape<'a> {
        let (name, schema) = self.resolved();
        let known = schema.get("properties").and_then(|properties| properties.get(field));
        let inner = known.or_else(|| schema.get("additionalProperties")).unwrap_or(&ANYTHING);
        let keys = self.structure.list_keys.iter();
        let key =
            keys.filter(|(of, its, _)| Some(*of) == name && *its == field).map(|(_, _, key)| *key).next();
        Shape { structure: self.structure, schema: inner, key }
    }

    /// The shape of the items of a list.
    pub(super) fn item(self) -> Shape<'a> {
        let (_, schema) = self.resolved();
        Shape { structure: self.structure, schema: schema.get("items").unwrap_or(&ANYTHING), key: None }
    }
}

/// The step to an item: its key, written as JSON.
pub(super) fn item_step(key: &str, item: &Value) -> Option<String> {
    let value = item.get(key).filter(|value| !value.is_null())?;
    let mut object = Map::new();
    object.insert(key.to_owned(), value.clone());
    Some(format!("k:{}", Value::Object(object)))
}

/// The steps to all items, if each has one of its own.
pub(super) fn item_steps(key: &str, items: &[Value]) -> Option<Vec<String>> {
    let steps: Vec<String> = items.iter().map(|item| item_step(key, item)).collect::<Option<_>>()?;
    let distinct: std::collections::BTreeSet<&String> = steps.iter().collect();
    (distinct.len() == steps.len()).then_some(steps)
}
