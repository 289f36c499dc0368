//! Watches: what they tell, what a selector hides, what is forgotten.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use plan::Write;
use schemas::key::Key;
use serde_json::json;
use tower::ServiceExt;

use super::world::{JOBS, WEB, World, job};
use crate::Server;
use clock::Clock;

#[tokio::test]
async fn a_watch_tells_every_change_after_its_revision() {
    let world = World::new().await;
    world.write(vec![Write::Put { key: Key::epoch(), value: "\"here and now\"".into() }]).await;
    world.json("POST", JOBS, &job("web")).await;
    let listed = world.get(JOBS).await["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut lines = world.watch(&format!("{JOBS}?watch=true&resourceVersion={listed}")).await;
    world.json("POST", JOBS, &job("db")).await;
    assert_eq!(lines.next().await, "ADDED db");
    world.merge(WEB, json!({"spec": {"priority": 70}})).await;
    let line = lines.line().await;
    assert_eq!((&line["type"], &line["object"]["spec"]["priority"]), (&json!("MODIFIED"), &json!(70)));
    let uid = world.get(WEB).await["metadata"]["uid"].clone();
    world.write(vec![Write::Delete { key: Key::job("default", "web") }]).await;
    let line = lines.line().await;
    assert_eq!((&line["type"], &line["object"]["spec"]["priority"]), (&json!("DELETED"), &json!(70)));
    assert_eq!(line["object"]["metadata"]["uid"], uid);
    // A watch from the same revision is told the same, each document as it is now.
    let mut again = world.watch(&format!("{JOBS}?watch=true&resourceVersion={listed}")).await;
    assert_eq!((again.next().await, again.next().await), ("ADDED db".into(), "DELETED web".into()));
    // Without a revision it begins with everything.
    assert_eq!(world.watch(&format!("{JOBS}?watch=1")).await.next().await, "ADDED db");
}

#[tokio::test]
async fn a_selector_makes_documents_come_and_go() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    let from = world.cache.revision();
    let path = format!("{JOBS}?watch=true&resourceVersion={from}&labelSelector=tier%3Dfront");
    let mut lines = world.watch(&path).await;
    world.merge(WEB, json!({"metadata": {"labels": {"tier": "front"}}})).await;
    assert_eq!(lines.next().await, "ADDED web");
    world.merge(WEB, json!({"metadata": {"labels": {"x": "y"}}})).await;
    assert_eq!(lines.next().await, "MODIFIED web");
    world.merge(WEB, json!({"metadata": {"labels": {"tier": null}}})).await;
    assert_eq!(lines.next().await, "DELETED web");
}

#[tokio::test]
async fn a_selector_does_not_hide_what_went_before_the_watch_began() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    let from = world.get(JOBS).await["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    world.json("POST", JOBS, &job("db")).await;
    world.merge(WEB, json!({"spec": {"priority": 70}})).await;
    world.write(vec![Write::Delete { key: Key::job("default", "web") }]).await;
    let path =
        |name: &str| format!("{JOBS}?watch=true&resourceVersion={from}&fieldSelector=metadata.name%3D{name}");
    assert_eq!(world.watch(&path("web")).await.next().await, "DELETED web");
    assert_eq!(world.watch(&path("db")).await.next().await, "ADDED db");
}

#[tokio::test]
async fn what_is_forgotten_is_gone() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    // A second server came later and has not seen how the job was made.
    let server =
        Server::new("s2", world.store.clone(), world.cache.clone(), Clock::system(), world.stop.clone());
    let router = server.router();
    let running = tokio::spawn(async move { server.run().await });
    let request = Request::get(format!("{JOBS}?watch=true&resourceVersion=1")).body(Body::empty()).unwrap();
    // Until it has taken its place it remembers nothing at all.
    let mut status = StatusCode::OK;
    while status != StatusCode::GONE {
        tokio::task::yield_now().await;
        status = router
            .clone()
            .oneshot(Request::get(request.uri()).body(Body::empty()).unwrap())
            .await
            .unwrap()
            .status();
    }
    running.abort();
}
