//! The types of all documents, by name, as JSON Schema: what OpenAPI shows and what apply merges by.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use schemas::job::JobSpec;
use schemas::meta::ObjectMeta;
use schemas::node::NodeSpec;
use serde_json::{Map, Value, json};

use crate::kind::Kind;
use crate::resources::allocations::{AllocationSpec, AllocationStatus};
use crate::resources::deployments::{DeploymentSpec, DeploymentView};
use crate::resources::jobs::JobStatus;
use crate::resources::nodes::NodeStatus;
use crate::resources::versions::JobVersionSpec;

/// Lists whose items have an identity: the type, its field, the key of an item. All other lists are replaced
/// as a whole.
pub(crate) const LIST_KEYS: &[(&str, &str, &str)] = &[
    ("JobSpec", "groups", "name"),
    ("JobSpec", "secrets", "name"),
    ("Group", "tasks", "name"),
    ("Group", "volumes", "name"),
    ("Group", "secrets", "name"),
    ("Network", "ports", "label"),
    ("Task", "actions", "name"),
    ("Task", "secrets", "name"),
    ("Multiregion", "regions", "name"),
    ("ObjectMeta", "ownerReferences", "uid"),
];

static DEFINITIONS: LazyLock<Map<String, Value>> = LazyLock::new(make);

/// Every type by name. A root document is there under the word of its kind.
pub(crate) fn definitions() -> &'static Map<String, Value> {
    &DEFINITIONS
}

fn make() -> Map<String, Value> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let roots: Vec<(&str, Value)> =
        Kind::ALL.into_iter().map(|kind| (kind.words().kind, root(&mut generator, kind))).collect();
    let mut all: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    // These know which fields are required.
    if let Ok(Value::Object(job)) = schemas::schema::of("job")
        && let Some(Value::Object(known)) = job.get("$defs")
    {
        all.extend(known.clone());
    }
    all.extend(roots.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    all
}

fn root(generator: &mut SchemaGenerator, kind: Kind) -> Value {
    let (description, parts) = match kind {
        Kind::Job => (
            "A job: groups of tasks, how many of each, where they may run and how they change.",
            vec![part::<JobSpec>(generator, "spec"), part::<JobStatus>(generator, "status")],
        ),
        Kind::JobVersion => {
            ("One version in a job's history.", vec![part::<JobVersionSpec>(generator, "spec")])
        }
        Kind::Allocation => (
            "One instance of a group, on one node.",
            vec![part::<AllocationSpec>(generator, "spec"), part::<AllocationStatus>(generator, "status")],
        ),
        Kind::Deployment => (
            "One rollout of one version of a job.",
            vec![part::<DeploymentSpec>(generator, "spec"), part::<DeploymentView>(generator, "status")],
        ),
        Kind::Node => (
            "A machine that runs tasks.",
            vec![part::<NodeSpec>(generator, "spec"), part::<NodeStatus>(generator, "status")],
        ),
        Kind::Event | Kind::CoreEvent | Kind::Namespace => {
            ("Something that happened to a document.", event())
        }
    };
    let mut properties = Map::new();
    properties.insert(
        "apiVersion".into(),
        json!({"type": "string", "description": "The version of the words: encamp.dev/v1."}),
    );
    properties.insert("kind".into(), json!({"type": "string", "description": "The kind of document."}));
    let mut metadata = generator.subschema_for::<ObjectMeta>().to_value();
    metadata["description"] = json!("Name, labels and bookkeeping.");
    properties.insert("metadata".into(), metadata);
    properties.extend(parts);
    json!({"type": "object", "description": description, "properties": properties})
}

fn part<T: JsonSchema>(generator: &mut SchemaGenerator, name: &str) -> (String, Value) {
    let mut schema = generator.subschema_for::<T>().to_value();
    let description = if name == "spec" { "What should be." } else { "What is." };
    schema["description"] = json!(description);
    (name.to_owned(), schema)
}

fn event() -> Vec<(String, Value)> {
    let word = |name: &str, description: &str| {
        (name.to_owned(), json!({"type": "string", "description": description}))
    };
    vec![
        (
            "involvedObject".to_owned(),
            json!({"type": "object", "description": "What it happened to.", "additionalProperties": {"type": "string"}}),
        ),
        word("reason", "What happened, in a word."),
        word("message", "What happened, in a sentence."),
        word("type", "Normal or Warning."),
        word("firstTimestamp", "When it happened first."),
        word("lastTimestamp", "When it happened last."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{Structure, unclear};

    #[test]
    fn every_keyed_list_is_a_list_of_objects_with_that_key() {
        for (name, field, key) in LIST_KEYS {
            let items = &definitions()[*name]["properties"][*field]["items"];
            let item = items["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap();
            assert!(!definitions()[item]["properties"][*key].is_null(), "{name}.{field} by {key}");
        }
    }

    #[test]
    fn two_items_of_one_key_are_found_in_every_keyed_list() {
        for (name, field, key) in LIST_KEYS {
            let mut all = definitions().clone();
            all.insert("Document".to_owned(), json!({"$ref": format!("#/$defs/{name}")}));
            let structure = Structure { definitions: &all, list_keys: LIST_KEYS };
            let told =
                |items: Value| format!("{:?}", unclear(structure.of("Document"), &json!({*field: items})));
            let twice = told(json!([{*key: "a"}, {*key: "b"}, {*key: "a"}]));
            assert!(twice.contains(&format!("{field}[2].{key}")), "{name}.{field}: {twice}");
            assert!(twice.starts_with("[Repeated"), "{twice}");
            assert!(told(json!([{*key: "a"}, {}])).starts_with("[Unnamed"), "{name}.{field}");
            assert_eq!(told(json!([{*key: "a"}, {*key: "b"}])), "[]", "{name}.{field}");
        }
    }
}
