//! The epoch as operators see and change it.

use axum::http::StatusCode;
use plan::Write;
use schemas::node::Fingerprint;
use serde_json::json;

use super::*;
use crate::tests::world::World;

const STORE: &str = "/apis/encamp.dev/v1/store";

/// A world whose store has a name, and a node that follows another one.
async fn world() -> World {
    let world = World::new().await;
    let abroad = Fingerprint { follows: "elsewhere".to_owned(), ..Fingerprint::default() };
    let named = Write::put(Key::epoch(), &Epoch::new("here".to_owned()));
    world.write(vec![named, Write::put(Key::fingerprint("n1"), &abroad)]).await;
    world
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_and_leaves_the_epoch() {
    let world = world().await;
    let before = world.get(STORE).await;
    assert_eq!(before["waiting"], json!([{"node": "n1", "follows": "elsewhere"}]));
    let (status, tried) = world.json("POST", &format!("{STORE}/restored?dryRun=All"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{tried}");
    assert_ne!(tried["epoch"], before["epoch"], "it tells what would be");
    let (status, tried) = world.json("POST", &format!("{STORE}/accept?dryRun=All"), &json!({})).await;
    assert_eq!((status, &tried["waiting"]), (StatusCode::OK, &json!([])), "{tried}");
    assert_eq!(world.get(STORE).await, before);
}

#[tokio::test]
async fn who_accepts_a_history_is_kept_with_it() {
    let world = world().await;
    let (status, told) = world.json("POST", &format!("{STORE}/accept"), &json!({"by": "ann"})).await;
    assert_eq!((status, &told["waiting"]), (StatusCode::OK, &json!([])), "{told}");
    let ancestor = &world.get(STORE).await["ancestors"][0];
    assert_eq!((&ancestor["id"], &ancestor["by"]), (&json!("elsewhere"), &json!("ann")));
    let (status, told) = world.json("POST", &format!("{STORE}/accept"), &json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "nobody waits any more: {told}");
}

#[tokio::test]
async fn what_would_mean_nothing_is_refused() {
    let world = world().await;
    for (path, body, told) in [
        ("accept?force=true", json!({}), "force"),
        ("accept?fieldManager=ann", json!({}), "fieldManager"),
        ("restored?fieldValidation=Strict", json!({}), "fieldValidation"),
        ("restored?dryRun=Some", json!({}), "use All"),
        ("restored", json!({"epoch": "elsewhere"}), "only `accept` takes one"),
        ("accept", json!({"epoch": ""}), "the name of a history"),
        ("accept", json!({"epoch": "a\nb"}), "epoch: at most 256 bytes without control characters"),
        ("accept", json!({"by": "x".repeat(257)}), "by: at most 256 bytes without control characters"),
        ("accept", json!({"who": "ann"}), "unknown field `who`"),
    ] {
        let before = world.get(STORE).await;
        let (status, refusal) = world.json("POST", &format!("{STORE}/{path}"), &body).await;
        let message = refusal["message"].as_str().unwrap_or_default();
        assert!(status == StatusCode::BAD_REQUEST && message.contains(told), "{path}: {refusal}");
        assert_eq!(world.get(STORE).await, before, "{path}");
    }
}
