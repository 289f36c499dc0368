//! The document: one path per address, one schema per type.

use serde_json::{Map, Value, json};

use super::convert::{component, convert};
use super::schemas::{LIST_KEYS, definitions};
use crate::api::kind::{GROUP, GROUP_VERSION, Kind};

/// The OpenAPI 3.0 document of our group.
pub(super) fn document() -> Value {
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Encamp", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths(),
        "components": {"schemas": schemas()},
    })
}

fn gvk(kind: Kind) -> Value {
    json!({"group": GROUP, "version": "v1", "kind": kind.words().kind})
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
    all
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

fn paths() -> Map<String, Value> {
    let mut all = Map::new();
    for kind in Kind::ALL {
        let words = kind.words();
        let root = format!("/apis/{GROUP_VERSION}");
        if words.is_namespaced {
            let everywhere = json!({"get": operation(kind, "list", "get")});
            all.insert(format!("{root}/{}", words.plural), everywhere);
        }
        let root = if words.is_namespaced { format!("{root}/namespaces/{{namespace}}") } else { root };
        let collection = format!("{root}/{}", words.plural);
        let one = format!("{collection}/{{name}}");
        all.insert(one, operations(kind, &["get", "update", "patch", "delete"]));
        all.insert(collection, operations(kind, &["list", "create", "deletecollection"]));
        for subresource in words.subresources {
            let mut item = Map::new();
            for verb in subresource.verbs {
                item.insert(method(verb).to_owned(), operation(kind, verb, method(verb)));
            }
            all.insert(format!("{root}/{}/{{name}}/{}", words.plural, subresource.name), Value::Object(item));
        }
    }
    all
}

fn operations(kind: Kind, verbs: &[&str]) -> Value {
    let verbs = verbs.iter().filter(|verb| kind.words().verbs.contains(verb));
    let item = verbs.map(|verb| (method(verb).to_owned(), operation(kind, verb, method(verb))));
    let mut item: Map<String, Value> = item.collect();
    item.insert("parameters".into(), json!([]));
    Value::Object(item)
}

fn method(verb: &str) -> &'static str {
    match verb {
        "create" => "post",
        "update" => "put",
        "patch" => "patch",
        "delete" | "deletecollection" => "delete",
        _ => "get",
    }
}

fn operation(kind: Kind, verb: &str, method: &str) -> Value {
    let words = kind.words();
    let schema = if verb == "list" { format!("{}List", words.kind) } else { words.kind.to_owned() };
    let schema = json!({"$ref": format!("#/components/schemas/{}", component(&schema))});
    let mut operation = json!({
        "operationId": format!("{verb}{}", words.kind),
        "tags": [words.plural],
        "parameters": parameters(verb),
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}},
        "x-kubernetes-action": if method == "get" { verb } else { method },
        "x-kubernetes-group-version-kind": gvk(kind),
    });
    let bodies: &[&str] = match verb {
        "create" | "update" => &["application/json", "application/yaml", "application/hcl"],
        "patch" => {
            &["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"]
        }
        _ => &[],
    };
    if !bodies.is_empty() {
        let content: Map<String, Value> =
            bodies.iter().map(|media| ((*media).to_owned(), json!({"schema": {"type": "object"}}))).collect();
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

fn parameters(verb: &str) -> Vec<Value> {
    let names: &[&str] = match verb {
        "list" => &[
            "labelSelector",
            "fieldSelector",
            "limit",
            "continue",
            "watch",
            "resourceVersion",
            "allowWatchBookmarks",
            "sendInitialEvents",
            "timeoutSeconds",
        ],
        "create" | "update" => &["dryRun", "fieldManager", "fieldValidation"],
        "patch" => &["dryRun", "fieldManager", "fieldValidation", "force"],
        "delete" | "deletecollection" => &["dryRun", "propagationPolicy"],
        _ => &[],
    };
    let parameter =
        |name: &&str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    names.iter().map(parameter).collect()
}
