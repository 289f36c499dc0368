//! Writes: what was seen, what is the same, what may be sent, what a plan foresees.

use axum::body::Body;
use axum::http::Request;
use schemas::codec;
use schemas::key::{Key, Prefix};
use serde_json::json;
use tower::ServiceExt as _;

use super::world::{JOBS, NODE, WEB, World, job, node};
use store::Store;

#[tokio::test]
async fn only_what_was_seen_is_changed() {
    let world = World::new().await;
    let (_, made) = world.json("POST", JOBS, &job("web")).await;
    world.merge(WEB, json!({"spec": {"priority": 70}})).await;
    let (status, refused) = world.json("PUT", WEB, &made).await;
    assert_eq!((status.as_u16(), &refused["reason"]), (409, &json!("Conflict")));
    let (status, _) =
        world.merge(WEB, json!({"metadata": {"resourceVersion": "1"}, "spec": {"priority": 1}})).await;
    assert_eq!(status.as_u16(), 409);
    let wrong = json!({"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}});
    assert_eq!(world.json("DELETE", WEB, &wrong).await.0.as_u16(), 409);
    let right = json!({"preconditions": {"uid": made["metadata"]["uid"]}});
    assert_eq!(world.json("DELETE", WEB, &right).await.0.as_u16(), 200);
}

#[tokio::test]
async fn the_same_again_writes_nothing_and_old_versions_are_forgotten() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    let before = world.cache.revision();
    assert_eq!(world.json("PUT", WEB, &job("web")).await.0.as_u16(), 200);
    assert_eq!(world.cache.revision(), before);
    for priority in 1..10 {
        world.merge(WEB, json!({"spec": {"priority": priority}})).await;
    }
    let versions = world.get("/apis/encamp.dev/v1/namespaces/default/jobversions").await;
    let numbers: Vec<u64> = versions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["spec"]["version"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [5, 6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn what_is_not_allowed_says_what_is() {
    let world = World::new().await;
    let namespace = "/apis/encamp.dev/v1/namespaces/default";
    let table = [
        ("PUT", JOBS.to_owned(), "GET, HEAD, POST, DELETE"),
        ("POST", format!("{namespace}/allocations"), "GET, HEAD"),
        ("PUT", format!("{namespace}/allocations"), "GET, HEAD"),
        ("DELETE", format!("{namespace}/allocations/a"), "GET, HEAD"),
        ("POST", WEB.to_owned(), "GET, HEAD, PUT, PATCH, DELETE"),
        ("POST", "/api/v1/namespaces".to_owned(), "GET, HEAD"),
    ];
    for (method, path, allowed) in table {
        let request = Request::builder().method(method).uri(&path).body(Body::empty()).unwrap();
        let response = world.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 405, "{method} {path}");
        assert_eq!(response.headers()["allow"], allowed, "{method} {path}");
    }
    let request = Request::builder().method("DELETE").uri("/version").body(Body::empty()).unwrap();
    let response = world.router.clone().oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["allow"] == "GET,HEAD"), (405, true));
}

#[tokio::test]
async fn bodies_come_in_three_spellings_and_within_limits() {
    let world = World::new().await;
    let hcl = "job \"h\" {\n group \"g\" {\n task \"t\" {\n driver = \"raw_exec\"\n config { command = \"/bin/true\" }\n}\n}\n}";
    let (status, made) = world.send("POST", JOBS, "application/hcl", hcl).await;
    assert_eq!((status.as_u16(), &made["metadata"]["name"]), (201, &json!("h")), "{made}");
    let yaml = "apiVersion: encamp.dev/v1\nkind: Job\nmetadata: {name: y}\nspec: {groups: [{name: g, tasks: [{name: t, driver: raw_exec, config: {command: /bin/true}}]}]}";
    assert_eq!(world.send("POST", JOBS, "application/yaml", yaml).await.0.as_u16(), 201);
    assert_eq!(world.send("POST", JOBS, "text/csv", "a,b").await.0.as_u16(), 415);
    assert_eq!(
        world.send("POST", JOBS, "application/json", vec![b' '; 1024 * 1024 + 1]).await.0.as_u16(),
        413
    );
    let (status, refused) = world.send("GET", &format!("{JOBS}?fieldSelector=spec.nope%3D1"), "", "").await;
    assert_eq!((status.as_u16(), &refused["kind"]), (400, &json!("Status")));
    assert_eq!(world.send("POST", WEB, "", "").await.1["reason"], "MethodNotAllowed");
    assert_eq!(world.send("GET", "/apis/other", "", "").await.1["reason"], "NotFound");
}

#[tokio::test]
async fn a_plan_foresees_what_the_planners_would_do_and_writes_nothing() {
    let world = World::new().await;
    world.write(node("n1")).await;
    let mut web = job("web");
    web["spec"]["groups"][0]["count"] = json!(5);
    let before = world.cache.revision();
    let plan = format!("{WEB}/plan");
    let (status, planned) = world.json("POST", &plan, &web).await;
    assert_eq!(status.as_u16(), 200, "{planned}");
    let group = &planned["groups"]["api"];
    assert_eq!((&group["create"], &group["unplaced"]), (&json!(5), &json!(2)), "{planned}");
    assert!(group["placement"].as_str().unwrap().contains("1 short of memory"), "{planned}");
    assert_eq!((&planned["changes"], &planned["resourceVersion"]), (&json!(true), &json!("0")));
    assert_eq!(world.cache.revision(), before, "nothing was written");
    // Sent as an apply it is merged as one: what others own stays.
    world.json("POST", &format!("{JOBS}?fieldManager=other"), &web).await;
    web["spec"]["groups"][0].as_object_mut().unwrap().remove("count");
    let media = "application/apply-patch+yaml";
    let asked = format!("{plan}?fieldManager=other2&force=true");
    let (status, planned) = world.send("POST", &asked, media, web.to_string()).await;
    assert_eq!((status.as_u16(), &planned["changes"]), (200, &json!(false)), "{planned}");
    assert_eq!(planned["resourceVersion"], world.get(WEB).await["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn what_goes_without_saying_is_shown_selected_and_patched_and_not_stored() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    let shown = world.get(WEB).await;
    assert_eq!((&shown["spec"]["type"], &shown["spec"]["priority"]), (&json!("service"), &json!(50)));
    let services = world.get(&format!("{JOBS}?fieldSelector=spec.type%3Dservice")).await;
    assert_eq!(services["items"].as_array().unwrap().len(), 1);
    // Who sends back what is shown changes nothing, and comes to own nothing.
    let before = world.cache.revision();
    assert_eq!(world.json("PUT", WEB, &shown).await.0.as_u16(), 200);
    assert_eq!(world.cache.revision(), before);
    let patch = json!([{"op": "replace", "path": "/spec/priority", "value": 60}]).to_string();
    let (status, patched) = world.send("PATCH", WEB, "application/json-patch+json", patch).await;
    assert_eq!((status.as_u16(), &patched["spec"]["priority"]), (200, &json!(60)), "{patched}");
    let stored = world.store.list(&Prefix::one(&Key::job("default", "web"))).await.unwrap();
    let stored = codec::to_json(&stored.entries[0].value).unwrap();
    let said: Vec<&str> = stored["spec"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(said, ["groups", "priority"]);
}

#[tokio::test]
async fn all_jobs_of_a_namespace_are_deleted_unless_it_is_a_dry_run() {
    let world = World::new().await;
    for name in ["web", "db"] {
        world.json("POST", JOBS, &job(name)).await;
    }
    let before = world.cache.revision();
    let dry = json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]});
    assert_eq!(world.json("DELETE", JOBS, &dry).await.0.as_u16(), 200);
    assert_eq!(world.cache.revision(), before, "nothing was written");
    let (_, deleted) = world.send("DELETE", &format!("{JOBS}?labelSelector=app%3Dweb"), "", "").await;
    assert_eq!(deleted["items"].as_array().unwrap().len(), 1);
    assert!(world.get(WEB).await["metadata"]["deletionTimestamp"].is_string());
}

#[tokio::test]
async fn a_name_is_no_path() {
    let world = World::new().await;
    let path = "/apis/encamp.dev/v1/namespaces/a%2Fb/jobs";
    let (status, refused) = world.json("POST", path, &job("web")).await;
    assert_eq!((status.as_u16(), &refused["reason"]), (422, &json!("Invalid")), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("holds a slash"), "{refused}");
}

#[tokio::test]
async fn a_count_is_set_on_what_was_seen() {
    let world = World::new().await;
    let (_, made) = world.json("POST", JOBS, &job("web")).await;
    let scale = format!("{WEB}/scale");
    let to = |replicas: u32| json!({"spec": {"replicas": replicas}});
    assert_eq!(world.merge(&scale, to(3)).await.1["spec"]["replicas"], 3);
    let mut stale = to(4);
    stale["metadata"] = json!({"resourceVersion": made["metadata"]["resourceVersion"]});
    assert_eq!(world.merge(&scale, stale).await.0.as_u16(), 409);
    assert_eq!(world.get(&scale).await["spec"]["replicas"], 3);
}

#[tokio::test]
async fn a_wrong_word_about_a_node_is_blamed_on_the_node() {
    let world = World::new().await;
    world.write(node("n1")).await;
    let (_, refused) = world.merge(NODE, json!({"spec": {"eligible": "maybe"}})).await;
    assert!(refused["message"].as_str().unwrap().starts_with("Node \"n1\" is invalid"), "{refused}");
}
