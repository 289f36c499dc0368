//! From a body to a job that may be stored: decoded, checked, in canonical form.

use schemas::admission::{self, Verdict};
use schemas::job::{Job, JobSpec};
use schemas::limits::{self, MANAGER_BYTES, MANAGERS, UNKNOWN_FIELDS};
use schemas::meta::ObjectMeta;
use schemas::unknown::{self, Wrong};
use schemas::validate::{self, Problem};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::kind::{GROUP_VERSION, Kind};
use super::refusal::{Cause, Refusal};
use super::request::FieldValidation;
use super::scene::Name;

/// A document that may be stored, and what somebody should look at.
#[derive(Clone, Debug)]
pub(super) struct Admitted<T> {
    /// The document.
    pub document: T,
    /// Sentences for people.
    pub warnings: Vec<String>,
}

/// Reads and checks a job.
pub(super) fn job(body: Value, name: &Name, validation: FieldValidation) -> Result<Admitted<Job>, Refusal> {
    if let Some(why) = limits::excess(&body) {
        return Err(Refusal::bad_request(format!("the document is too much: {why}")));
    }
    let parts = split(Kind::Job, body, name)?;
    let mut warnings = Vec::new();
    metadata_is_known(&parts.metadata, (validation, &mut warnings))?;
    let metadata = metadata(Kind::Job, parts.metadata, name)?;
    let mut written = parts.spec;
    strip_nulls(&mut written);
    let spec: JobSpec = decode_spec(&mut written, (Kind::Job, &metadata.name), (validation, &mut warnings))?;
    let Verdict { mistakes, unbuilt } = admission::judge(&metadata.name, &spec);
    let of_namespace = validate::namespace(&metadata.namespace);
    let problems: Vec<Problem> = of_namespace.into_iter().chain(mistakes).chain(unbuilt).collect();
    let causes: Vec<Cause> = problems.iter().filter(|problem| problem.is_error()).map(cause).collect();
    if !causes.is_empty() {
        return Err(Refusal::invalid(Kind::Job, &metadata.name, causes));
    }
    warnings.extend(
        problems.iter().map(|problem| format!("{}: {}", field_path(&problem.pointer), sentence(problem))),
    );
    let spec = spec.canonicalize(&metadata.name);
    let document = Job { metadata, spec, written: Some(written), ..Job::default() };
    Ok(Admitted { document, warnings })
}

/// A field that is null is not given.
pub(super) fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The parts of a body that are read.
pub(super) struct Parts {
    /// `metadata`
    pub metadata: Map<String, Value>,
    /// `spec`
    pub spec: Value,
}

/// Checks the envelope and takes it apart; a `status` is passed over, it is not the sender's to say.
pub(super) fn split(kind: Kind, body: Value, name: &Name) -> Result<Parts, Refusal> {
    let Value::Object(mut body) = body else {
        return Err(Refusal::bad_request("the body is not an object"));
    };
    let mut expect = |field: &str, wanted: &str| match body.remove(field) {
        Some(Value::String(text)) if text == wanted => Ok(()),
        Some(other) => {
            Err(Refusal::bad_request(format!("{field}: this address takes {wanted:?}, not {other}")))
        }
        None => Err(Refusal::bad_request(format!("{field} is missing; it is {wanted:?} here"))),
    };
    expect("apiVersion", GROUP_VERSION)?;
    expect("kind", kind.words().kind)?;
    body.remove("status");
    let metadata = match body.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(Refusal::bad_request("metadata is not an object")),
    };
    let spec = body.remove("spec").unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(field) = body.keys().next() {
        let cause = not_known(field);
        return Err(Refusal::invalid(kind, &name.name, vec![cause]));
    }
    Ok(Parts { metadata, spec })
}

/// The fields of metadata that are the sender's to say.
const OWN_METADATA: [&str; 7] =
    ["name", "namespace", "labels", "annotations", "ownerReferences", "finalizers", "managedFields"];

/// Further fields of metadata that clients send back as they found them.
const OTHER_METADATA: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "selfLink",
];

/// Treats fields of metadata that nobody knows as asked.
pub(super) fn metadata_is_known(
    given: &Map<String, Value>,
    (validation, warnings): (FieldValidation, &mut Vec<String>),
) -> Result<(), Refusal> {
    let known = [&OWN_METADATA[..], &OTHER_METADATA].concat();
    let unknown: Vec<String> = given
        .keys()
        .filter(|field| !known.contains(&field.as_str()))
        .map(|field| unknown_field(&format!("metadata.{field}"), (field.as_str(), known.as_slice())))
        .collect();
    match validation {
        FieldValidation::Strict if !unknown.is_empty() => Err(strict(&unknown)),
        FieldValidation::Warn => {
            warnings.extend(unknown);
            Ok(())
        }
        FieldValidation::Strict | FieldValidation::Ignore => Ok(()),
    }
}

/// What is wrong with a field that nobody knows, with the word that was probably meant.
fn unknown_field(place: &str, (word, known): (&str, &[&str])) -> String {
    let near = validate::nearest(word, known);
    let instead = match (near, known) {
        (Some(near), _) => format!(", did you mean {near:?}?"),
        (None, []) => String::new(),
        (None, known) => format!(" (there are {})", known.join(", ")),
    };
    format!("unknown field {place:?}{instead}")
}

fn strict(unknown: &[String]) -> Refusal {
    Refusal::bad_request(format!("strict decoding error: {}", unknown.join(", ")))
}

/// What of the metadata is the sender's to say; the rest is passed over.
pub(super) fn metadata(
    kind: Kind,
    mut given: Map<String, Value>,
    name: &Name,
) -> Result<ObjectMeta, Refusal> {
    if given.contains_key("generateName") && !given.contains_key("name") {
        return Err(Refusal::bad_request("metadata.generateName is not supported: give metadata.name"));
    }
    given.retain(|field, value| OWN_METADATA.contains(&field.as_str()) && !value.is_null());
    let mut metadata: ObjectMeta = serde_path_to_error::deserialize(Value::Object(given))
        .map_err(|error| Refusal::bad_request(format!("metadata.{}: {}", error.path(), error.inner())))?;
    if metadata.name.is_empty() && !name.name.is_empty() {
        metadata.name.clone_from(&name.name);
    }
    if metadata.namespace.is_empty() {
        metadata.namespace.clone_from(&name.namespace);
    }
    let mut causes = Vec::new();
    let mut expect = |field: &str, given: &str, wanted: &str| {
        if !wanted.is_empty() && given != wanted {
            let message = format!("{given:?} is not the {wanted:?} of the address");
            causes.push(Cause { reason: "FieldValueInvalid", message, field: format!("metadata.{field}") });
        }
    };
    expect("name", &metadata.name, &name.name);
    expect("namespace", &metadata.namespace, &name.namespace);
    if metadata.name.is_empty() {
        causes.push(Cause {
            reason: "FieldValueRequired",
            message: "a name is required".to_owned(),
            field: "metadata.name".to_owned(),
        });
    }
    if metadata.managed_fields.len() > MANAGERS {
        let message =
            format!("{} managers own fields; at most {MANAGERS} may", metadata.managed_fields.len());
        causes.push(Cause {
            reason: "FieldValueInvalid",
            message,
            field: "metadata.managedFields".to_owned(),
        });
    }
    if metadata.managed_fields.iter().any(|entry| entry.manager.len() > MANAGER_BYTES) {
        let message = format!("the name of a manager is longer than {MANAGER_BYTES} bytes");
        causes.push(Cause {
            reason: "FieldValueInvalid",
            message,
            field: "metadata.managedFields".to_owned(),
        });
    }
    if !metadata.finalizers.is_empty() {
        causes.push(Cause {
            reason: "FieldValueForbidden",
            message: "finalizers are not supported".to_owned(),
            field: "metadata.finalizers".to_owned(),
        });
    }
    if causes.is_empty() { Ok(metadata) } else { Err(Refusal::invalid(kind, &name.name, causes)) }
}

/// Decodes the spec of a document and leaves in it what is known; unknown fields are treated as asked.
pub(super) fn decode_spec<T: DeserializeOwned>(
    spec: &mut Value,
    (kind, name): (Kind, &str),
    (validation, warnings): (FieldValidation, &mut Vec<String>),
) -> Result<T, Refusal> {
    let (mut unknown, mut refused) = (0, Vec::new());
    let place = |path: &str| if path == "." { "spec".to_owned() } else { format!("spec.{path}") };
    let read = unknown::read(spec, |Wrong { path, message }| {
        let place = place(path);
        unknown += 1;
        if unknown > UNKNOWN_FIELDS {
            let message = format!("more than {UNKNOWN_FIELDS} fields are not known, {place:?} among them");
            return Err(Undecoded::Refused(Box::new(Refusal::bad_request(message))));
        }
        match validation {
            FieldValidation::Strict => {
                let word = place.rsplit('.').next().unwrap_or_default();
                refused.push(unknown_field(&place, (word, allowed(message).as_slice())));
            }
            FieldValidation::Warn => warnings.push(format!("unknown field {place:?}")),
            FieldValidation::Ignore => {}
        }
        Ok(())
    });
    if !refused.is_empty() {
        return Err(strict(&refused));
    }
    read.map_err(|undecoded| match undecoded {
        Undecoded::Refused(refusal) => *refusal,
        Undecoded::Wrong(Wrong { path, message }) => {
            let cause = Cause { reason: "FieldValueInvalid", message, field: place(&path) };
            Refusal::invalid(kind, name, vec![cause])
        }
    })
}

/// The fields that there are, out of a reader's complaint about one that there is not.
fn allowed(message: &str) -> Vec<&str> {
    let listed = message.split_once(", expected ").map(|(_, listed)| listed).unwrap_or_default();
    listed.split('`').skip(1).step_by(2).collect()
}

/// Why a part of a document is not taken.
enum Undecoded {
    Refused(Box<Refusal>),
    Wrong(Wrong),
}

impl From<Wrong> for Undecoded {
    fn from(wrong: Wrong) -> Undecoded {
        Undecoded::Wrong(wrong)
    }
}

fn not_known(field: &str) -> Cause {
    let message = "unknown field".to_owned();
    Cause { reason: "FieldValueForbidden", message, field: field.to_owned() }
}

fn cause(problem: &Problem) -> Cause {
    let field = field_path(&problem.pointer);
    Cause { reason: "FieldValueInvalid", message: sentence(problem), field }
}

/// The message with its hint.
fn sentence(problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{}; {hint}", problem.message),
        None => problem.message.clone(),
    }
}

/// `/spec/groups/0/name` as `spec.groups[0].name`.
pub(super) fn field_path(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.parse::<usize>().is_ok() {
            path.extend(["[", step.as_str(), "]"]);
        } else {
            path += if path.is_empty() { "" } else { "." };
            path += &step;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scene::part;

    #[expect(clippy::needless_pass_by_value, reason = "tables of specs read better without borrows")]
    fn admit(spec: Value, validation: FieldValidation) -> Result<Admitted<Job>, Refusal> {
        let body =
            json!({"apiVersion": "encamp.dev/v1", "kind": "Job", "metadata": {"name": "web"}, "spec": spec});
        job(body, &Name::new("default", "web"), validation)
    }

    fn sound() -> Value {
        json!({"groups": [{"name": "api", "tasks": [{"name": "main", "driver": "raw_exec", "config": {"command": "/bin/true"}}]}]})
    }

    #[test]
    fn what_is_acted_on_is_canonical_and_what_is_stored_is_as_written() {
        let mut given = sound();
        given["groups"][0]["count"] = Value::Null;
        let admitted = admit(given, FieldValidation::Strict).unwrap();
        assert_eq!(admitted.document.spec.groups[0].count, Some(1));
        assert_eq!(part(&admitted.document)["spec"], sound());
        assert_eq!(admitted.document.metadata.namespace, "default");
    }

    #[test]
    fn unknown_fields_are_refused_told_or_passed_over() {
        let mut spec = sound();
        spec["groups"][0]["cuont"] = json!(3);
        spec["prio"] = json!(3);
        let strict = admit(spec.clone(), FieldValidation::Strict).unwrap_err();
        let told = strict.message();
        let first = "strict decoding error: unknown field \"spec.groups[0].cuont\", did you mean \"count\"?";
        assert!(told.starts_with(first), "{told}");
        assert!(
            told.contains(", unknown field \"spec.prio\" (there are ") && told.contains(", priority,"),
            "{told}"
        );
        let warned = admit(spec.clone(), FieldValidation::Warn).unwrap();
        assert_eq!(
            warned.warnings,
            ["unknown field \"spec.groups[0].cuont\"", "unknown field \"spec.prio\""]
        );
        assert!(admit(spec, FieldValidation::Ignore).unwrap().warnings.is_empty());
    }

    #[test]
    fn every_problem_is_a_cause_at_its_field() {
        let mut spec = sound();
        spec["priority"] = json!(1000);
        spec["groups"][0]["tasks"][0]["driver"] = json!("");
        let refusal = admit(spec, FieldValidation::Strict).unwrap_err();
        let status = refusal.status();
        let fields: Vec<&str> = status["details"]["causes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, ["spec.priority", "spec.groups[0].tasks[0].driver"]);
        assert_eq!(status["code"], 422);
    }

    #[test]
    fn the_address_and_the_body_must_agree() {
        let body = json!({"apiVersion": "encamp.dev/v1", "kind": "Job", "metadata": {"name": "other"}, "spec": sound()});
        let refusal = job(body, &Name::new("default", "web"), FieldValidation::Strict).unwrap_err();
        assert!(refusal.message().contains("metadata.name"), "{}", refusal.message());
        let body = json!({"apiVersion": "v1", "kind": "Job"});
        let refusal = job(body, &Name::new("default", "web"), FieldValidation::Strict).unwrap_err();
        assert_eq!(refusal.message(), "apiVersion: this address takes \"encamp.dev/v1\", not \"v1\"");
    }
}
