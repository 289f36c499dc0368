//! What a user sees through the API: plain HTTP and JSON, nothing of our own code.

use std::time::Duration;

use serde_json::Value;

/// The API at an address.
#[derive(Clone, Debug)]
pub struct Api {
    address: String,
    http: reqwest::Client,
}

/// One allocation, as far as the scenarios look at it.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// Its name.
    pub name: String,
    /// The node it is placed on; empty if none yet.
    pub node: String,
    /// `run` or `stop`.
    pub desired: String,
    /// `pending`, `running`, `complete`, `failed` or `lost`.
    pub state: String,
    /// Whether it counts as healthy.
    pub is_healthy: bool,
    ports: Value,
}

impl Allocation {
    /// Whether a client may be sent to it.
    pub fn is_serving(&self) -> bool {
        self.desired == "run" && self.state == "running" && self.is_healthy
    }

    /// Where its port of this label is reached.
    pub fn address(&self, label: &str) -> Option<String> {
        let port = self.ports.as_array()?.iter().find(|port| port["label"] == label)?;
        Some(format!("{}:{}", port["hostIp"].as_str()?, port["hostPort"]))
    }

    fn read(document: &Value) -> Allocation {
        let text =
            |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Allocation {
            name: text("/metadata/name"),
            node: text("/spec/node"),
            desired: text("/spec/desired"),
            state: text("/status/phase"),
            is_healthy: document.pointer("/status/healthy") == Some(&Value::Bool(true)),
            ports: document.pointer("/spec/ports").cloned().unwrap_or_default(),
        }
    }
}

impl Api {
    /// The API of the server at `http://host:port`.
    pub fn new(address: String) -> Api {
        let http =
            encamp::http_client::builder().timeout(Duration::from_secs(5)).build().expect("plain HTTP");
        Api { address, http }
    }

    /// `http://host:port`
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the server says that it is ready.
    pub async fn is_ready(&self) -> Result<(), String> {
        self.get("/readyz").await.map(|_| ())
    }

    /// Whether the server says that it lives.
    pub async fn is_live(&self) -> Result<(), String> {
        self.get("/livez").await.map(|_| ())
    }

    /// The value of a metric without labels.
    pub async fn metric(&self, name: &str) -> Result<u64, String> {
        let text = self.get("/metrics").await?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.ok_or_else(|| format!("no {name} in {text}"))
    }

    /// The nodes that are ready, by name.
    pub async fn ready_nodes(&self) -> Result<Vec<String>, String> {
        let is_ready = |node: &&Value| {
            let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        let nodes = self.items("/apis/encamp.dev/v1/nodes").await?;
        Ok(nodes
            .iter()
            .filter(is_ready)
            .filter_map(|node| node["metadata"]["name"].as_str().map(str::to_owned))
            .collect())
    }

    /// The allocations of a job.
    pub async fn allocations(&self, job: &str) -> Result<Vec<Allocation>, String> {
        let all = self.items("/apis/encamp.dev/v1/namespaces/default/allocations").await?;
        Ok(all.iter().filter(|one| one["spec"]["job"] == job).map(Allocation::read).collect())
    }

    /// The status of the rollout of the newest version of a job.
    pub async fn latest_rollout(&self, job: &str) -> Result<String, String> {
        let all = self.items("/apis/encamp.dev/v1/namespaces/default/deployments").await?;
        let of_job = all.iter().filter(|one| one["spec"]["job"] == job);
        let newest = of_job.max_by_key(|one| one["spec"]["version"].as_u64()).ok_or("no deployment")?;
        Ok(newest["status"]["status"].as_str().unwrap_or_default().to_owned())
    }

    /// How the rollout of one version goes: right after an apply the latest is still that of the version before.
    pub async fn rollout(&self, job: &str, version: u64) -> Result<String, String> {
        let all = self.items("/apis/encamp.dev/v1/namespaces/default/deployments").await?;
        let is_it = |one: &&Value| one["spec"]["job"] == job && one["spec"]["version"] == version;
        let it = all.iter().find(is_it).ok_or_else(|| format!("no rollout of version {version}"))?;
        Ok(it["status"]["status"].as_str().unwrap_or_default().to_owned())
    }

    /// What lies at a path.
    pub async fn list(&self, path: &str) -> Result<Value, String> {
        serde_json::from_str(&self.get(path).await?).map_err(|error| error.to_string())
    }

    async fn items(&self, path: &str) -> Result<Vec<Value>, String> {
        let mut list = self.list(path).await?;
        match list["items"].as_array_mut() {
            Some(items) => Ok(std::mem::take(items)),
            None => Err(format!("{path} has no items but {list}")),
        }
    }

    async fn get(&self, path: &str) -> Result<String, String> {
        let answer = self.http.get(format!("{}{path}", self.address)).send().await;
        let answer = answer.map_err(|error| format!("{error:?}"))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| error.to_string())?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}")) }
    }
}
