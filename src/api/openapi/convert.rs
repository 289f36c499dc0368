//! From JSON Schema 2020-12, which our types give, to the shapes of OpenAPI 3.0.

use serde_json::{Map, Value, json};

/// The name of a type of ours in the document.
pub(super) fn component(name: &str) -> String {
    format!("dev.encamp.v1.{name}")
}

/// A schema in the words of OpenAPI 3.0.
pub(super) fn convert(schema: &Value) -> Value {
    let Value::Object(schema) = schema else {
        // `true` allows everything.
        return json!({"x-kubernetes-preserve-unknown-fields": true});
    };
    let mut out = Map::new();
    for (word, value) in schema {
        match word.as_str() {
            "$ref" => drop(out.insert("allOf".into(), json!([{"$ref": reference(value)}]))),
            "type" => convert_type(&mut out, value),
            "const" => drop(out.insert("enum".into(), json!([value]))),
            "anyOf" | "oneOf" => convert_choice(&mut out, value),
            "properties" => drop(out.insert(word.clone(), convert_each(value))),
            "items" => drop(out.insert(word.clone(), convert(value))),
            "additionalProperties" => convert_additional(&mut out, value),
            "description" | "enum" | "required" | "minimum" | "maximum" | "pattern" | "default"
            | "minLength" | "maxLength" => {
                out.insert(word.clone(), value.clone());
            }
            "format" => convert_format(&mut out, value),
            // What OpenAPI 3.0 has no word for, or nobody reads.
            _ => {}
        }
    }
    if out.get("default").is_some_and(Value::is_null) {
        out.remove("default");
    }
    Value::Object(out)
}

fn reference(value: &Value) -> String {
    let name = value.as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    format!("#/components/schemas/{}", component(name))
}

fn convert_type(out: &mut Map<String, Value>, value: &Value) {
    let Some(types) = value.as_array() else {
        out.insert("type".into(), value.clone());
        return;
    };
    let real: Vec<&Value> = types.iter().filter(|name| *name != "null").collect();
    match real.as_slice() {
        [one] => drop(out.insert("type".into(), (*one).clone())),
        // A duration is a text or a number; people write the text.
        many if many.iter().any(|name| **name == "string") => {
            drop(out.insert("type".into(), json!("string")));
        }
        _ => drop(out.insert("x-kubernetes-preserve-unknown-fields".into(), json!(true))),
    }
}

/// A choice of constants is an enumeration; a choice between something and nothing is that something.
fn convert_choice(out: &mut Map<String, Value>, value: &Value) {
    let choices: Vec<&Value> =
        value.as_array().into_iter().flatten().filter(|choice| choice["type"] != "null").collect();
    let constants: Vec<Value> = choices.iter().flat_map(|choice| constants(choice)).collect();
    if choices.iter().all(|choice| !constants_of(choice)) {
        match choices.as_slice() {
            [one] => {
                if let Value::Object(inner) = convert(one) {
                    for (word, value) in inner {
                        out.entry(word).or_insert(value);
                    }
                }
            }
            _ => drop(out.insert("x-kubernetes-preserve-unknown-fields".into(), json!(true))),
        }
        return;
    }
    out.insert("type".into(), json!("string"));
    out.insert("enum".into(), Value::Array(constants));
}

fn constants(choice: &Value) -> Vec<Value> {
    match (choice.get("const"), choice.get("enum")) {
        (Some(one), _) => vec![one.clone()],
        (None, Some(Value::Array(many))) => many.clone(),
        (None, _) => Vec::new(),
    }
}

fn constants_of(choice: &Value) -> bool {
    !constants(choice).is_empty()
}

fn convert_each(value: &Value) -> Value {
    let each = value.as_object().into_iter().flatten();
    Value::Object(each.map(|(name, schema)| (name.clone(), convert(schema))).collect())
}

fn convert_additional(out: &mut Map<String, Value>, value: &Value) {
    match value.as_bool() {
        Some(false) => {}
        Some(true) => drop(out.insert("x-kubernetes-preserve-unknown-fields".into(), json!(true))),
        None => drop(out.insert("additionalProperties".into(), convert(value))),
    }
}

/// Rust's integers in the two sizes that OpenAPI knows.
fn convert_format(out: &mut Map<String, Value>, value: &Value) {
    let format = match value.as_str() {
        Some("uint8" | "int8" | "uint16" | "int16" | "int32") => "int32",
        Some("uint32" | "int64" | "uint64" | "uint") => "int64",
        // A duration is ISO 8601's there; ours has a pattern.
        Some("duration") | None => return,
        Some(other) => other,
    };
    out.insert("format".into(), json!(format));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_2020_become_words_of_3_0() {
        let table = [
            (json!({"type": ["string", "null"]}), json!({"type": "string"})),
            (json!({"const": "a"}), json!({"enum": ["a"]})),
            (
                json!({"$ref": "#/$defs/Group", "description": "d"}),
                json!({"allOf": [{"$ref": "#/components/schemas/dev.encamp.v1.Group"}], "description": "d"}),
            ),
            (
                json!({"oneOf": [{"const": "a", "type": "string"}, {"enum": ["b", "c"], "type": "string"}]}),
                json!({"type": "string", "enum": ["a", "b", "c"]}),
            ),
            (
                json!({"anyOf": [{"$ref": "#/$defs/Group"}, {"type": "null"}]}),
                json!({"allOf": [{"$ref": "#/components/schemas/dev.encamp.v1.Group"}]}),
            ),
            (json!({"format": "duration", "type": "string"}), json!({"type": "string"})),
            (json!({"format": "uint32", "type": "integer"}), json!({"format": "int64", "type": "integer"})),
            (json!(true), json!({"x-kubernetes-preserve-unknown-fields": true})),
            (
                json!({"type": "object", "additionalProperties": true}),
                json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
            ),
        ];
        for (from, to) in table {
            assert_eq!(convert(&from), to, "{from}");
        }
    }
}
