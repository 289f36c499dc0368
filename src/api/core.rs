//! What clients ask of Kubernetes' core group without asking whether it is there: namespaces, and the events
//! that `kubectl describe` shows.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::kind::{Extent, Kind};
use super::read::{Listed, list_or_watch, one};
use super::refusal::Refusal;
use super::request::{Asked, ReadQuery};
use super::scene::Name;
use super::server::Server;

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new()
        .route("/api/v1", get(|| async { Json(resources()) }))
        .route("/api/v1/namespaces", get(namespaces).post(|| async { no_making() }))
        .route("/api/v1/namespaces/{name}", get(namespace))
        .route("/api/v1/events", get(all_events))
        .route("/api/v1/namespaces/{namespace}/events", get(events))
        .route("/api/v1/namespaces/{namespace}/events/{name}", get(event))
}

fn no_making() -> Refusal {
    Refusal::method_not_allowed("namespaces need not be made: one exists as soon as it holds a job")
        .but_allowed(Some(Kind::Namespace.methods(Extent::All)))
}

fn resources() -> Value {
    let resources = [
        json!({"name": "namespaces", "singularName": "namespace", "namespaced": false, "kind": "Namespace",
               "verbs": ["get", "list", "watch"], "shortNames": ["ns"]}),
        json!({"name": "events", "singularName": "event", "namespaced": true, "kind": "Event",
               "verbs": ["get", "list", "watch"], "shortNames": ["ev"]}),
    ];
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": resources})
}

async fn namespaces(
    State(server): State<Server>,
    Asked(query): Asked<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    list_or_watch(&server, &Listed::new(Kind::Namespace, None, &query, &headers)?, &query).await
}

async fn namespace(
    State(server): State<Server>,
    Path(name): Path<String>,
    Asked(query): Asked<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    one(&server, Kind::Namespace, &Name::new("", name), (&query, &headers)).await
}

async fn all_events(
    State(server): State<Server>,
    Asked(query): Asked<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    list_or_watch(&server, &Listed::new(Kind::CoreEvent, None, &query, &headers)?, &query).await
}

async fn events(
    State(server): State<Server>,
    Path(namespace): Path<String>,
    Asked(query): Asked<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    list_or_watch(&server, &Listed::new(Kind::CoreEvent, Some(namespace), &query, &headers)?, &query).await
}

async fn event(
    State(server): State<Server>,
    Path((namespace, name)): Path<(String, String)>,
    Asked(query): Asked<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    one(&server, Kind::CoreEvent, &Name::new(namespace, name), (&query, &headers)).await
}
