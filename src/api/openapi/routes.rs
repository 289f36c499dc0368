//! Where the document is found.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::document::document;
use crate::kind::GROUP_VERSION;
use crate::server::Server;

static TEXT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

/// The routes.
pub(crate) fn router() -> Router<Server> {
    Router::new().route("/openapi/v3", get(index)).route("/openapi/v3/apis/encamp.dev/v1", get(whole))
}

async fn index() -> Json<Value> {
    let mut hasher = DefaultHasher::new();
    TEXT.hash(&mut hasher);
    let path = format!("apis/{GROUP_VERSION}");
    let address = format!("/openapi/v3/{path}?hash={:016X}", hasher.finish());
    Json(json!({"paths": {path: {"serverRelativeURL": address}}}))
}

async fn whole() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.clone()).into_response()
}
