//! A server over a memory store, and requests on its router.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, to_bytes};
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use plan::Write;
use schemas::key::Key;
use schemas::node::{Amount, DriverHealth, Fingerprint, Health, NodeState};
use schemas::placement::{Placement, Wish};
use schemas::roster::Index;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::Server;
use cache::Cache;
use clock::Clock;
use store::{Limits, Memory, Store, Txn};

pub(crate) const JOBS: &str = "/apis/encamp.dev/v1/namespaces/default/jobs";
pub(crate) const NODE: &str = "/apis/encamp.dev/v1/nodes/n1";
pub(crate) const WEB: &str = "/apis/encamp.dev/v1/namespaces/default/jobs/web";

pub(crate) struct World {
    pub(crate) store: Memory,
    pub(crate) cache: Cache,
    pub(crate) router: Router,
    pub(crate) stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(crate) async fn new() -> World {
        let memory = Memory::new(Limits::default());
        World::serving(memory.clone(), memory).await
    }

    /// Another server over the same memory, which reaches it through `store`.
    pub(crate) async fn over(&self, store: impl Store) -> World {
        World::serving(self.store.clone(), store).await
    }

    async fn serving(memory: Memory, store: impl Store) -> World {
        let stop = CancellationToken::new();
        let cache = Cache::new(Duration::from_mins(1), Clock::system());
        let server = Server::new("s1", store.clone(), cache.clone(), Clock::system(), stop.clone());
        let router = server.router();
        tokio::spawn({
            let (cache, store, stop) = (cache.clone(), store.clone(), stop.clone());
            async move { cache.run(store, stop).await }
        });
        tokio::spawn(async move { server.run().await });
        cache.reached(schemas::key::Revision(1)).await;
        World { store: memory, cache, router, stop }
    }

    pub(crate) async fn write(&self, writes: Vec<Write>) {
        let revision = self.store.commit(Txn { guards: Vec::new(), writes }).await.unwrap();
        self.cache.reached(revision).await;
    }

    pub(crate) async fn send(
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

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.send("GET", path, "application/json", "").await.1
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(method, path, "application/json", body.to_string()).await
    }

    pub(crate) async fn merge(&self, path: &str, patch: Value) -> (StatusCode, Value) {
        self.send("PATCH", path, "application/merge-patch+json", patch.to_string()).await
    }

    /// Opens a watch.
    pub(crate) async fn watch(&self, path: &str) -> Lines {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Lines { stream: response.into_body().into_data_stream(), waiting: Vec::new() }
    }

    /// The cells of a column, by name.
    pub(crate) async fn column(&self, path: &str, name: &str) -> Vec<String> {
        let accept = "application/json;as=Table;g=meta.k8s.io;v=v1";
        let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let table: Value = serde_json::from_slice(&bytes).unwrap();
        let columns = table["columnDefinitions"].as_array().unwrap();
        let at = columns.iter().position(|column| column["name"] == name).unwrap();
        let rows = table["rows"].as_array().unwrap().iter();
        rows.map(|row| row["cells"][at].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) struct Lines {
    stream: BodyDataStream,
    waiting: Vec<Value>,
}

impl Lines {
    /// The next line as `VERB name`.
    pub(crate) async fn next(&mut self) -> String {
        let line = self.line().await;
        format!(
            "{} {}",
            line["type"].as_str().unwrap(),
            line["object"]["metadata"]["name"].as_str().unwrap_or("-")
        )
    }

    pub(crate) async fn line(&mut self) -> Value {
        while self.waiting.is_empty() {
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.stream.next()).await;
            let chunk = chunk.expect("a line within 10 s").expect("the watch goes on").unwrap();
            let lines = chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            self.waiting = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        }
        self.waiting.remove(0)
    }
}

pub(crate) fn job(name: &str) -> Value {
    json!({
        "apiVersion": "encamp.dev/v1", "kind": "Job", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"groups": [{"name": "api", "tasks": [{
            "name": "main", "driver": "raw_exec", "config": {"command": "/bin/true"},
        }]}]},
    })
}

/// A placement of the job `web`.
pub(crate) fn placement(index: u32) -> Placement {
    Placement {
        job: "web".into(),
        group: "api".into(),
        index: Index::Number(index),
        version: 1,
        attempt: 0,
        spec: 1,
        wish: Wish::Run,
        claim: Amount { cpu_mhz: 100, memory_mb: 300, disk_mb: 300 },
        cores: Vec::new(),
        ports: Vec::new(),
        adopts: None,
        placed_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// A node that takes what raw_exec runs.
pub(crate) fn node(name: &str) -> Vec<Write> {
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
