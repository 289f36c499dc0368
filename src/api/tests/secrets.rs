//! Secrets of jobs on their way through the API: masked on every way out, kept on every way in, real in the store.

use axum::http::StatusCode;
use schemas::job::JobSpec;
use schemas::key::Key;
use schemas::masked::{CHANGED, MASK};
use serde_json::{Value, json};

use super::world::{JOBS, WEB, World};

const PASSWORD: &str = "/spec/groups/0/tasks/0/config/auth/password";
const SECRET: &str = "s3cret-of-the-registry";

fn job(password: &str) -> Value {
    let auth = json!({"username": "u", "password": password});
    json!({
        "apiVersion": "encamp.dev/v1", "kind": "Job", "metadata": {"name": "web"},
        "spec": {"groups": [{"name": "api", "tasks": [
            {"name": "main", "driver": "docker", "config": {"image": "r.example/a:1", "auth": auth}},
        ]}]},
    })
}

impl World {
    /// The password that agents are given.
    fn stored(&self) -> Vec<String> {
        let view = self.cache.view();
        let job = view.jobs.get(&Key::job("default", "web")).unwrap();
        let versions = view.versions.under(&["versions", "default", "web"]);
        let specs = [&job.spec].into_iter().chain(versions.map(|(_, stored)| &stored.value.spec));
        let of =
            |spec: &JobSpec| spec.groups[0].tasks[0].config["auth"]["password"].as_str().map(str::to_owned);
        specs.filter_map(of).collect()
    }
}

#[tokio::test]
async fn no_way_out_shows_a_secret() {
    let world = World::new().await;
    let mut watch = world.watch(&format!("{JOBS}?watch=true")).await;
    let mut given = job(SECRET);
    let noted = json!({"kubectl.kubernetes.io/last-applied-configuration": format!("{}\n", job(SECRET))});
    given["metadata"]["annotations"] = noted;
    let yaml = serde_json::to_string_pretty(&given).unwrap();
    let (status, made) = world.send("POST", JOBS, "application/yaml", yaml).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let dry = format!("{WEB}?dryRun=All");
    let plan = format!("{WEB}/plan");
    let mut shown = vec![
        made,
        world.get(WEB).await,
        world.get(JOBS).await,
        world.get("/apis/encamp.dev/v1/namespaces/default/jobversions").await,
        world.get("/apis/encamp.dev/v1/namespaces/default/events").await,
        watch.line().await,
        world.json("PUT", &dry, &job("another-s3cret-of-the-registry")).await.1,
        world.json("POST", &plan, &job("another-s3cret-of-the-registry")).await.1,
        world.merge(&dry, json!({"spec": {"priority": 60}})).await.1,
    ];
    assert_eq!(world.stored(), [SECRET, SECRET], "agents are given what it is");
    shown.push(world.json("DELETE", WEB, &Value::Null).await.1);
    shown.push(watch.line().await);
    for (at, answer) in shown.iter().enumerate() {
        assert!(!answer.to_string().contains("s3cret"), "{at}: {answer}");
    }
    assert_eq!(shown[1].pointer(PASSWORD), Some(&json!(MASK)));
    assert_eq!(shown[6].pointer(PASSWORD), Some(&json!(CHANGED)), "that it would change is told");
    assert!(shown[7].to_string().contains(CHANGED), "{}", shown[7]);
    assert_eq!(shown[8].pointer(PASSWORD), Some(&json!(MASK)));
}

#[tokio::test]
async fn what_was_read_may_be_sent_back_in_any_way_and_changes_nothing() {
    let world = World::new().await;
    world.json("POST", JOBS, &job(SECRET)).await;
    let read = world.get(WEB).await;
    let mut applied = read.clone();
    applied["metadata"] = json!({"name": "web"});
    applied.as_object_mut().unwrap().remove("status");
    let operations = json!([
        {"op": "test", "path": PASSWORD, "value": MASK},
        {"op": "replace", "path": PASSWORD, "value": MASK},
    ]);
    let apply = format!("{WEB}?fieldManager=somebody&force=true");
    let ways = [
        ("PUT", WEB, "application/json", read.clone()),
        ("PATCH", WEB, "application/merge-patch+json", json!({"spec": read["spec"]})),
        ("PATCH", WEB, "application/json-patch+json", operations),
        ("PATCH", apply.as_str(), "application/apply-patch+yaml", applied),
    ];
    for (verb, path, media, body) in ways {
        let (status, answer) = world.send(verb, path, media, body.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{media}: {answer}");
        assert_eq!(answer["metadata"]["generation"], 1, "{media}: no new version");
        assert_eq!(world.stored(), [SECRET, SECRET], "{media}");
    }
    // Another change keeps the secret, another secret replaces it.
    let (_, answer) = world.merge(WEB, json!({"spec": {"priority": 60}})).await;
    assert_eq!(answer["metadata"]["generation"], 2, "{answer}");
    assert_eq!(world.stored(), [SECRET; 3]);
    let (_, answer) = world.json("PUT", WEB, &job("the-new-one")).await;
    assert_eq!(answer["metadata"]["generation"], 3, "{answer}");
    assert_eq!(world.stored()[0], "the-new-one");
}

#[tokio::test]
async fn a_mask_for_nothing_is_refused_where_it_stands() {
    let world = World::new().await;
    let refused = |(status, answer): (StatusCode, Value)| {
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        let cause = &answer["details"]["causes"][0];
        assert_eq!(cause["field"], "spec.groups[0].tasks[0].config.auth.password", "{answer}");
        cause["message"].as_str().unwrap().to_owned()
    };
    let apply = format!("{WEB}?fieldManager=somebody");
    let ways = [
        world.json("POST", JOBS, &job(MASK)).await,
        world.send("PATCH", &apply, "application/apply-patch+yaml", job(MASK).to_string()).await,
        world.json("POST", &format!("{WEB}/plan"), &job(MASK)).await,
    ];
    for way in ways {
        assert!(refused(way).contains("there is none: send the secret itself"));
    }
    world.json("POST", JOBS, &job(SECRET)).await;
    assert!(refused(world.json("PUT", WEB, &job(CHANGED)).await).contains("what a dry run shows"));
    let copy = json!([
        {"op": "add", "path": "/spec/meta", "value": {}},
        {"op": "copy", "from": PASSWORD, "path": "/spec/meta/leak"},
    ]);
    world.send("PATCH", WEB, "application/json-patch+json", copy.to_string()).await;
    let read = world.get(WEB).await;
    assert_eq!(read["spec"]["meta"]["leak"], MASK, "a patch sees what people see");
}
