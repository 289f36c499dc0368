//! A client of several servers: it asks the next one where one does not answer, and knows what it may not know.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Any answer over loopback comes much sooner, or its server is paused.
const PATIENCE: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_millis(100);

/// The API of a cluster. Clones remember the same server that answered last.
#[derive(Clone)]
pub struct Client {
    servers: Vec<String>,
    http: reqwest::Client,
    current: Arc<AtomicUsize>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with 2xx; `twice` if an earlier try of the same may yet be done as well.
    Acknowledged {
        /// Whether a try before it has an unknown end.
        twice: bool,
    },
    /// It may have been done, now or later.
    Unknown(String),
    /// It was not done.
    Refused(String),
}

impl Client {
    /// Of these servers, such as `http://127.0.0.1:4646`.
    pub fn new(servers: Vec<String>) -> Client {
        let http = encamp::http_client::builder().timeout(PATIENCE).build().expect("plain HTTP");
        Client { servers, http, current: Arc::default() }
    }

    /// What lies at a path of one server.
    pub async fn get(&self, server: usize, path: &str) -> Result<String, String> {
        let answer = self.http.get(format!("{}{path}", self.servers[server])).send().await;
        let answer = answer.map_err(|error| format!("{error:?}"))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| error.to_string())?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}")) }
    }

    /// A document or a list, from the first server that answers.
    pub async fn read(&self, path: &str) -> Result<Value, String> {
        let first = self.current.load(Ordering::Relaxed);
        let mut last = "there is no server".to_owned();
        for turn in 0..self.servers.len() {
            let server = (first + turn) % self.servers.len();
            match self.get(server, path).await {
                Ok(text) => {
                    self.current.store(server, Ordering::Relaxed);
                    return serde_json::from_str(&text).map_err(|error| error.to_string());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// How many nodes are ready.
    pub async fn ready_nodes(&self) -> Result<usize, String> {
        let nodes = self.read("/apis/encamp.dev/v1/nodes").await?;
        let is_ready = |node: &&Value| {
            let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        Ok(nodes["items"].as_array().into_iter().flatten().filter(is_ready).count())
    }

    /// Applies a job, again and again until it is acknowledged, refused or `within` is over.
    pub async fn apply(&self, job: &Value, within: Duration) -> Outcome {
        let name = job["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{JOBS}/{name}?fieldManager=campaign&force=true");
        self.write(&path, "application/apply-patch+yaml", job, within).await
    }

    /// Scales a job in the same way.
    pub async fn scale(&self, job: &str, count: usize, within: Duration) -> Outcome {
        let patch = json!({"spec": {"replicas": count}});
        self.write(&format!("{JOBS}/{job}/scale"), "application/merge-patch+json", &patch, within).await
    }

    async fn write(&self, path: &str, media: &str, body: &Value, within: Duration) -> Outcome {
        let until = tokio::time::Instant::now() + within;
        let mut unknown = None;
        loop {
            let server = self.current.load(Ordering::Relaxed) % self.servers.len();
            let request = self.http.request(Method::PATCH, format!("{}{path}", self.servers[server]));
            let answer = request.header("content-type", media).body(body.to_string()).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => {
                    return Outcome::Acknowledged { twice: unknown.is_some() };
                }
                Ok(answer) if is_certain(answer.status()) => {
                    let status = answer.status();
                    return Outcome::Refused(format!(
                        "{status}: {}",
                        answer.text().await.unwrap_or_default()
                    ));
                }
                Ok(answer) => unknown = Some(answer.status().to_string()),
                // Nobody has read a word of it.
                Err(error) if error.is_connect() => {}
                Err(error) => unknown = Some(error.to_string()),
            }
            self.current.fetch_add(1, Ordering::Relaxed);
            if tokio::time::Instant::now() > until {
                let why = "no server could be reached".to_owned();
                return unknown.map_or(Outcome::Refused(why), Outcome::Unknown);
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
}

/// Where jobs are.
pub const JOBS: &str = "/apis/encamp.dev/v1/namespaces/default/jobs";

/// Whether a refusal says that nothing was done and that trying again is of no use.
fn is_certain(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::NOT_FOUND)
}
