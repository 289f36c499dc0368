//! The shape of a document, taken from its JSON Schema, so that no field is ever named a second time here.

use std::collections::{BTreeMap, VecDeque};

use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value};

/// What a field may hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Text,
    /// A word from a list; synonyms are left to the decoder.
    Choice(Vec<String>),
    Whole,
    Number,
    Bool,
    /// A duration: text, or a number of nanoseconds.
    Duration,
    List(Box<Shape>),
    Map(Box<Shape>),
    /// Anything: kept as it is.
    Free,
    /// A struct by name.
    Struct(String),
}

/// A field of a struct in both spellings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// The name in JSON and YAML.
    pub(crate) property: String,
    /// The name of the attribute or block in HCL.
    pub(crate) key: String,
    /// The field of an element that the label of its block gives.
    pub(crate) label: Option<&'static str>,
    pub(crate) shape: Shape,
    /// The value of a field that is left out, where the schema tells it.
    pub(crate) default: Option<Value>,
}

/// All structs of a document.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Schema {
    pub(crate) root: String,
    structs: BTreeMap<String, Vec<Field>>,
    foreign: Foreign,
}

/// Keys that other programs' files have and this document has not: struct, key, what to do instead.
pub type Foreign = &'static [(&'static str, &'static str, &'static str)];

/// Lists that HCL writes as repeated blocks in the singular, with the field that the label gives.
const BLOCKS: &[(&str, &str, Option<&str>)] = &[
    ("constraints", "constraint", None),
    ("affinities", "affinity", None),
    ("spreads", "spread", None),
    ("targets", "target", Some("value")),
    ("groups", "group", Some("name")),
    ("tasks", "task", Some("name")),
    ("networks", "network", None),
    ("ports", "port", Some("label")),
    ("volumes", "volume", Some("name")),
    ("volumeMounts", "volume_mount", None),
    ("services", "service", None),
    ("checks", "check", None),
    ("artifacts", "artifact", None),
    ("templates", "template", None),
    ("secrets", "secret", Some("name")),
    ("identities", "identity", None),
    ("actions", "action", Some("name")),
    ("devices", "device", Some("name")),
    ("scalings", "scaling", Some("name")),
    ("links", "link", None),
    ("regions", "region", Some("name")),
    ("paths", "path", None),
];

impl Schema {
    /// The shape of a type.
    pub(crate) fn of<T: JsonSchema>() -> Schema {
        let json = schema_for!(T).to_value();
        let root = json.get("title").and_then(Value::as_str).unwrap_or("document").to_owned();
        let mut schema = Schema { root: root.clone(), structs: BTreeMap::new(), foreign: &[] };
        let empty = Map::new();
        let definitions = json.get("$defs").and_then(Value::as_object).unwrap_or(&empty);
        schema.enter(&root, &json, definitions);
        for (name, definition) in definitions {
            schema.enter(name, definition, definitions);
        }
        schema
    }

    /// The same, with what is to be said about keys of other programs.
    pub(crate) fn with_foreign(self, foreign: Foreign) -> Schema {
        Schema { foreign, ..self }
    }

    /// What to do instead of giving a key of another program.
    pub(crate) fn instead_of(&self, name: &str, key: &str) -> Option<&'static str> {
        let said = self.foreign.iter().find(|(of, its, _)| (*of, *its) == (name, key));
        said.map(|(_, _, instead)| *instead)
    }

    /// The fields of a struct, in the order of its declaration.
    pub(crate) fn fields(&self, name: &str) -> &[Field] {
        self.structs.get(name).map_or(&[], Vec::as_slice)
    }

    /// The name in JSON of a key or block of HCL: that of the field that has it, or the key itself.
    pub(crate) fn property<'a>(&'a self, key: &'a str) -> &'a str {
        let field = self.structs.values().flatten().find(|field| field.key == key);
        field.map_or(key, |field| &field.property)
    }

    /// The blocks that lead from a struct down to the nearest one that has a key, innermost last.
    pub(crate) fn home_below(&self, name: &str, key: &str) -> Option<Vec<&str>> {
        let mut queue = VecDeque::from([(name, Vec::new())]);
        let mut seen = Vec::new();
        while let Some((name, path)) = queue.pop_front() {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            for field in self.fields(name) {
                if field.key == key && !path.is_empty() {
                    return Some(path);
                }
                if let Some(inner) = field.shape.inner_struct() {
                    queue.push_back((inner, path.iter().copied().chain([field.key.as_str()]).collect()));
                }
            }
        }
        None
    }

    fn enter(&mut self, name: &str, definition: &Value, definitions: &Map<String, Value>) {
        let Some(properties) = definition.get("properties").and_then(Value::as_object) else { return };
        let fields = properties.iter().map(|(property, schema)| {
            let shape = shape(schema, definitions);
            let is_list = matches!(&shape, Shape::List(of) if matches!(**of, Shape::Struct(_)));
            let block = BLOCKS.iter().find(|(plural, _, _)| is_list && plural == property);
            let key = match (block, name, property.as_str()) {
                (Some((_, singular, _)), _, _) => (*singular).to_owned(),
                (None, "Check", "headers") => "header".to_owned(),
                (None, _, _) => snake(property),
            };
            Field {
                property: property.clone(),
                key,
                label: block.and_then(|(_, _, label)| *label),
                shape,
                default: schema.get("default").cloned(),
            }
        });
        self.structs.insert(name.to_owned(), fields.collect());
    }
}

impl Shape {
    /// The struct that blocks of this shape hold.
    pub(crate) fn inner_struct(&self) -> Option<&str> {
        match self {
            Shape::Struct(name) => Some(name),
            Shape::List(of) => of.inner_struct(),
            Shape::Text
            | Shape::Choice(_)
            | Shape::Whole
            | Shape::Number
            | Shape::Bool
            | Shape::Duration
            | Shape::Map(_)
            | Shape::Free => None,
        }
    }

    /// What it is called in messages.
    pub(crate) fn wanted(&self) -> &'static str {
        match self {
            Shape::Text | Shape::Choice(_) => "a string",
            Shape::Whole => "a whole number",
            Shape::Number => "a number",
            Shape::Bool => "true or false",
            Shape::Duration => "a duration such as \"30s\"",
            Shape::List(_) => "a list",
            Shape::Map(_) | Shape::Struct(_) => "a map",
            Shape::Free => "anything",
        }
    }
}

fn shape(schema: &Value, definitions: &Map<String, Value>) -> Shape {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return match definitions.get(name) {
            Some(definition) if definition.get("properties").is_some() => Shape::Struct(name.to_owned()),
            Some(definition) => shape(definition, definitions),
            None => Shape::Free,
        };
    }
    if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
        let first = options.iter().find(|option| option.get("type").and_then(Value::as_str) != Some("null"));
        return first.map_or(Shape::Free, |option| shape(option, definitions));
    }
    if let Some(options) = schema.get("oneOf").and_then(Value::as_array) {
        let words =
            options.iter().map(|option| option.get("const").and_then(Value::as_str).map(str::to_owned));
        return words.collect::<Option<Vec<_>>>().map_or(Shape::Free, Shape::Choice);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return Shape::Choice(words.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    match (kinds.contains(&"string"), kinds.contains(&"integer"), kinds.first()) {
        (true, true, _) => Shape::Duration,
        (true, false, _) => Shape::Text,
        (false, true, _) => Shape::Whole,
        (false, false, Some(&"boolean")) => Shape::Bool,
        (false, false, Some(&"number")) => Shape::Number,
        (false, false, Some(&"array")) => {
            Shape::List(Box::new(schema.get("items").map_or(Shape::Free, |items| shape(items, definitions))))
        }
        (false, false, Some(&"object")) => match schema.get("additionalProperties") {
            Some(of @ Value::Object(_)) => Shape::Map(Box::new(shape(of, definitions))),
            _ => Shape::Map(Box::new(Shape::Free)),
        },
        (false, false, _) => Shape::Free,
    }
}

/// `killTimeout` as `kill_timeout`; capitals in a row are one word.
pub(crate) fn snake(property: &str) -> String {
    let mut out = String::new();
    let mut after_small = false;
    for letter in property.chars() {
        if letter.is_uppercase() && after_small {
            out.push('_');
        }
        after_small = letter.is_lowercase() || letter.is_ascii_digit();
        out.extend(letter.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobSpec;

    #[test]
    fn a_job_has_the_blocks_of_the_job_language() {
        let schema = Schema::of::<JobSpec>();
        let keys: Vec<&str> = schema.fields(&schema.root).iter().map(|field| field.key.as_str()).collect();
        assert_eq!(
            keys.join(" "),
            "type region datacenters node_pool priority all_at_once constraint affinity \
            spread group update migrate reschedule periodic parameterized multiregion meta vault secret ui stop"
        );
        assert_eq!(schema.home_below(&schema.root, "count"), Some(vec!["group"]));
        assert_eq!(schema.home_below("Group", "resources"), Some(vec!["task"]));
        assert_eq!(snake("excludeOutboundCIDRs"), "exclude_outbound_cidrs");
        let repeated =
            schema.structs.values().flatten().filter(|field| matches!(field.shape, Shape::List(_)));
        for field in repeated.filter(|field| field.shape.inner_struct().is_some()) {
            let known = BLOCKS.iter().any(|(property, _, _)| *property == field.property);
            assert!(known || field.property == "upstreams", "{} needs a block name", field.property);
        }
    }
}
