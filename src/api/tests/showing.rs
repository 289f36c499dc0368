//! Documents as they are joined: allocations, conditions, ages.

use axum::http::StatusCode;
use plan::Write;
use schemas::key::Key;
use schemas::node::{Fingerprint, Health, NodeState};
use schemas::report::{AllocationReport, ClientState, Report};
use schemas::roster::{Roster, Slot};
use serde_json::{Value, json};

use super::world::{JOBS, NODE, WEB, World, job, node, placement};

#[tokio::test]
async fn an_allocation_is_a_slot_then_a_placement_then_a_report() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    let path = "/apis/encamp.dev/v1/namespaces/default/allocations";
    let mut lines =
        world.watch(&format!("{path}?watch=true&resourceVersion={}", world.cache.revision())).await;
    let roster = Roster::of_numbered([(0, Slot::new(1))]);
    world.write(vec![Write::put(Key::roster("default", "web", "api"), &roster)]).await;
    let line = lines.line().await;
    assert_eq!(line["type"], "ADDED");
    let shown = |line: &Value| {
        let object = &line["object"];
        format!("{} {} {}", object["metadata"]["name"], object["spec"]["node"], object["status"]["phase"])
    };
    assert_eq!(shown(&line), r#""web.api.0-v1.0" null "pending""#);
    let key = Key::placement("n1", "default", "web.api.0-v1.0");
    world
        .write(vec![
            Write::put(key, &placement(0)),
            Write::put(Key::fingerprint("n1"), &Fingerprint::default()),
        ])
        .await;
    let line = lines.line().await;
    assert_eq!(
        (line["type"].as_str(), shown(&line).as_str()),
        (Some("MODIFIED"), r#""web.api.0-v1.0" "n1" "pending""#)
    );
    let running =
        AllocationReport { state: ClientState::Running, healthy: Some(true), ..AllocationReport::default() };
    let report = Report { allocations: [("default/web.api.0-v1.0".to_owned(), running)].into() };
    world.write(vec![Write::put(Key::report("n1", 0), &report)]).await;
    assert_eq!(shown(&lines.line().await), r#""web.api.0-v1.0" "n1" "running""#);
    assert_eq!(world.get(WEB).await["status"]["ready"], "1/1");
    let down = Health { state: NodeState::Down, ..Health::default() };
    world.write(vec![Write::put(Key::health("n1"), &down)]).await;
    assert_eq!(shown(&lines.line().await), r#""web.api.0-v1.0" "n1" "lost""#);
    let node = world.get("/apis/encamp.dev/v1/nodes/n1").await;
    assert_eq!((&node["status"]["state"], &node["status"]["allocations"]), (&json!("down"), &json!(1)));
    world.merge("/apis/encamp.dev/v1/nodes/n1", json!({"spec": {"eligible": false}})).await;
    assert_eq!(world.get("/apis/encamp.dev/v1/nodes/n1").await["spec"]["eligible"], false);
}

#[tokio::test]
async fn conditions_say_since_when() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    let made = world.get(WEB).await;
    let since = |document: &Value, kind: &str| {
        let all = document["status"]["conditions"].as_array().unwrap();
        let found = all.iter().find(|condition| condition["type"] == kind).unwrap();
        found["lastTransitionTime"].as_str().map(str::to_owned)
    };
    let created = made["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
    assert_eq!((since(&made, "Available"), since(&made, "Placed")), (created.clone(), created));
    assert_eq!(
        since(&world.get(WEB).await, "Available"),
        since(&made, "Available"),
        "not the time of asking"
    );
    world.write(node("n1")).await;
    assert_eq!(since(&world.get(NODE).await, "Eligible"), None, "nobody ever decided");
    world.merge(NODE, json!({"spec": {"eligible": false}})).await;
    let closed = since(&world.get(NODE).await, "Eligible");
    assert!(closed.is_some());
    world.merge(NODE, json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!(since(&world.get(NODE).await, "Eligible"), closed);
}

#[tokio::test]
async fn everything_has_an_age() {
    let world = World::new().await;
    let ages = async |path: &str| world.column(path, "Age").await;
    world.json("POST", JOBS, &job("web")).await;
    let slot = Slot::new(1);
    let again = Slot { attempt: 1, ..slot.clone() };
    let roster = Roster::of_numbered([(0, slot), (1, again)]);
    let ago = |seconds| Some(jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds));
    let health =
        Health { state: NodeState::Ready, since: ago(5), known_since: ago(7200), ..Health::default() };
    let failed =
        AllocationReport { state: ClientState::Failed, since: ago(600), ..AllocationReport::default() };
    let report = Report { allocations: [("default/web.api.1-v1.0".to_owned(), failed)].into() };
    world
        .write(vec![
            Write::put(Key::roster("default", "web", "api"), &roster),
            Write::put(Key::placement("n1", "default", "web.api.1-v1.0"), &placement(1)),
            Write::put(Key::report("n1", 0), &report),
            Write::put(Key::fingerprint("n1"), &Fingerprint::default()),
            Write::put(Key::health("n1"), &health),
        ])
        .await;
    // A node is as old as its first beat, however late somebody decides something about it.
    world.merge(NODE, json!({"spec": {"eligible": false}})).await;
    assert_eq!(ages("/apis/encamp.dev/v1/nodes").await, ["120m"]);
    // In the order of their names: one that waits since its version is wanted, one that has failed, its successor.
    let allocations = ages("/apis/encamp.dev/v1/allocations").await;
    assert_eq!(allocations[2], "10m", "{allocations:?}");
    for path in ["/apis/encamp.dev/v1/jobs", "/apis/encamp.dev/v1/jobversions", "/api/v1/namespaces"] {
        assert_ne!(ages(path).await, ["<unknown>"], "{path}");
    }
    assert_ne!(allocations[0], "<unknown>", "{allocations:?}");
}

#[tokio::test]
async fn a_mistyped_name_finds_the_right_one() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    for method in ["GET", "DELETE"] {
        let (status, refusal) = world.send(method, &format!("{JOBS}/wbe"), "application/json", "").await;
        let message = refusal["message"].as_str().unwrap().to_owned();
        let expected = r#"jobs.encamp.dev "wbe" not found, did you mean "web"?"#;
        assert_eq!((status, message.as_str()), (StatusCode::NOT_FOUND, expected));
    }
    let (_, refusal) = world.send("GET", &format!("{JOBS}/database"), "application/json", "").await;
    assert_eq!(refusal["message"], r#"jobs.encamp.dev "database" not found"#);
}
