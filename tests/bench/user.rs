//! A user of the API who applies jobs and watches their allocations.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream::BoxStream};
use serde_json::{Value, json};

use crate::{cluster::Cluster, stamp};

const NAMESPACE: &str = "/apis/encamp.dev/v1/namespaces/default";
/// After this long without any news there will be none: whatever is waited for here takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// One user: a connection for requests and one for the watch.
pub struct User {
    http: reqwest::Client,
    address: String,
    lines: BoxStream<'static, Value>,
    /// How far each known allocation is, by name.
    phases: BTreeMap<String, String>,
}

impl User {
    /// Begins to watch.
    pub async fn of(cluster: &Cluster) -> User {
        let http = encamp::http_client::builder().build().expect("plain HTTP");
        let address = cluster.api.address().to_owned();
        let url = format!("{address}{NAMESPACE}/allocations?watch=true");
        let answer = http.get(url).send().await.expect("the server answers");
        assert!(answer.status().is_success(), "{}", answer.status());
        User { http, address, lines: lines(answer), phases: BTreeMap::new() }
    }

    /// Applies a job of this many instances of a task; answers when the request was sent.
    pub async fn apply(&self, name: &str, count: usize, (command, args): (String, Vec<String>)) -> Duration {
        let task = json!({
            "name": "task", "driver": "raw_exec", "killTimeout": "1s",
            "config": {"command": command, "args": args}, "resources": {"cpu": 1, "memory": 10},
            "logs": {"maxFiles": 1, "maxFileSize": 1},
        });
        let job = json!({
            "apiVersion": "encamp.dev/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {"groups": [{"name": "group", "count": count, "ephemeralDisk": {"size": 10}, "tasks": [task]}]},
        });
        let request = self
            .http
            .patch(format!("{}{NAMESPACE}/jobs/{name}?fieldManager=bench", self.address))
            .header("content-type", "application/apply-patch+yaml")
            .body(job.to_string());
        let began = stamp::now();
        let answer = request.send().await.expect("the server answers");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
        began
    }

    /// Deletes a job and waits until none of its allocations is left alive.
    pub async fn remove(&mut self, name: &str) {
        let request = self.http.delete(format!("{}{NAMESPACE}/jobs/{name}", self.address));
        let answer = request.send().await.expect("the server answers");
        assert!(answer.status().is_success(), "{}", answer.status());
        let of_job = format!("{name}.");
        self.until(|phases| {
            let mut of_job = phases.iter().filter(|(name, _)| name.starts_with(&of_job));
            of_job.all(|(_, phase)| !matches!(phase.as_str(), "pending" | "running"))
        })
        .await;
    }

    /// Waits until this many allocations of a job are running; answers when that was seen.
    pub async fn until_running(&mut self, job: &str, count: usize) -> Duration {
        let of_job = format!("{job}.");
        self.until(|phases| {
            let of_job = phases.iter().filter(|(name, _)| name.starts_with(&of_job));
            of_job.filter(|(_, phase)| *phase == "running").count() == count
        })
        .await;
        stamp::now()
    }

    async fn until(&mut self, is_so: impl Fn(&BTreeMap<String, String>) -> bool) {
        while !is_so(&self.phases) {
            let line = tokio::time::timeout(PATIENCE, self.lines.next()).await;
            let line = line.unwrap_or_else(|_| panic!("nothing happens any more: {:?}", self.phases));
            let line = line.expect("the watch goes on");
            let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let Some(name) = text("/object/metadata/name") else { continue };
            if line["type"] == "DELETED" {
                self.phases.remove(&name);
            } else {
                self.phases.insert(name, text("/object/status/phase").unwrap_or_default());
            }
        }
    }
}

/// The documents of a watch, one a line.
fn lines(answer: reqwest::Response) -> BoxStream<'static, Value> {
    let state = (answer, Vec::new());
    let lines = futures::stream::unfold(state, |(mut answer, mut read)| async move {
        loop {
            if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = read.drain(..=end).collect();
                let line = serde_json::from_slice(&line).expect("a watch sends a document a line");
                return Some((line, (answer, read)));
            }
            read.extend_from_slice(&answer.chunk().await.ok()??);
        }
    });
    lines.boxed()
}
