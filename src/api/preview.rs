//! What a job would do (`/plan`) and why it does not (`/why`): the planners of production, asked without a write.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use plan::view::GroupRef;
use schemas::diff::{self, Change, Effect};
use schemas::job::{Job, JobSpec};
use schemas::key::Key;
use serde_json::{Value, json};

use super::admission::{self, Admitted};
use super::body::Sent;
use super::kind::{GROUP_VERSION, Kind};
use super::refusal::Refusal;
use super::request::{Asked, WriteQuery};
use super::resources::{catalog, counts};
use super::scene::{Name, Scene, part};
use super::server::Server;

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
    sent: Sent,
) -> Result<Json<Value>, Refusal> {
    let name = Name::new(namespace, name);
    let Admitted { document: job, warnings } = admission::job(sent.document()?, &name, query.validation()?)?;
    Ok(Json(server.look(|scene| compare(scene, &name, &job, &warnings))))
}

fn compare(scene: &Scene<'_>, name: &Name, job: &Job, warnings: &[String]) -> Value {
    let old = scene.view.jobs.get(&Key::job(&name.namespace, &name.name));
    let diff = diff::diff(&name.name, old.map(|old| &old.spec), &job.spec);
    let groups: BTreeMap<&str, Value> = diff
        .groups
        .iter()
        .map(|group| (group.name.as_str(), outcome(scene, name, (old, job), (&group.name, &group.effect))))
        .collect();
    let shown = catalog::join(scene, Kind::Job, name);
    json!({
        "apiVersion": GROUP_VERSION, "kind": "JobPlan",
        "changes": diff.change != Change::None,
        "diff": part(&diff), "groups": groups, "warnings": warnings,
        "resourceVersion": shown.map_or_else(|| json!("0"), |job| job["metadata"]["resourceVersion"].clone()),
    })
}

/// How many instances of a group are made, changed, replaced, stopped or left alone.
fn outcome(
    scene: &Scene<'_>,
    name: &Name,
    (old, new): (Option<&Job>, &Job),
    (group, effect): (&str, &Effect),
) -> Value {
    let count = |spec: Option<&JobSpec>| {
        let running = spec.filter(|spec| !spec.stop).and_then(|spec| spec.group(group));
        running.map_or(0, schemas::group::Group::count)
    };
    let (before, after) = (count(old.map(|old| &old.spec)), count(Some(&new.spec)));
    let kept = before.min(after);
    let (mut in_place, mut destructive, mut ignore) = (0, 0, 0);
    match effect {
        Effect::Unchanged => ignore = kept,
        Effect::InPlace { .. } => in_place = kept,
        Effect::Destructive { .. } => destructive = kept,
        Effect::Create | Effect::Destroy => {}
    }
    let create = after - kept;
    let placement = (create + destructive > 0).then(|| why_not(scene, name, group, &new.spec)).flatten();
    json!({
        "create": create, "inPlace": in_place, "destructive": destructive, "stop": before - kept,
        "ignore": ignore, "placement": placement,
    })
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
    server.look(|scene| {
        let job = scene.view.jobs.get(&Key::job(&name.namespace, &name.name));
        let job = job.ok_or_else(|| Refusal::not_found(Kind::Job, &name.name))?;
        let groups: BTreeMap<&str, Value> = job
            .spec
            .groups
            .iter()
            .map(|group| {
                let pending = counts::of_group(scene.view, job, group).unplaced;
                let told = scheduler::explain(scene.view, &reference(&name, &group.name), &job.spec);
                let why = json!({
                    "pending": pending, "considered": told.considered, "fitting": told.fitting,
                    "filtered": told.filtered, "exhausted": told.exhausted, "sentences": told.nearest,
                });
                (group.name.as_str(), why)
            })
            .collect();
        Ok(Json(json!({"apiVersion": GROUP_VERSION, "kind": "Why", "groups": groups})))
    })
}
