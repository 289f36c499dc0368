//! Who answers a request: the lane that took the connection answers what tells of life, the main runtime all else.
//!
//! The body of an answer is made where the answer is made and only carried here: a watch joins documents for each line.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::http::Request;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt as _;

use super::refusal::Refusal;

/// How many pieces of a body are made ahead of their reader.
const AHEAD: usize = 2;

/// The same routes for the lane that takes connections: what takes time is done by the main runtime.
pub fn hand_over(router: Router, main: Handle) -> Router {
    let service = tower::service_fn(move |request: Request<Body>| {
        let answering = answer(router.clone(), main.clone(), request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    Router::new().fallback_service(service)
}

/// Answers a request, here or there. Whoever no longer waits for the answer ends the work on it.
async fn answer(router: Router, main: Handle, request: Request<Body>) -> Response {
    let is_vital = tells_of_life(request.uri().path());
    let answering = router.oneshot(request);
    if is_vital {
        return answering.await.unwrap_or_else(|never| match never {});
    }
    let elsewhere = main.clone();
    let work = async move {
        let answer = answering.await.unwrap_or_else(|never| match never {});
        carried(answer, &elsewhere)
    };
    let answer = AbortOnDropHandle::new(main.spawn(work)).await;
    answer.unwrap_or_else(|_| Refusal::unavailable("the request could not be answered").into_response())
}

/// Beats, and what asks whether the server lives: none of it waits, reads documents or holds a lock for long.
fn tells_of_life(path: &str) -> bool {
    let is_beat = || {
        let node =
            path.strip_prefix("/apis/encamp.dev/v1/nodes/").and_then(|rest| rest.strip_suffix("/beat"));
        node.is_some_and(|node| !node.contains('/'))
    };
    matches!(path, "/livez" | "/healthz" | "/readyz") || is_beat()
}

/// An answer whose body is made by the main runtime.
fn carried(answer: Response, main: &Handle) -> Response {
    if answer.body().size_hint().exact().is_some() {
        // It is made already.
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let (sender, receiver) = mpsc::channel(AHEAD);
    let mut pieces = body.into_data_stream();
    main.spawn(async move {
        loop {
            let piece = tokio::select! { biased;
                () = sender.closed() => return,
                piece = pieces.next() => piece,
            };
            let Some(piece) = piece else { return };
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    Response::from_parts(parts, Body::from_stream(ReceiverStream::new(receiver)))
}

#[cfg(test)]
mod tests {
    use super::tells_of_life;

    #[test]
    fn only_what_tells_of_life_is_answered_on_its_lane() {
        for path in ["/livez", "/readyz", "/healthz", "/apis/encamp.dev/v1/nodes/n1/beat"] {
            assert!(tells_of_life(path), "{path}");
        }
        for path in ["/metrics", "/apis/encamp.dev/v1/nodes/a/b/beat", "/apis/encamp.dev/v1/nodes/n1", "/"] {
            assert!(!tells_of_life(path), "{path}");
        }
    }
}
