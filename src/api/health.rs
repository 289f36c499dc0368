//! Whether the server lives, and whether it is ready, in the words of Kubernetes.
//!
//! `/readyz` is ready as long as the picture of the store is there and the store takes new documents; a server that
//! only reads, stops and deletes says so with 503 and the reason. Who balances readers passes that over with
//! `/readyz?exclude=room`; `?verbose` lists every check.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::server::Server;

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
}

/// What a check found; nothing if it is well.
type Check = (&'static str, Option<String>);

async fn ready(State(server): State<Server>, RawQuery(query): RawQuery) -> Response {
    let is_read = server.cache().revision().0 > 0;
    let shortage = server.room().shortage().map(|why| format!("the store is full: {why}"));
    let checks = [("store", (!is_read).then(|| "it has not been read yet".to_owned())), ("room", shortage)];
    answer(&checks, query.as_deref().unwrap_or_default())
}

fn answer(checks: &[Check], query: &str) -> Response {
    let asked = |word: &str| query.split('&').any(|part| part == word || part == format!("{word}=true"));
    let is_excluded = |name: &str| query.split('&').any(|part| part == format!("exclude={name}"));
    let mut is_well = true;
    let mut lines = String::new();
    for (name, fault) in checks {
        match fault {
            _ if is_excluded(name) => lines += &format!("[+]{name} excluded: ok\n"),
            None => lines += &format!("[+]{name} ok\n"),
            Some(fault) => {
                is_well = false;
                lines += &format!("[-]{name} failed: {fault}\n");
            }
        }
    }
    match (is_well, asked("verbose")) {
        (true, false) => "ok".into_response(),
        (true, true) => (lines + "readyz check passed\n").into_response(),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, lines + "readyz check failed\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(checks: &[Check], query: &str) -> String {
        let response = answer(checks, query);
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        format!("{status} {}", String::from_utf8_lossy(&body).trim_end())
    }

    #[tokio::test]
    async fn readiness_names_what_is_missing() {
        let (well, full) = ([("room", None)], [("store", None), ("room", Some("it is full".to_owned()))]);
        assert_eq!(told(&well, "").await, "200 ok");
        assert_eq!(told(&well, "verbose").await, "200 [+]room ok\nreadyz check passed");
        let failed = "503 [+]store ok\n[-]room failed: it is full\nreadyz check failed";
        assert_eq!(told(&full, "").await, failed);
        assert_eq!(told(&full, "verbose=true").await, failed);
        assert_eq!(told(&full, "exclude=room").await, "200 ok");
    }
}
