//! Logs of a task, fetched from the agent of its node and passed on as they come. They are stored nowhere else.

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemas::key::Key;
use serde::Deserialize;

use super::kind::Kind;
use super::missing::missing;
use super::refusal::Refusal;
use super::request::{Asked, is_set};
use super::resources::allocations;
use super::scene::Name;
use super::server::Server;
use crate::http_client;

/// How long an agent may take to take the call; the log itself may last.
const CONNECT: Duration = Duration::from_secs(3);

static AGENTS: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let client = http_client::builder().connect_timeout(CONNECT).no_proxy().build();
    client.expect("a client without options of ours to be wrong")
});

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new().route("/apis/encamp.dev/v1/namespaces/{namespace}/allocations/{name}/log", get(log))
}

/// Which part of which log, in Kubernetes' words and in Nomad's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
    task: Option<String>,
    container: Option<String>,
    #[serde(rename = "type")]
    stream: Option<String>,
    follow: Option<String>,
    tail: Option<u64>,
    tail_lines: Option<u64>,
}

async fn log(
    State(server): State<Server>,
    Path((namespace, name)): Path<(String, String)>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refusal> {
    let name = Name::new(namespace, name);
    let place = server.look(|scene| {
        let (node, tasks) = allocations::place(scene, &name)?;
        let address =
            scene.view.fingerprints.get(&Key::fingerprint(&node)).map(|found| found.address.clone());
        Some((node, address.unwrap_or_default(), tasks))
    });
    let Some((node, address, tasks)) = place else {
        if server.look(|scene| allocations::exists(scene, &name)) {
            return Err(Refusal::bad_request(format!("{} has no node yet, so it has no logs", name.name)));
        }
        return Err(server.look(|scene| missing(scene, Kind::Allocation, &name)));
    };
    let task = task(&wanted, &tasks)?;
    let mut query = vec![("type", wanted.stream.clone().unwrap_or_else(|| "stdout".to_owned()))];
    if is_set(wanted.follow.as_ref()) {
        query.push(("follow", "true".to_owned()));
    }
    if let Some(lines) = wanted.tail_lines.or(wanted.tail) {
        query.push(("tail", lines.to_string()));
    }
    let url = format!("http://{address}/v1/logs/{}/{}/{task}", name.namespace, name.name);
    let answer = AGENTS.get(url).query(&query).send().await;
    let answer = answer.map_err(|error| {
        Refusal::bad_gateway(format!("the agent of node {node} does not answer at {address}: {error}"))
    })?;
    pass_on(&node, answer).await
}

async fn pass_on(node: &str, answer: reqwest::Response) -> Result<Response, Refusal> {
    let status = answer.status();
    if status.is_success() {
        let body = Body::from_stream(answer.bytes_stream());
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response());
    }
    let said = answer.text().await.unwrap_or_default();
    Err(match status {
        StatusCode::BAD_REQUEST => Refusal::bad_request(said),
        StatusCode::NOT_FOUND => Refusal::no_logs(said),
        _ => Refusal::bad_gateway(format!("the agent of node {node} answered {status}: {said}")),
    })
}

/// The task that is meant: the one named, or the only one.
fn task(wanted: &Wanted, tasks: &[String]) -> Result<String, Refusal> {
    let named = wanted.task.as_ref().or(wanted.container.as_ref()).filter(|task| !task.is_empty());
    let all = tasks.join(", ");
    match (named, tasks) {
        (Some(task), _) if tasks.contains(task) => Ok(task.clone()),
        (Some(task), _) => Err(Refusal::bad_request(format!("there is no task {task:?}; there are {all}"))),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Refusal::bad_request(format!("name a task with ?task=; there are {all}"))),
    }
}
