//! The route that agents beat on: `POST /apis/encamp.dev/v1/nodes/<node>/beat`.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::post;
use axum::{Json, Router};
use schemas::key::Key;
use schemas::node::{AgentBeat, BeatAnswer};
use schemas::node_name;

use super::{Hearing, Refused};
use crate::kind::Kind;
use crate::refusal::Refusal;
use cache::Cache;
use store::Store;

/// The most that a beat may say: a few short words, and as many former sessions as are kept.
const BEAT_BYTES: usize = 4 << 10;

/// How many names may beat that nothing else speaks for: an agent registers a moment after its first beat, so more
/// than a rack of machines that start together is somebody who invents them. The links of those that never register
/// are collected.
const STRANGERS: usize = 256;

/// The route that agents beat on.
pub fn router<S: Store>(hearing: Hearing<S>, cache: Cache) -> Router {
    type Ears<S> = State<(Hearing<S>, Cache)>;
    let beat = |State((hearing, cache)): Ears<S>, Path(node): Path<String>, body: Bytes| async move {
        // A name becomes a key: whoever says to be a node must not write anywhere else.
        node_name::check(&node)
            .map_err(|why| Refusal::bad_request(format!("{node:?} is not the name of a node: {why}")))?;
        let beat = read(&body)?;
        if !hearing.hears(&node) && !is_registered(&cache, &node) && strangers(&hearing, &cache) >= STRANGERS
        {
            return Err(Refusal::unavailable(format!(
                "{STRANGERS} nodes beat and have not registered: no more are heard until some have"
            )));
        }
        hearing.beat(&node, beat).map(|held| Json(BeatAnswer { held })).map_err(|refused| match refused {
            Refused::Deaf => Refusal::unavailable(refused.to_string()),
            Refused::Wrong(why) => Refusal::conflict(Kind::Node, &node, &why),
        })
    };
    Router::new()
        .route("/apis/encamp.dev/v1/nodes/{node}/beat", post(beat))
        .layer(DefaultBodyLimit::max(BEAT_BYTES))
        .with_state((hearing, cache))
}

/// Whether an agent of that name said what it is, or the cluster gave it something to do.
fn is_registered(cache: &Cache, node: &str) -> bool {
    let view = cache.view();
    view.counters(&Key::fingerprint(node)).is_some()
        || view.placements.under(&["placements", node]).next().is_some()
}

/// How many of those that beat here never registered.
fn strangers<S: Store>(hearing: &Hearing<S>, cache: &Cache) -> usize {
    hearing.heard().iter().filter(|node| !is_registered(cache, node)).count()
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
    use schemas::node::FORMER_SESSIONS;
    use tower::ServiceExt;

    use super::*;
    use store::{Limits, Memory};

    async fn status(hearing: &Hearing<Memory>, cache: &Cache, name: &str, body: &str) -> u16 {
        let beat = Request::post(format!("/apis/encamp.dev/v1/nodes/{name}/beat"));
        let beat = beat.body(Body::from(body.to_owned())).unwrap();
        router(hearing.clone(), cache.clone()).oneshot(beat).await.unwrap().status().as_u16()
    }

    fn ears() -> (Hearing<Memory>, Cache) {
        let clock = clock::Clock::system();
        let store = Memory::new(Limits::default());
        (Hearing::new(store, "s1", clock.clone()), Cache::new(std::time::Duration::from_secs(600), clock))
    }

    #[tokio::test]
    async fn a_beat_is_no_way_to_write_elsewhere() {
        let (hearing, cache) = ears();
        let long = format!(r#"{{"session": "{}"}}"#, "x".repeat(BEAT_BYTES));
        let word = "w".repeat(64);
        let (id, session, follows) = (word.clone(), word.clone(), vec![word; FORMER_SESSIONS]);
        let full = AgentBeat { id, session, follows, count: u64::MAX, ..AgentBeat::default() };
        let full = serde_json::to_string(&full).unwrap();
        for (name, body, expected) in [
            ("n1", "", 200),
            ("n1", r#"{"told": false, "session": "a", "count": 3, "newer": 1}"#, 200),
            ("n2", &full, 200),
            ("n1", "not a beat", 400),
            ("n1", &long, 413),
            ("a%2Fb", "", 400),
            ("a%0Ab", "", 400),
            ("..", "", 400),
            ("a%20b", "", 400),
        ] {
            assert_eq!(status(&hearing, &cache, name, body).await, expected, "{name} {body}");
        }
        assert_eq!(hearing.heard(), ["n1", "n2"]);
    }

    #[tokio::test]
    async fn invented_names_are_heard_up_to_a_number_and_registered_ones_always() {
        let (hearing, cache) = ears();
        for number in 0..STRANGERS {
            assert_eq!(status(&hearing, &cache, &format!("invented-{number}"), "").await, 200);
        }
        assert_eq!(status(&hearing, &cache, "one-more", "").await, 503);
        assert_eq!(status(&hearing, &cache, "invented-7", "").await, 200, "who is heard stays heard");
        assert_eq!(hearing.heard().len(), STRANGERS);
        let store = Memory::new(Limits::default());
        let found = plan::Write::put(Key::fingerprint("known"), &schemas::node::Fingerprint::default());
        let at = store.commit(store::Txn { guards: vec![], writes: vec![found] }).await.unwrap();
        let (follower, stop) = (cache.clone(), tokio_util::sync::CancellationToken::new());
        let following = tokio::spawn(async move { follower.run(store, stop).await });
        cache.reached(at).await;
        assert_eq!(status(&hearing, &cache, "known", "").await, 200);
        following.abort();
    }
}
