//! Who owns which field of a job: the bridge between jobs and the apply room.

use schemas::job::{Job, JobSpec};
use schemas::meta::ManagedFields;
use schemas::unknown;
use serde_json::{Map, Value, json};

use super::admission;
use super::apply::{self, Applied, Author, Contested, Shape, Structure, Unclear};
use super::kind::{GROUP_VERSION, Kind};
use super::mask;
use super::openapi;
use super::refusal::{Cause, Refusal};
use super::scene::{Name, part};
use super::server::Server;
use super::write::Manner;

/// The metadata that managers own.
const OWNED_METADATA: [&str; 3] = ["labels", "annotations", "ownerReferences"];

fn shape() -> Shape<'static> {
    let structure = Structure { definitions: openapi::definitions(), list_keys: openapi::LIST_KEYS };
    structure.of(Kind::Job.words().kind)
}

fn author<'a>(server: &Server, manner: &'a Manner) -> Author<'a> {
    let now = server.now();
    Author { manager: &manner.manager, api_version: GROUP_VERSION, subresource: manner.subresource, now }
}

/// The part of a document that is owned field by field.
fn owned(document: &Value) -> Value {
    let mut out = Map::new();
    let metadata: Map<String, Value> = OWNED_METADATA
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), document["metadata"].get(field)?.clone())))
        .collect();
    if !metadata.is_empty() {
        out.insert("metadata".to_owned(), Value::Object(metadata));
    }
    if let Some(spec) = document.get("spec") {
        out.insert("spec".to_owned(), spec.clone());
    }
    Value::Object(out)
}

fn of_job(job: &Job) -> Value {
    owned(&json!({"metadata": part(&job.metadata), "spec": spelled(job)}))
}

/// The owners after a write that is no apply. Owners that the sender sent are what it starts from.
pub(super) fn updated(server: &Server, manner: &Manner, old: Option<&Job>, new: &Job) -> Vec<ManagedFields> {
    let before = old.map_or_else(|| json!({}), of_job);
    let sent = &new.metadata.managed_fields;
    let base = if sent.is_empty() { old.map(|old| old.metadata.managed_fields.as_slice()) } else { None };
    let base = base.unwrap_or(sent);
    apply::update(shape(), (&before, &of_job(new)), base, &author(server, manner))
}

/// What an apply makes of a job: the whole document, as a sender would send it, with its owners.
pub(super) fn applied(
    server: &Server,
    manner: &Manner,
    (name, old): (&Name, Option<&Job>),
    config: &Value,
    warnings: &mut Vec<String>,
) -> Result<Value, Refusal> {
    let mut config = config.clone();
    admission::strip_nulls(&mut config);
    if config["metadata"].get("managedFields").is_some() {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    let parts = admission::split(Kind::Job, config.clone(), name)?;
    admission::metadata_is_known(&parts.metadata, (manner.validation, warnings))?;
    let mut spec = parts.spec;
    let decoded: JobSpec =
        admission::decode_spec(&mut spec, (Kind::Job, &name.name), (manner.validation, warnings))?;
    respell(&mut spec, &part(&decoded));
    mask::restore(&mut spec, &name.name, old)?;
    let wanted = owned(&json!({"metadata": parts.metadata, "spec": spec}));
    distinct(name, &wanted)?;
    let live = old.map_or_else(|| json!({}), of_job);
    let managed = old.map(|old| old.metadata.managed_fields.clone()).unwrap_or_default();
    let author = author(server, manner);
    let lay = |contested| apply::apply(shape(), (&live, &wanted), &managed, &author, contested);
    let laid = lay(manner.contested).or_else(|conflicts| {
        // The same tool by its older way of applying is not somebody else.
        let is_same = conflicts.iter().all(|conflict| conflict.manager == "kubectl-client-side-apply");
        if is_same && manner.manager == "kubectl" { lay(Contested::Take) } else { Err(conflicts) }
    });
    let Applied { value, managed } = laid.map_err(|conflicts| {
        let causes = conflicts.into_iter().map(|conflict| Cause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {:?} using {GROUP_VERSION}", conflict.manager),
            field: conflict.field,
        });
        Refusal::owned_by_others(Kind::Job, &name.name, causes.collect())
    })?;
    let mut metadata = value.get("metadata").cloned().unwrap_or_else(|| json!({}));
    for field in ["name", "namespace", "resourceVersion", "uid"] {
        if let Some(given) = config["metadata"].get(field) {
            metadata[field] = given.clone();
        }
    }
    metadata["managedFields"] = part(&managed);
    let spec = value.get("spec").cloned().unwrap_or_else(|| json!({}));
    Ok(json!({"apiVersion": GROUP_VERSION, "kind": "Job", "metadata": metadata, "spec": spec}))
}

/// Refuses lists whose items cannot be told apart: what is wanted of each would not be known.
fn distinct(name: &Name, wanted: &Value) -> Result<(), Refusal> {
    let causes: Vec<Cause> = apply::unclear(shape(), wanted)
        .into_iter()
        .map(|unclear| match unclear {
            Unclear::Repeated { field, message } => Cause { reason: "FieldValueDuplicate", message, field },
            Unclear::Unnamed { field, message } => Cause { reason: "FieldValueRequired", message, field },
        })
        .collect();
    if causes.is_empty() { Ok(()) } else { Err(Refusal::invalid(Kind::Job, &name.name, causes)) }
}

/// What a job's author wrote, spelled as every author's words are.
fn spelled(job: &Job) -> Value {
    let mut written = job.as_written();
    // What cannot be read cannot be respelled; it is compared letter by letter.
    if let Ok(decoded) = unknown::read_stored::<JobSpec>(written.clone()) {
        respell(&mut written, &part(&decoded));
    }
    written
}

/// Spells what was given as we would (`300s` as `5m`), so that the same value is no change.
fn respell(given: &mut Value, stored: &Value) {
    match (given, stored) {
        (Value::Object(given), Value::Object(stored)) => {
            for (field, value) in given {
                if let Some(stored) = stored.get(field) {
                    respell(value, stored);
                }
            }
        }
        (Value::Array(given), Value::Array(stored)) if given.len() == stored.len() => {
            for (value, stored) in given.iter_mut().zip(stored) {
                respell(value, stored);
            }
        }
        (given, stored) => given.clone_from(stored),
    }
}
