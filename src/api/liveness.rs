//! How silence of nodes is judged, for people: the settings, the brake on mass loss, and the word that releases it.
//!
//! `/settings/heartbeat` is read and changed, `/brakes/nodes` is read, `POST /brakes/nodes/release` lets the silent
//! nodes go. The word says who gave it and is about the present silence only.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use plan::{Guard, View, Write};
use schemas::codec::{Document, decode};
use schemas::key::{Key, Revision};
use schemas::liveness::{Brake, BrakeRelease, HeartbeatSettings};
use schemas::node::NodeState;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Sent;
use super::kind::GROUP_VERSION;
use super::patch;
use super::refusal::Refusal;
use super::request::{Asked, WordQuery};
use super::scene::part;
use super::server::Server;
use super::word;
use store::{CommitError, Txn};

const SETTINGS: &str = "/apis/encamp.dev/v1/settings/heartbeat";
const BRAKE: &str = "/apis/encamp.dev/v1/brakes/nodes";
const RELEASE: &str = "/apis/encamp.dev/v1/brakes/nodes/release";

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new()
        .route(SETTINGS, get(settings).put(replace).patch(change))
        .route(BRAKE, get(brake))
        .route(RELEASE, post(release))
}

async fn settings(State(server): State<Server>) -> Json<Value> {
    let settings = server.look(|scene| settings_of(scene.view));
    Json(shown(&settings))
}

fn settings_of(view: &View) -> HeartbeatSettings {
    view.settings.get(&Key::heartbeat_settings()).copied().unwrap_or_default()
}

fn shown(settings: &HeartbeatSettings) -> Value {
    json!({"apiVersion": GROUP_VERSION, "kind": "HeartbeatSettings", "spec": part(settings)})
}

async fn replace(
    State(server): State<Server>,
    Asked(query): Asked<WordQuery>,
    sent: Sent,
) -> Result<Json<Value>, Refusal> {
    let wanted = sent.document()?;
    set(&server, query.is_dry_run()?, |_| wanted["spec"].clone()).await
}

async fn change(
    State(server): State<Server>,
    Asked(query): Asked<WordQuery>,
    sent: Sent,
) -> Result<Json<Value>, Refusal> {
    let wanted = sent.document()?;
    set(&server, query.is_dry_run()?, |current| patch::merge(current, &wanted["spec"])).await
}

async fn set(
    server: &Server,
    is_dry: bool,
    make: impl FnOnce(&Value) -> Value,
) -> Result<Json<Value>, Refusal> {
    let key = Key::heartbeat_settings();
    let (guard, stored) = read::<HeartbeatSettings>(server, &key).await?;
    let made = make(&part(&stored.unwrap_or_default()));
    let settings: HeartbeatSettings = serde_path_to_error::deserialize(made)
        .map_err(|error| Refusal::bad_request(format!("spec.{}: {}", error.path(), error.inner())))?;
    let mistakes = settings.mistakes();
    if !mistakes.is_empty() {
        let told: Vec<String> = mistakes.iter().map(|(field, why)| format!("spec.{field}: {why}")).collect();
        return Err(Refusal::bad_request(told.join("; ")));
    }
    if !is_dry && stored != Some(settings) {
        commit(server, guard, Write::put(key, &settings)).await?;
    }
    Ok(Json(shown(&settings)))
}

async fn brake(State(server): State<Server>) -> Json<Value> {
    Json(server.look(|scene| brake_of(scene.view)))
}

fn brake_of(view: &View) -> Value {
    let brake = view.brakes.get(&Key::brake()).cloned().unwrap_or_default();
    let release = view.releases.get(&Key::brake_release());
    let is_released = brake.is_released_by(release);
    let states = view.health.iter().map(|(_, health)| health.value.state);
    let ready = states.filter(|state| *state == NodeState::Ready).count();
    let Brake { since, next, waiting } = &brake;
    json!({
        "apiVersion": GROUP_VERSION, "kind": "Brake",
        "status": {
            "holds": since.is_some() && !is_released, "since": since, "next": next,
            "waiting": waiting, "nodes": ready,
            "release": release.filter(|_| is_released).map(part),
        },
    })
}

/// Who lets the silent nodes go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Word {
    by: String,
}

async fn release(
    State(server): State<Server>,
    headers: HeaderMap,
    Asked(query): Asked<WordQuery>,
    sent: Sent,
) -> Result<Response, Refusal> {
    let Word { by } = word::read(&sent)?;
    let by = word::speaker(&by, &headers)?;
    let (_, brake) = read::<Brake>(&server, &Key::brake()).await?;
    let Some(silence) = brake.and_then(|brake| brake.since) else {
        return Err(Refusal::not_now("the brake does not hold: there is nothing to release"));
    };
    if query.is_dry_run()? {
        return Ok(Json(server.look(|scene| brake_of(scene.view))).into_response());
    }
    let key = Key::brake_release();
    let (guard, _) = read::<BrakeRelease>(&server, &key).await?;
    let release = BrakeRelease { silence: Some(silence), by, at: Some(server.now()) };
    let revision = commit(&server, guard, Write::put(key, &release)).await?;
    tracing::warn!(by = release.by, %silence, %revision, "the brake is released: silent nodes are given up");
    Ok(Json(server.look(|scene| brake_of(scene.view))).into_response())
}

/// A document as the store has it now, and the guard that it stays so.
async fn read<D: Document>(server: &Server, key: &Key) -> Result<(Guard, Option<D>), Refusal> {
    let entry = server.fresh(key).await?;
    let guard = match &entry {
        Some(entry) => Guard::At(key.clone(), entry.modified),
        None => Guard::Absent(key.clone()),
    };
    // What cannot be read is written anew.
    Ok((guard, entry.and_then(|entry| decode(&entry.value).ok())))
}

async fn commit(server: &Server, guard: Guard, write: Write) -> Result<Revision, Refusal> {
    let key = write.key().clone();
    let done = server.commit(Txn { guards: vec![guard], writes: vec![write] }).await;
    let revision = done.map_err(|error| match error {
        CommitError::Conflict => Refusal::not_now(format!("somebody else has changed {key}: look again")),
        CommitError::Unknown => Refusal::outcome_unknown(),
        CommitError::NotApplied | CommitError::TooLarge | CommitError::Full => {
            Refusal::unavailable(format!("nothing was changed: {error}"))
        }
    })?;
    server.shown(revision).await;
    Ok(revision)
}

#[cfg(test)]
mod tests;
