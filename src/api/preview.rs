//! What a job would do (`/plan`, by a forecast) and why it does not (`/why`): the planners of production, asked
//! without a write.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use plan::view::{GroupRef, JobRef};
use schemas::diff;
use schemas::job::JobSpec;
use schemas::key::Key;
use serde_json::{Value, json};

use super::body::Sent;
use super::commit::Change;
use super::kind::{GROUP_VERSION, Kind};
use super::mask;
use super::missing::missing;
use super::refusal::Refusal;
use super::request::{Asked, WriteQuery};
use super::resources::{catalog, counts};
use super::scene::{Name, Scene, part};
use super::server::Server;
use super::write::Manner;
use super::write_jobs;
use forecast::forecast;

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new()
        .route("/apis/encamp.dev/v1/namespaces/{namespace}/jobs/{name}/plan", post(preview))
        .route("/apis/encamp.dev/v1/namespaces/{namespace}/jobs/{name}/why", get(why))
}

async fn preview(
    State(server): State<Server>,
    Path((namespace, name)): Path<(String, String)>,
    Asked(query): Asked<WriteQuery>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Json<Value>, Refusal> {
    let name = Name::new(namespace, name);
    let manner = Manner::of(&query, &headers)?;
    server.think(|| foresee(&server, &name, (&sent, &manner))).await?.map(Json)
}

fn foresee(server: &Server, name: &Name, (sent, manner): (&Sent, &Manner)) -> Result<Value, Refusal> {
    let key = Key::job(&name.namespace, &name.name);
    let (view, shown, now) = server.look(|scene| {
        (scene.view.clone(), catalog::join(scene, Kind::Job, name).unwrap_or_default(), scene.now)
    });
    let stored = view.jobs.stored(&key).cloned();
    let Change { document: job, writes, warnings, seen: _, weight: _ } =
        write_jobs::planned(server, name, stored.as_ref(), (sent, manner))?;
    let (before, after) = mask::compared(stored.as_ref().map(|stored| &stored.value.spec), &job.spec)?;
    let diff = diff::diff(&name.name, before.as_ref(), &after);
    let reference = JobRef { namespace: name.namespace.clone(), job: name.name.clone() };
    let groups = forecast(view, &reference, &writes, now);
    let version = shown["metadata"]["resourceVersion"].as_str().unwrap_or("0");
    Ok(json!({
        "apiVersion": GROUP_VERSION, "kind": "JobPlan",
        "changes": diff.change != diff::Change::None,
        "diff": part(&diff), "groups": part(&groups), "warnings": warnings,
        "resourceVersion": version,
    }))
}

fn reference(name: &Name, group: &str) -> GroupRef {
    GroupRef { namespace: name.namespace.clone(), job: name.name.clone(), group: group.to_owned() }
}

/// Why no node would take an instance of a group, if none would.
pub(super) fn why_not(scene: &Scene<'_>, name: &Name, group: &str, spec: &JobSpec) -> Option<String> {
    let told = scheduler::explain(scene.view, &reference(name, group), spec);
    (told.fitting == 0).then(|| told.to_string())
}

async fn why(
    State(server): State<Server>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let name = Name::new(namespace, name);
    server.show(|| server.look(|scene| explained(scene, &name))).await?.map(Json)
}

fn explained(scene: &Scene<'_>, name: &Name) -> Result<Value, Refusal> {
    let job = scene.view.jobs.get(&Key::job(&name.namespace, &name.name));
    let job = job.ok_or_else(|| missing(scene, Kind::Job, name))?;
    let groups: BTreeMap<&str, Value> = job
        .spec
        .groups
        .iter()
        .map(|group| {
            let counts = counts::of_group(scene.view, job, group);
            let told = scheduler::explain(scene.view, &reference(name, &group.name), &job.spec);
            let why = json!({
                "desired": counts.desired, "pending": counts.unplaced, "considered": told.considered, "fitting": told.fitting,
                "filtered": told.filtered, "exhausted": told.exhausted, "sentences": told.nearest,
            });
            (group.name.as_str(), why)
        })
        .collect();
    Ok(json!({"apiVersion": GROUP_VERSION, "kind": "Why", "groups": groups}))
}
