//! Settings and the brake as people see them.

use axum::http::StatusCode;
use jiff::Timestamp;
use schemas::node::Health;
use serde_json::json;

use super::*;
use crate::tests::world::{NODE, World};

#[tokio::test]
async fn settings_are_shown_changed_and_refused_with_reasons() {
    let world = World::new().await;
    let spec = world.get(SETTINGS).await["spec"].clone();
    assert_eq!((&spec["grace"], &spec["restartGrace"]), (&json!("6s"), &json!("30s")));
    let patch = json!({"spec": {"grace": "10s", "brake": {"percent": 30}}});
    let (status, set) = world.json("PATCH", SETTINGS, &patch).await;
    assert_eq!((status, &set["spec"]["grace"]), (StatusCode::OK, &json!("10s")));
    assert_eq!(set["spec"]["brake"]["oneNodeEvery"], json!("10s"), "what was not named stays");
    assert_eq!(world.get(SETTINGS).await["spec"], set["spec"]);
    for (wrong, told) in [
        (json!({"grace": "1s"}), "spec.grace: 1s is not from 4s (two beats) to 24h"),
        (json!({"brake": {"percent": 101}}), "spec.brake.percent: 101 is not from 1 to 100"),
        (json!({"mood": 1}), "spec.mood: unknown field `mood`"),
    ] {
        let (status, refusal) = world.json("PATCH", SETTINGS, &json!({"spec": wrong})).await;
        let message = refusal["message"].as_str().unwrap();
        assert!(status == StatusCode::BAD_REQUEST && message.contains(told), "{message}");
    }
    let (_, set) = world.json("PUT", SETTINGS, &json!({"spec": {}})).await;
    assert_eq!(set["spec"]["grace"], json!("6s"), "what is replaced has the defaults");
}

#[tokio::test]
async fn a_nodes_own_grace_is_checked() {
    let world = World::new().await;
    world.write(vec![Write::put(Key::node("n1"), &schemas::node::Node::default())]).await;
    let set = |grace: &str| json!({"spec": {"heartbeatGrace": grace}});
    let merge = "application/merge-patch+json";
    let (status, node) = world.send("PATCH", NODE, merge, set("10m").to_string()).await;
    assert_eq!((status, &node["spec"]["heartbeatGrace"]), (StatusCode::OK, &json!("10m")), "{node}");
    let (status, refusal) = world.send("PATCH", NODE, merge, set("25h").to_string()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let cause = &refusal["details"]["causes"][0];
    assert_eq!(cause["field"], json!("spec.heartbeatGrace"));
    assert_eq!(cause["message"], json!("25h is not from 4s (two beats) to 24h"));
}

#[tokio::test]
async fn the_brake_is_shown_and_released_once() {
    let world = World::new().await;
    assert_eq!(world.get(BRAKE).await["status"]["holds"], json!(false));
    let (status, _) = world.json("POST", RELEASE, &json!({"by": "ann"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "there is nothing to release");
    let since = Timestamp::from_second(1_800_000_000).unwrap();
    let brake = Brake { since: Some(since), next: None, waiting: ["n1".to_owned()].into() };
    let health = Health { state: NodeState::Ready, ..Health::default() };
    let found = Write::put(Key::fingerprint("n1"), &schemas::node::Fingerprint::default());
    world.write(vec![found, Write::put(Key::health("n1"), &health), Write::put(Key::brake(), &brake)]).await;
    let (status, tried) = world.json("POST", &format!("{RELEASE}?dryRun=All"), &json!({"by": "ann"})).await;
    assert_eq!(
        (status, &tried["status"]["holds"]),
        (StatusCode::OK, &json!(true)),
        "a dry run releases nothing"
    );
    assert_eq!(world.get(BRAKE).await["status"]["holds"], json!(true));
    let status = world.get(BRAKE).await["status"].clone();
    assert_eq!((&status["holds"], &status["waiting"]), (&json!(true), &json!(["n1"])));
    let node = world.get(NODE).await;
    let conditions = node["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|condition| condition["type"] == "HeldByBrake"), "{node}");
    let (status, shown) = world.json("POST", RELEASE, &json!({"by": "ann"})).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    assert_eq!(
        (&shown["status"]["holds"], &shown["status"]["release"]["by"]),
        (&json!(false), &json!("ann"))
    );
    let events = world.get("/apis/encamp.dev/v1/events").await.to_string();
    for reason in ["NodeHeldByBrake", "BrakeReleased"] {
        assert!(events.contains(reason), "{reason} in {events}");
    }
}
