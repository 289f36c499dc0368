//! The JSON Schema of every kind of document, for editors, the API's OpenAPI page and `explain`.
//!
//! Made from the types; then what serde cannot say is added: fields without a sensible default are required
//! (reading them leniently lets validation report everything at once), and `null` is not advertised.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::deployment::Deployment;
use crate::diff::JobDiff;
use crate::job::{Job, Version};
use crate::node::{Fingerprint, Health, Node};
use crate::report::Details;
use crate::validate::{Problem, nearest};

/// A word that is no kind of document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind `{kind}`: {advice}")]
pub struct UnknownKind {
    /// The word.
    pub kind: String,
    /// The nearest kind, or all of them.
    pub advice: String,
}

/// A kind of document: its word, its title in documents, how its schema is made.
type Kind = (&'static str, Option<&'static str>, fn() -> Value);

const KINDS: &[Kind] = &[
    ("job", Some("Job"), of_type::<Job>),
    ("node", Some("Node"), of_type::<Node>),
    ("jobversion", None, of_type::<Version>),
    ("deployment", None, of_type::<Deployment>),
    ("fingerprint", None, of_type::<Fingerprint>),
    ("health", None, of_type::<Health>),
    ("details", None, of_type::<Details>),
    ("plan", None, of_type::<JobDiff>),
    ("problem", None, of_type::<Problem>),
];

/// The words for kinds of documents.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(kind, _, _)| *kind)
}

/// The JSON Schema of a kind of document.
pub fn of(kind: &str) -> Result<Value, UnknownKind> {
    let folded = kind.to_lowercase();
    let singular = folded.strip_suffix('s').unwrap_or(&folded);
    let known = KINDS.iter().find(|(word, _, _)| *word == folded || *word == singular);
    let Some((word, title, make)) = known else {
        let all: Vec<&str> = kinds().collect();
        let advice = match nearest(kind, &all) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", all.join(", ")),
        };
        return Err(UnknownKind { kind: kind.to_owned(), advice });
    };
    let mut schema = make();
    schema["$id"] = format!("https://encamp.dev/schemas/{word}.json").into();
    if let Some(title) = title {
        head(&mut schema, title);
    }
    Ok(schema)
}

fn of_type<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    require(&mut schema);
    tidy(&mut schema);
    schema
}

/// Documents that people write begin with their version and kind.
fn head(schema: &mut Value, title: &str) {
    let Some(properties) = schema["properties"].as_object_mut() else { return };
    let mut all = Map::new();
    all.insert(
        "apiVersion".to_owned(),
        json!({ "description": "The version of the words.", "const": "encamp.dev/v1" }),
    );
    all.insert("kind".to_owned(), json!({ "description": "The kind of document.", "const": title }));
    all.append(properties);
    *properties = all;
}

/// Fields that validation asks for.
const REQUIRED: &[(&str, &[&str])] = &[
    ("Action", &["name", "command"]),
    ("Artifact", &["source"]),
    ("ChangeScript", &["command"]),
    ("Check", &["type", "interval", "timeout"]),
    ("CsiPlugin", &["id"]),
    ("Device", &["name"]),
    ("DispatchPayload", &["file"]),
    ("Group", &["name", "tasks"]),
    ("Job", &["metadata", "spec"]),
    ("JobSpec", &["groups"]),
    ("Lifecycle", &["hook"]),
    ("Link", &["label", "url"]),
    ("Multiregion", &["regions"]),
    ("ObjectMeta", &["name"]),
    ("Periodic", &["crons"]),
    ("Port", &["label"]),
    ("Region", &["name"]),
    ("ResourceScaling", &["name", "max"]),
    ("Scaling", &["max"]),
    ("ScheduleCron", &["start", "end"]),
    ("Secret", &["name", "provider", "path"]),
    ("Spread", &["attribute"]),
    ("SpreadTarget", &["value", "percent"]),
    ("Task", &["name", "driver"]),
    ("Template", &["destination"]),
    ("Upstream", &["destinationName"]),
    ("Volume", &["name", "source"]),
    ("VolumeMount", &["volume", "destination"]),
];

fn require(schema: &mut Value) {
    for (name, fields) in REQUIRED {
        let is_root = schema["title"] == *name;
        let object = if is_root { Some(&mut *schema) } else { schema.pointer_mut(&format!("/$defs/{name}")) };
        let Some(object) = object else { continue };
        object["required"] = json!(fields);
        for field in *fields {
            if let Some(property) = object["properties"][field].as_object_mut() {
                property.remove("default");
            }
        }
    }
}

/// Takes `null` out of types: a missing field says the same.
fn tidy(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(Value::Array(options)) = schema.get_mut("anyOf") {
        options.retain(|option| option["type"] != "null");
        if let [only] = options.as_slice() {
            let only = only.clone();
            let object = schema.as_object_mut().expect("it has a field");
            object.remove("anyOf");
            object.extend(only.as_object().cloned().unwrap_or_default());
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.as_object_mut().expect("it has a field").remove("default");
    }
    match schema {
        Value::Object(object) => object.values_mut().for_each(tidy),
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files in `json/` are what the types say. `UPDATE_SCHEMAS=1` writes them anew.
    #[test]
    fn files_are_up_to_date() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("json");
        let mut stale = Vec::new();
        for kind in kinds() {
            let text =
                format!("{}\n", serde_json::to_string_pretty(&of(kind).expect("a kind")).expect("JSON"));
            let path = folder.join(format!("{kind}.json"));
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, text)).expect("written");
            } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
                stale.push(kind);
            }
        }
        assert!(stale.is_empty(), "run the test with UPDATE_SCHEMAS=1 and commit: {stale:?}");
    }

    /// A renamed type or field must not drop out of the table unseen.
    #[test]
    fn required_fields_exist() {
        let job = of("job").expect("a kind");
        for (name, fields) in REQUIRED {
            let object = if *name == "Job" { &job } else { &job["$defs"][name] };
            for field in *fields {
                assert!(object["properties"].get(field).is_some(), "{name}.{field}");
            }
        }
    }

    #[test]
    fn every_field_of_a_job_is_described() {
        let job = of("job").expect("a kind");
        for (name, definition) in job["$defs"].as_object().expect("definitions") {
            for (field, schema) in definition["properties"].as_object().unwrap_or(&Map::new()) {
                assert!(schema["description"].is_string(), "{name}.{field}");
            }
        }
    }

    #[test]
    fn unknown_kinds_are_named() {
        insta::assert_snapshot!(of("jbo").unwrap_err(), @"unknown kind `jbo`: did you mean `job`?");
        insta::assert_snapshot!(of("zebra").unwrap_err(), @"unknown kind `zebra`: there are job, node, jobversion, deployment, fingerprint, health, details, plan, problem");
        assert_eq!(of("Jobs"), of("job"));
    }
}
