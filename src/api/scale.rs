//! `/scale`: how many instances a job has, in the words of `autoscaling/v1`.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemas::job::Job;
use schemas::key::Key;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Sent;
use super::commit::Seen;
use super::kind::Kind;
use super::missing::missing;
use super::patch::{self, Patch};
use super::refusal::{Cause, Refusal};
use super::request::{Asked, WriteQuery};
use super::resources::catalog;
use super::scene::Name;
use super::server::Server;
use super::write::Manner;
use super::write_jobs;

/// The routes.
pub(super) fn router() -> Router<Server> {
    const SCALE: &str = "/apis/encamp.dev/v1/namespaces/{namespace}/jobs/{name}/scale";
    Router::new().route(SCALE, get(read).put(write).patch(write))
}

/// Which group is scaled; needed only where there are several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    group: Option<String>,
}

async fn read(
    State(server): State<Server>,
    Path((namespace, name)): Path<(String, String)>,
    Asked(which): Asked<Which>,
) -> Result<Response, Refusal> {
    let name = Name::new(namespace, name);
    Ok(axum::Json(scale(&server, &name, &which)?).into_response())
}

async fn write(
    State(server): State<Server>,
    Path((namespace, name)): Path<(String, String)>,
    (Asked(which), Asked(query)): (Asked<Which>, Asked<WriteQuery>),
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Refusal> {
    let name = Name::new(namespace, name);
    let manner = Manner { subresource: "scale", ..Manner::of(&query, &headers)? };
    // Without the version of the answer: what a patch names is what its sender has seen.
    let current = json!({"spec": scale(&server, &name, &which)?["spec"]});
    let read = || match sent.media.as_str() {
        "application/json" | "application/yaml" => sent.document(),
        _ => match Patch::read(&sent)? {
            Patch::Merge(patch) | Patch::Apply(patch) => Ok(patch::merge(&current, &patch)),
            Patch::Json(patch) => patch::json(&current, &patch),
        },
    };
    let wanted = server.think(read).await??;
    let seen = Seen::of(&wanted["metadata"])?;
    let replicas = wanted["spec"]["replicas"].as_u64().and_then(|count| u32::try_from(count).ok());
    let replicas = replicas.ok_or_else(|| {
        refuse(&name, "FieldValueInvalid", "spec.replicas", "a count from 0 to 4294967295 is needed")
    })?;
    write_jobs::rescale(&server, &name, (which.group.as_deref(), replicas, seen), &manner).await?;
    let mut shown = scale(&server, &name, &which)?;
    if manner.is_dry {
        shown["spec"]["replicas"] = json!(replicas);
    }
    Ok(axum::Json(shown).into_response())
}

fn scale(server: &Server, name: &Name, which: &Which) -> Result<Value, Refusal> {
    server.look(|scene| {
        let key = Key::job(&name.namespace, &name.name);
        let missing = || missing(scene, Kind::Job, name);
        let job = scene.view.jobs.get(&key).ok_or_else(missing)?;
        let document = catalog::join(scene, Kind::Job, name).ok_or_else(missing)?;
        let at = group_of(job, name, which.group.as_deref())?;
        let group = &job.spec.groups[at];
        let metadata = &document["metadata"];
        Ok(json!({
            "apiVersion": "autoscaling/v1", "kind": "Scale",
            "metadata": {
                "name": name.name, "namespace": name.namespace, "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
            },
            "spec": {"replicas": group.count()},
            "status": {
                "replicas": document["status"]["groups"][&group.name]["running"],
                "selector": format!("encamp.dev/job={},encamp.dev/group={}", name.name, group.name),
            },
        }))
    })
}

/// The place of the group that is scaled.
pub(super) fn group_of(job: &Job, name: &Name, group: Option<&str>) -> Result<usize, Refusal> {
    let groups = &job.spec.groups;
    if job.spec.job_type.is_per_node() {
        let message = "the job runs one instance on every node that fits: there is no count to set";
        return Err(refuse(name, "FieldValueForbidden", "spec.groups", message));
    }
    let names = groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>().join(", ");
    match (group, groups.len()) {
        (Some(wanted), _) => groups.iter().position(|group| group.name == wanted).ok_or_else(|| {
            let message = format!("the job has no group {wanted:?}; it has {names}");
            refuse(name, "FieldValueNotFound", "spec.groups", &message)
        }),
        (None, 1) => Ok(0),
        (None, _) => {
            let message = format!("the job has the groups {names}: name one with ?group=");
            Err(refuse(name, "FieldValueRequired", "spec.groups", &message))
        }
    }
}

fn refuse(name: &Name, reason: &'static str, field: &str, message: &str) -> Refusal {
    let cause = Cause { reason, message: message.to_owned(), field: field.to_owned() };
    Refusal::invalid(Kind::Job, &name.name, vec![cause])
}
