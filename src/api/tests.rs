//! Requests on the router, over a memory store: what no kubectl shows.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, to_bytes};
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use plan::Write;
use schemas::key::Key;
use schemas::node::{Amount, DriverHealth, Fingerprint, Health, NodeState};
use schemas::placement::{Placement, Wish};
use schemas::report::{AllocationReport, ClientState, Report};
use schemas::roster::{Index, Roster, Slot};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Server;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::store::{Limits, Memory, Store, Txn};

const JOBS: &str = "/apis/encamp.dev/v1/namespaces/default/jobs";
const NODE: &str = "/apis/encamp.dev/v1/nodes/n1";
const WEB: &str = "/apis/encamp.dev/v1/namespaces/default/jobs/web";

struct World {
    store: Memory,
    cache: Cache,
    router: Router,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    async fn new() -> World {
        let (store, stop) = (Memory::new(Limits::default()), CancellationToken::new());
        let cache = Cache::new(Duration::from_mins(1), Clock::system());
        let server = Server::new("s1", store.clone(), cache.clone(), Clock::system(), stop.clone());
        let router = server.router();
        tokio::spawn({
            let (cache, store, stop) = (cache.clone(), store.clone(), stop.clone());
            async move { cache.run(store, stop).await }
        });
        tokio::spawn(async move { server.run().await });
        cache.reached(schemas::key::Revision(1)).await;
        World { store, cache, router, stop }
    }

    async fn write(&self, writes: Vec<Write>) {
        let revision = self.store.commit(Txn { guards: Vec::new(), writes }).await.unwrap();
        self.cache.reached(revision).await;
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", media);
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        self.send("GET", path, "application/json", "").await.1
    }

    async fn json(&self, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(method, path, "application/json", body.to_string()).await
    }

    async fn merge(&self, path: &str, patch: Value) -> (StatusCode, Value) {
        self.send("PATCH", path, "application/merge-patch+json", patch.to_string()).await
    }

    /// Opens a watch.
    async fn watch(&self, path: &str) -> Lines {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Lines { stream: response.into_body().into_data_stream(), waiting: Vec::new() }
    }
}

struct Lines {
    stream: BodyDataStream,
    waiting: Vec<Value>,
}

impl Lines {
    /// The next line as `VERB name`.
    async fn next(&mut self) -> String {
        let line = self.line().await;
        format!(
            "{} {}",
            line["type"].as_str().unwrap(),
            line["object"]["metadata"]["name"].as_str().unwrap_or("-")
        )
    }

    async fn line(&mut self) -> Value {
        while self.waiting.is_empty() {
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.stream.next()).await;
            let chunk = chunk.expect("a line within 10 s").expect("the watch goes on").unwrap();
            let lines = chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            self.waiting = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        }
        self.waiting.remove(0)
    }
}

fn job(name: &str) -> Value {
    json!({
        "apiVersion": "encamp.dev/v1", "kind": "Job", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"groups": [{"name": "api", "tasks": [{
            "name": "main", "driver": "raw_exec", "config": {"command": "/bin/true"},
        }]}]},
    })
}

#[tokio::test]
async fn a_watch_tells_every_change_after_its_revision() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    let listed = world.get(JOBS).await["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut lines = world.watch(&format!("{JOBS}?watch=true&resourceVersion={listed}")).await;
    world.json("POST", JOBS, &job("db")).await;
    assert_eq!(lines.next().await, "ADDED db");
    world.merge(WEB, json!({"spec": {"priority": 70}})).await;
    let line = lines.line().await;
    assert_eq!((&line["type"], &line["object"]["spec"]["priority"]), (&json!("MODIFIED"), &json!(70)));
    world.write(vec![Write::Delete { key: Key::job("default", "web") }]).await;
    let line = lines.line().await;
    assert_eq!((&line["type"], &line["object"]["spec"]["priority"]), (&json!("DELETED"), &json!(70)));
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
    let placement = Placement {
        job: "web".into(),
        group: "api".into(),
        index: Index::Number(0),
        version: 1,
        attempt: 0,
        spec: 1,
        wish: Wish::Run,
        claim: Amount { cpu_mhz: 100, memory_mb: 300, disk_mb: 300 },
        cores: Vec::new(),
        ports: Vec::new(),
        placed_at: jiff::Timestamp::UNIX_EPOCH,
    };
    let key = Key::placement("n1", "default", "web.api.0-v1.0");
    world
        .write(vec![Write::put(key, &placement), Write::put(Key::fingerprint("n1"), &Fingerprint::default())])
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
    assert_eq!(numbers, [10, 5, 6, 7, 8, 9]);
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

/// A node that takes what raw_exec runs.
fn node(name: &str) -> Vec<Write> {
    let working = DriverHealth { detected: true, healthy: true, ..DriverHealth::default() };
    let fingerprint = Fingerprint {
        datacenter: "dc1".into(),
        pool: "default".into(),
        capacity: Amount { cpu_mhz: 1_000, memory_mb: 1_000, disk_mb: 9_000 },
        drivers: [("raw_exec".to_owned(), working)].into(),
        ..Fingerprint::default()
    };
    let health = Health { state: NodeState::Ready, ..Health::default() };
    vec![Write::put(Key::fingerprint(name), &fingerprint), Write::put(Key::health(name), &health)]
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
