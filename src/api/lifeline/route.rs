//! The route that agents beat on: `POST /apis/encamp.dev/v1/nodes/<node>/beat`.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::post;
use axum::{Json, Router};
use schemas::key::Key;
use schemas::node::{AgentBeat, BeatAnswer};

use super::{Hearing, Refused};
use crate::api::kind::Kind;
use crate::api::refusal::Refusal;
use crate::store::Store;

/// The most that a beat may say: four short words.
const BEAT_BYTES: usize = 4 << 10;

/// The route that agents beat on.
pub fn router<S: Store>(hearing: Hearing<S>) -> Router {
    let beat = |State(hearing): State<Hearing<S>>, Path(node): Path<String>, body: Bytes| async move {
        // A name becomes a key: whoever says to be a node must not write anywhere else.
        if node.contains('/') || Key::new(format!("/links/{node}")).is_err() {
            return Err(Refusal::bad_request(format!("{node:?} is not the name of a node")));
        }
        let beat = read(&body)?;
        hearing.beat(&node, beat).map(|held| Json(BeatAnswer { held })).map_err(|refused| match refused {
            Refused::Deaf => Refusal::unavailable(refused.to_string()),
            Refused::Wrong(why) => Refusal::conflict(Kind::Node, &node, &why),
        })
    };
    Router::new()
        .route("/apis/encamp.dev/v1/nodes/{node}/beat", post(beat))
        .layer(DefaultBodyLimit::max(BEAT_BYTES))
        .with_state(hearing)
}

/// An older agent says nothing with its beat.
fn read(body: &[u8]) -> Result<AgentBeat, Refusal> {
    if body.is_empty() {
        return Ok(AgentBeat::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("the beat is unreadable: {error}")))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::store::{Limits, Memory};

    #[tokio::test]
    async fn a_beat_is_no_way_to_write_elsewhere() {
        let hearing = Hearing::new(Memory::new(Limits::default()), "s1", crate::clock::Clock::system());
        let long = format!(r#"{{"session": "{}"}}"#, "x".repeat(BEAT_BYTES));
        for (name, body, status) in [
            ("n1", "", 200),
            ("n1", r#"{"told": false, "session": "a", "count": 3, "newer": 1}"#, 200),
            ("n1", "not a beat", 400),
            ("n1", &long, 413),
            ("a%2Fb", "", 400),
            ("a%0Ab", "", 400),
        ] {
            let beat = Request::post(format!("/apis/encamp.dev/v1/nodes/{name}/beat"));
            let beat = beat.body(Body::from(body.to_owned())).unwrap();
            let answer = router(hearing.clone()).oneshot(beat).await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{name} {body}");
        }
        assert_eq!(hearing.heard(), ["n1"]);
    }
}
