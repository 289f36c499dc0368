//! Documents that cannot be read, as users meet them.

use axum::http::StatusCode;
use plan::Write;
use schemas::job::Job;
use schemas::key::Key;
use schemas::roster::{Roster, Slot};
use serde_json::{Value, json};

use super::world::{JOBS, NODE, WEB, World, job, node, placement};

const ALLOCATION: &str = "/apis/encamp.dev/v1/namespaces/default/allocations/web.api.0-v1.0";
const ALL: &str = "/apis/encamp.dev/v1/unreadable";

fn garbage(key: Key) -> Write {
    Write::Put { key, value: "\u{1}garbage".into() }
}

/// What the condition `Unreadable` of a document says; empty without one.
fn told(document: &Value) -> &str {
    let conditions = document["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let unreadable = conditions.iter().find(|condition| condition["type"] == "Unreadable");
    unreadable.and_then(|condition| condition["message"].as_str()).unwrap_or_default()
}

/// A world with a job on a node.
async fn running() -> World {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    world.write(node("n1")).await;
    let roster = Roster::of_numbered([(0, Slot::new(1))]);
    let placed = Write::put(Key::placement("n1", "default", "web.api.0-v1.0"), &placement(0));
    world.write(vec![Write::put(Key::roster("default", "web", "api"), &roster), placed]).await;
    world
}

#[tokio::test]
async fn what_cannot_be_read_is_shown_on_what_it_concerns_and_in_the_list_of_all() {
    let (allocation, job) = ("web.api.0-v1.0", "web");
    let rows = [
        (Key::job("default", job), vec![WEB]),
        (Key::version("default", job, 1), vec![WEB]),
        (Key::roster("default", job, "api"), vec![WEB]),
        (Key::deployment("default", job, 1), vec![WEB]),
        (Key::placement("n1", "default", allocation), vec![WEB, ALLOCATION]),
        (Key::details("n1", "default", allocation), vec![ALLOCATION]),
        (Key::report("n1", 0), vec![NODE]),
        (Key::fingerprint("n1"), vec![NODE]),
        (Key::node("n1"), vec![NODE]),
        (Key::link("n1"), vec![NODE]),
        (Key::health("n1"), vec![NODE]),
        (Key::beat("s1"), vec![]),
        (Key::leader("scheduler"), vec![]),
        (Key::epoch(), vec![]),
    ];
    for (key, concerned) in rows {
        let world = running().await;
        world.write(vec![garbage(key.clone())]).await;
        for path in [WEB, ALLOCATION, NODE] {
            let document = world.get(path).await;
            assert!(document["metadata"]["name"].is_string(), "{key} hides {path}: {document}");
            assert_eq!(
                told(&document).contains(key.as_str()),
                concerned.contains(&path),
                "{key} {path}: {document}"
            );
        }
        let all = world.get(ALL).await;
        assert_eq!((all["count"].as_u64(), all["items"][0]["key"].as_str()), (Some(1), Some(key.as_str())));
        let kinds =
            ["jobs", "allocations"].map(|kind| format!("/apis/encamp.dev/v1/namespaces/default/{kind}"));
        for path in kinds.into_iter().chain(["/apis/encamp.dev/v1/nodes".to_owned()]) {
            assert_eq!(world.get(&path).await["items"].as_array().map(Vec::len), Some(1), "{key} {path}");
        }
    }
}

#[tokio::test]
async fn it_happens_to_somebody() {
    let world = running().await;
    world.write(vec![garbage(Key::health("n1"))]).await;
    let events = "/api/v1/namespaces/default/events?fieldSelector=reason=Unreadable";
    let mut tries = 0;
    while world.get(events).await["items"].as_array().is_none_or(Vec::is_empty) {
        tries += 1;
        assert!(tries < 1_000, "no event");
        tokio::task::yield_now().await;
    }
    let event = world.get(events).await["items"][0].clone();
    assert_eq!((&event["involvedObject"]["name"], &event["type"]), (&json!("n1"), &json!("Warning")));
}

fn stored(world: &World) -> Job {
    let view = world.cache.view();
    view.jobs.get(&Key::job("default", "web")).cloned().expect("it can be read")
}

#[tokio::test]
async fn a_job_that_cannot_be_read_is_applied_again_as_its_next_version_or_deleted() {
    let apply = "application/apply-patch+yaml";
    let merge = json!({"spec": {"priority": 70}});
    for how in ["post", "put", "apply", "merge"] {
        let world = running().await;
        world.write(vec![garbage(Key::job("default", "web"))]).await;
        let (status, answer) = match how {
            "post" => world.json("POST", JOBS, &job("web")).await,
            "put" => world.json("PUT", WEB, &job("web")).await,
            "apply" => {
                world.send("PATCH", &format!("{WEB}?fieldManager=me"), apply, job("web").to_string()).await
            }
            _ => world.merge(WEB, merge.clone()).await,
        };
        assert!(status.is_success(), "{how}: {status} {answer}");
        let job = stored(&world);
        assert_eq!((job.version, job.spec.groups.len()), (2, 1), "{how}");
    }
    let world = running().await;
    world.write(vec![garbage(Key::job("default", "web"))]).await;
    let (status, _) = world.json("DELETE", WEB, &json!({})).await;
    assert_eq!(status, StatusCode::OK);
    let job = stored(&world);
    assert!(job.metadata.deletion_timestamp.is_some());
    assert_eq!((job.version, job.metadata.name.as_str()), (1, "web"));
}

#[tokio::test]
async fn applying_a_job_again_drops_versions_that_nobody_can_read() {
    let world = running().await;
    let mut changed = job("web");
    changed["spec"]["priority"] = json!(70);
    world.json("PUT", WEB, &changed).await;
    let old = Key::version("default", "web", 1);
    world.write(vec![garbage(old.clone())]).await;
    world.json("PUT", WEB, &changed).await;
    let view = world.cache.view().clone();
    assert!(view.counters(&old).is_none(), "it is gone");
    assert_eq!(view.jobs.iter().map(|(_, stored)| stored.value.version).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn what_was_decided_about_a_node_and_cannot_be_read_is_decided_anew() {
    let world = running().await;
    world.write(vec![garbage(Key::node("n1"))]).await;
    let (status, _) = world.merge(NODE, json!({"spec": {"eligible": false}})).await;
    assert_eq!(status, StatusCode::OK);
    let view = world.cache.view().clone();
    assert!(view.unreadable.is_empty());
    assert!(view.nodes.get(&Key::node("n1")).is_some_and(|node| !node.spec.eligible));
}
