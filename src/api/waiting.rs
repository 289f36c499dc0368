//! What a server answers while it waits for its store: that it lives, and what for it is not ready.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use super::refusal::Refusal;

/// The routes of a server whose store is not open yet; `why` is what it waits for.
pub fn waiting(why: watch::Receiver<String>) -> Router {
    let ready = why.clone();
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(move || async move { not_ready(&ready) }))
        .fallback(
            move || async move { Refusal::unavailable(format!("this server waits: {}", &*why.borrow())) },
        )
}

fn not_ready(why: &watch::Receiver<String>) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("[-]store: {}\n", &*why.borrow())).into_response()
}
