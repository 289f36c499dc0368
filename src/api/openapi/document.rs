//! The document: its operations, and one schema per type.

use serde_json::{Map, Value, json};

use super::convert::{component, convert};
use super::operations::{SCALE, STATUS, gvk, paths};
use super::schemas::{LIST_KEYS, definitions};
use crate::kind::{GROUP, Kind};

/// The OpenAPI 3.0 document of our group.
pub(super) fn document() -> Value {
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Encamp", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths(),
        "components": {"schemas": schemas()},
    })
}

fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    for (name, schema) in definitions() {
        let mut converted = convert(schema);
        for (_, field, key) in LIST_KEYS.iter().filter(|(of, _, _)| of == name) {
            let list = &mut converted["properties"][*field];
            list["x-kubernetes-list-type"] = json!("map");
            list["x-kubernetes-list-map-keys"] = json!([key]);
        }
        if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.words().kind == name) {
            converted["x-kubernetes-group-version-kind"] = json!([gvk(kind)]);
        }
        all.insert(component(name), converted);
    }
    for kind in Kind::ALL {
        let word = kind.words().kind;
        let item = json!({"$ref": format!("#/components/schemas/{}", component(word))});
        let list = json!({
            "type": "object", "description": format!("A list of {}.", kind.words().plural),
            "properties": {
                "apiVersion": {"type": "string"}, "kind": {"type": "string"},
                "metadata": {"type": "object"}, "items": {"type": "array", "items": item},
            },
            "x-kubernetes-group-version-kind": [
                {"group": GROUP, "version": "v1", "kind": format!("{word}List")}
            ],
        });
        all.insert(component(&format!("{word}List")), list);
    }
    inline_choices(&mut all);
    all.insert(component(STATUS), status());
    all.insert(component(SCALE), scale());
    all
}

/// What every refusal is.
fn status() -> Value {
    let text = || json!({"type": "string"});
    let cause =
        json!({"type": "object", "properties": {"reason": text(), "message": text(), "field": text()}});
    json!({
        "type": "object", "description": "Why a request was refused.",
        "required": ["kind", "apiVersion", "status", "message", "reason", "code"],
        "properties": {
            "kind": text(), "apiVersion": text(), "metadata": {"type": "object"},
            "status": {"type": "string", "enum": ["Failure"]}, "message": text(), "reason": text(),
            "code": {"type": "integer"},
            "details": {"type": "object", "properties": {
                "name": text(), "group": text(), "kind": text(), "retryAfterSeconds": {"type": "integer"},
                "causes": {"type": "array", "items": cause},
            }},
        },
    })
}

/// How many instances there are, in the words of `autoscaling/v1`.
fn scale() -> Value {
    let count = || json!({"type": "integer", "minimum": 0});
    json!({
        "type": "object", "description": "How many instances of a group run.",
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
            "spec": {"type": "object", "properties": {"replicas": count()}},
            "status": {"type": "object", "properties": {"replicas": count(), "selector": {"type": "string"}}},
        },
    })
}

/// Writes the words of a choice at every field that has it: `explain` does not look behind references.
fn inline_choices(all: &mut Map<String, Value>) {
    let choices: Map<String, Value> = all
        .iter()
        .filter(|(_, schema)| schema["enum"].is_array())
        .map(|(n, s)| (n.clone(), s.clone()))
        .collect();
    for schema in all.values_mut() {
        let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { continue };
        for property in properties.values_mut() {
            let reference = property.pointer("/allOf/0/$ref").and_then(Value::as_str);
            let name = reference.and_then(|path| path.rsplit('/').next());
            let Some(choice) = name.and_then(|name| choices.get(name)) else { continue };
            property["type"] = choice["type"].clone();
            property["enum"] = choice["enum"].clone();
            if let Some(property) = property.as_object_mut() {
                property.remove("allOf");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_names_what_it_takes_and_all_that_it_may_answer() {
        let document = document();
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let at = format!("{method} {path}");
                assert!(ids.insert(operation["operationId"].to_string()), "{at}: the id is another's");
                let parameters = operation["parameters"].as_array().unwrap();
                let places: Vec<&str> = parameters
                    .iter()
                    .filter(|parameter| parameter["in"] == "path" && parameter["required"] == true)
                    .map(|parameter| parameter["name"].as_str().unwrap())
                    .collect();
                let named: Vec<&str> =
                    path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}')).collect();
                assert_eq!(places, named, "{at}");
                for code in ["400", "429", "503"] {
                    let schema =
                        &operation["responses"][code]["content"]["application/json"]["schema"]["$ref"];
                    assert_eq!(*schema, format!("#/components/schemas/{}", component(STATUS)), "{at} {code}");
                }
            }
        }
        let text = document.to_string();
        let used = text.match_indices("#/components/schemas/").map(|(at, prefix)| {
            let rest = &text[at + prefix.len()..];
            &rest[..rest.find('"').unwrap()]
        });
        for name in used {
            assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not there");
        }
    }
}
