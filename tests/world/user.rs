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

/// A job of some type; each `revision` of it differs so much that instances are replaced.
pub(crate) fn job(name: &str, kind: &str, count: u32, revision: u32) -> Value {
    let run_for = if kind.contains("batch") { vec!["run_for=5"] } else { vec![] };
    let args: Vec<String> =
        run_for.into_iter().map(str::to_owned).chain([format!("revision={revision}")]).collect();
    let task = json!({
        "name": "main", "driver": "raw_exec", "config": {"command": "/bin/task", "args": args},
        "resources": {"cpu": 400, "memory": 128},
    });
    let mut group = json!({
        "name": "g", "count": count, "tasks": [task],
        "restart": {"attempts": 2, "interval": "60s", "delay": "1s", "mode": "fail"},
        "networks": [{"ports": [{"label": "http"}]}],
    });
    if kind == "service" || kind == "batch" {
        group["reschedule"] = json!({"delay": "5s", "delayFunction": "constant", "unlimited": true});
    }
    if kind == "service" || kind == "system" {
        group["update"] = json!({
            "maxParallel": 1 + revision % 2, "minHealthyTime": "2s", "healthyDeadline": "60s",
            "progressDeadline": "120s",
        });
    } else {
        group.as_object_mut().unwrap().remove("networks");
    }
    json!({
        "apiVersion": "encamp.dev/v1", "kind": "Job",
        "metadata": {"name": name}, "spec": {"type": kind, "groups": [group]},
    })
}

/// The jobs that people know.
const NAMES: [(&str, &str); 5] =
    [("web", "service"), ("shop", "service"), ("sums", "batch"), ("logs", "system"), ("scan", "sysbatch")];

/// Something somebody may want.
pub(crate) fn whim(rng: &mut StdRng) -> Wish {
    let (name, kind) = NAMES[rng.random_range(0..NAMES.len())];
    let count = rng.random_range(1..=5);
    match rng.random_range(0..10) {
        0..=4 => Wish::submit(&job(name, kind, count, rng.random_range(0..4))),
        5 | 6 => Wish::scale(name, count),
        7 => Wish::change(name, &json!({"stop": true})),
        8 => Wish::change(name, &json!({"stop": false})),
        _ => Wish::delete(name),
    }
}
