//! The store face: list, commit and watch for the agents of the cluster, see [`store::wire`].
//!
//! It adds nothing to the promises of the store behind it. Whether a caller may ask is for the hook to say, which
//! sees the head of the request; who may not is told 403 before the store hears of it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream::{self, Stream, StreamExt};
use schemas::key::{Prefix, Revision};
use tokio_util::sync::CancellationToken;

use store::wire::{
    self, CommitAnswer, CommitQuestion, Line, ListAnswer, ListQuestion, Refused, WatchQuestion,
};
use store::{CommitError, ReadError, Store, Txn, Watch, WatchError};

/// What somebody wants of the store.
pub enum Ask<'a> {
    /// To list or watch.
    Read(&'a Prefix),
    /// To commit.
    Write(&'a Txn),
}

/// Says whether the sender of a request may have what it asks, or why not.
pub type Allow = Arc<dyn Fn(&Parts, Ask<'_>) -> Result<(), String> + Send + Sync>;

/// Everybody may do everything: for a server that only trusted callers can reach.
pub fn allow_all() -> Allow {
    Arc::new(|_, _| Ok(()))
}

/// How many lists are read at once: each is one node's documents, and waits for the store.
const LISTS: usize = 32;

struct Face<S> {
    store: S,
    allow: Allow,
    stop: CancellationToken,
}

/// The routes of the store face over a store. Open watches end when `stop` is cancelled.
pub fn router<S: Store>(store: S, allow: Allow, stop: CancellationToken) -> Router {
    let lists = Router::new().route(wire::LIST, post(list::<S>));
    http_server::bounded(lists, LISTS)
        .route(wire::COMMIT, post(commit::<S>))
        .route(wire::WATCH, get(watch::<S>))
        .layer(DefaultBodyLimit::max(wire::MESSAGE_BYTES))
        .with_state(Arc::new(Face { store, allow, stop }))
}

async fn list<S: Store>(
    State(face): State<Arc<Face<S>>>,
    parts: Parts,
    Json(question): Json<ListQuestion>,
) -> Response {
    if let Err(why) = (face.allow)(&parts, Ask::Read(&question.prefix)) {
        return forbidden(why);
    }
    match face.store.list(&question.prefix).await {
        Ok(listing) => Json(ListAnswer::from(listing)).into_response(),
        Err(error @ ReadError::Unavailable) => refused(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

async fn commit<S: Store>(
    State(face): State<Arc<Face<S>>>,
    parts: Parts,
    Json(question): Json<CommitQuestion>,
) -> Response {
    let txn = Txn::from(question);
    // Every store would say so; here it is said before anything is looked at.
    if let Err(error) = txn.check() {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, error);
    }
    if let Err(why) = (face.allow)(&parts, Ask::Write(&txn)) {
        return forbidden(why);
    }
    match face.store.commit(txn).await {
        Ok(revision) => Json(CommitAnswer { revision }).into_response(),
        Err(error) => {
            let status = match error {
                CommitError::Conflict => StatusCode::CONFLICT,
                CommitError::NotApplied => StatusCode::SERVICE_UNAVAILABLE,
                CommitError::Unknown => StatusCode::GATEWAY_TIMEOUT,
                CommitError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                CommitError::Full => StatusCode::INSUFFICIENT_STORAGE,
            };
            refused(status, error)
        }
    }
}

async fn watch<S: Store>(
    State(face): State<Arc<Face<S>>>,
    parts: Parts,
    Query(question): Query<WatchQuestion>,
) -> Response {
    let Some(prefix) = question.prefix() else { return StatusCode::BAD_REQUEST.into_response() };
    if let Err(why) = (face.allow)(&parts, Ask::Read(&prefix)) {
        return forbidden(why);
    }
    match face.store.watch(&prefix, Revision(question.after)).await {
        Ok(watch) => {
            let lines = Body::from_stream(lines(watch, face.stop.clone()));
            ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
        }
        Err(error @ WatchError::Compacted) => refused(StatusCode::GONE, error),
        Err(error @ WatchError::Broken) => refused(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

/// A watch as lines, until it ends or the server does.
fn lines(watch: Watch, stop: CancellationToken) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Some(watch), move |watch| {
        let stop = stop.clone();
        async move {
            let mut watch = watch?;
            let batch = tokio::select! { biased;
                () = stop.cancelled() => Err(WatchError::Broken),
                batch = watch.next() => batch.unwrap_or(Err(WatchError::Broken)),
            };
            let (line, watch) = match batch {
                Ok(batch) => (Line::Batch(batch.into()), Some(watch)),
                Err(error) => (Line::Error(error), None),
            };
            let mut text = serde_json::to_vec(&line).expect("a line is plain words and numbers");
            text.push(b'\n');
            Some((Ok(Bytes::from(text)), watch))
        }
    })
}

fn forbidden(why: String) -> Response {
    tracing::debug!(why, "the store was asked for what it is not asked for");
    (StatusCode::FORBIDDEN, why).into_response()
}

fn refused<E: serde::Serialize>(status: StatusCode, error: E) -> Response {
    (status, Json(Refused { error })).into_response()
}
