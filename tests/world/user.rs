//! People: they submit, scale, change, stop and delete jobs, through the API of whatever server answers.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt as _;

const JOBS: &str = "/apis/encamp.dev/v1/namespaces/default/jobs";
const NODES: &str = "/apis/encamp.dev/v1/nodes";

/// What somebody asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    method: Method,
    path: String,
    body: Option<Value>,
    /// Makes the job where there is none to change.
    otherwise: Option<Value>,
}

impl Wish {
    /// A job is to be as the document says.
    pub(crate) fn submit(job: &Value) -> Wish {
        let path = format!("{JOBS}/{}", job["metadata"]["name"].as_str().unwrap());
        Wish { method: Method::PUT, path, body: Some(job.clone()), otherwise: Some(job.clone()) }
    }

    /// A job is to be made.
    pub(crate) fn create(job: &Value) -> Wish {
        Wish { method: Method::POST, path: JOBS.to_owned(), body: Some(job.clone()), otherwise: None }
    }

    /// A job is to be another in some fields.
    pub(crate) fn change(name: &str, spec: &Value) -> Wish {
        let body = Some(json!({ "spec": spec }));
        Wish { method: Method::PATCH, path: format!("{JOBS}/{name}"), body, otherwise: None }
    }

    /// A group is to have another number of instances.
    pub(crate) fn scale(name: &str, count: u32) -> Wish {
        let body = Some(json!({"spec": {"replicas": count}}));
        Wish { method: Method::PATCH, path: format!("{JOBS}/{name}/scale"), body, otherwise: None }
    }

    /// A job is to go.
    pub(crate) fn delete(name: &str) -> Wish {
        Wish { method: Method::DELETE, path: format!("{JOBS}/{name}"), body: None, otherwise: None }
    }

    /// A node takes new work, or does not.
    pub(crate) fn open(node: usize, is_open: bool) -> Wish {
        let body = Some(json!({"spec": {"eligible": is_open}}));
        Wish { method: Method::PATCH, path: format!("{NODES}/n{node}"), body, otherwise: None }
    }

    /// In one line.
    pub(crate) fn words(&self) -> String {
        let Wish { method, path, body, otherwise: _ } = self;
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        format!("{method} {} {body}", path.trim_start_matches(JOBS))
    }

    /// Asks once; the status says how it went.
    pub(crate) async fn ask(self, api: Router) -> StatusCode {
        let status = send(api.clone(), self.method, &self.path, self.body).await;
        match self.otherwise {
            Some(job) if status == StatusCode::NOT_FOUND => send(api, Method::POST, JOBS, Some(job)).await,
            Some(_) | None => status,
        }
    }
}

async fn send(api: Router, method: Method, path: &str, body: Option<Value>) -> StatusCode {
    let media = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let bytes = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder().method(method).uri(path).header("content-type", media);
    let request = request.body(Body::from(bytes)).unwrap();
    match tokio::time::timeout(Duration::from_secs(20), api.oneshot(request)).await {
        Ok(Ok(response)) => response.status(),
        Ok(Err(never)) => match never {},
        Err(_) => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// A job of some type; each `revision` of it differs so much that instances are replaced. The last one of a job
/// called `beta` or `tries` does not work. What `shop` runs never changes, only
/// where: all on the node that always comes back, or each on a node of its own.
pub(crate) fn job(name: &str, kind: &str, count: u32, revision: u32) -> Value {
    let is_in_place = name == "shop";
    let mut args = vec![format!("revision={}", if is_in_place { 0 } else { revision })];
    args.extend(kind.contains("batch").then(|| "run_for=5".to_owned()));
    let is_broken = revision == BROKEN;
    args.extend((is_broken && name == "beta").then(|| "start_fails".to_owned()));
    args.extend((is_broken && name == "tries").then(|| "exit=1".to_owned()));
    let task = json!({
        "name": "main", "driver": "raw_exec", "config": {"command": "/bin/task", "args": args},
        "resources": {"cpu": if name == "web" { 300 } else { 100 }, "memory": 128},
    });
    let mut group = json!({
        "name": "g", "tasks": [task],
        "restart": {"attempts": 2, "interval": "60s", "delay": "1s", "mode": "fail"},
    });
    let own = group.as_object_mut().unwrap();
    if kind == "service" || kind == "batch" {
        own.insert("count".to_owned(), json!(count));
        own.insert("reschedule".to_owned(), reschedule(name));
    }
    if kind == "service" || kind == "system" {
        let update = json!({
            "maxParallel": 1 + revision % 2, "minHealthyTime": "2s", "healthyDeadline": "60s",
            "progressDeadline": "90s", "autoRevert": name == "beta" && kind == "service",
        });
        own.insert("update".to_owned(), update);
        own.insert("networks".to_owned(), json!([{"ports": [{"label": "http"}]}]));
    }
    if is_in_place {
        let rule = match revision % 2 {
            0 => json!({"attribute": "${node.unique.name}", "value": "n1"}),
            _ => json!({"operator": "distinct_hosts"}),
        };
        own.insert("constraints".to_owned(), json!([rule]));
    }
    json!({
        "apiVersion": "encamp.dev/v1", "kind": "Job",
        "metadata": {"name": name}, "spec": {"type": kind, "groups": [group]},
    })
}

/// What does not work is given up, or it would be tried again for ever.
fn reschedule(name: &str) -> Value {
    match name {
        "beta" | "tries" => json!({
            "delay": "5s", "delayFunction": "constant", "attempts": 2, "interval": "1h", "unlimited": false,
        }),
        _ => json!({"delay": "5s", "delayFunction": "constant", "unlimited": true}),
    }
}

/// The revision of `beta` and `tries` that does not work.
const BROKEN: u32 = 3;

/// The jobs that people know. All of them fit on one node.
const NAMES: [(&str, &str); 7] = [
    ("web", "service"),
    ("shop", "service"),
    ("beta", "service"),
    ("sums", "batch"),
    ("tries", "batch"),
    ("logs", "system"),
    ("scan", "sysbatch"),
];

/// What somebody may want, in the order of asking.
pub(crate) fn whim(rng: &mut StdRng, nodes: usize) -> Vec<Wish> {
    let (name, kind) = NAMES[rng.random_range(0..NAMES.len())];
    let count = rng.random_range(0..=5);
    let submit = Wish::submit(&job(name, kind, count, rng.random_range(0..=BROKEN)));
    match rng.random_range(0..12) {
        0..=4 => vec![submit],
        5 | 6 => vec![Wish::scale(name, count)],
        7 => vec![Wish::change(name, &json!({"stop": true}))],
        8 => vec![Wish::change(name, &json!({"stop": false}))],
        9 => vec![Wish::change(name, &json!({"priority": 40 + count}))],
        10 => vec![Wish::open(rng.random_range(1..=nodes), rng.random_ratio(1, 2))],
        _ if rng.random_ratio(1, 2) => vec![Wish::delete(name), submit],
        _ => vec![Wish::delete(name)],
    }
}
