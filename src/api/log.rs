//! Logs of a task, fetched from the agent of its node and passed on as they come. They are stored nowhere else.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use schemas::key::Key;
use serde::Deserialize;

use super::agent_call::{AgentCall, Asked as Part};
use super::kind::Kind;
use super::missing::missing;
use super::refusal::Refusal;
use super::request::{Asked, is_set};
use super::resources::allocations;
use super::scene::Name;
use super::server::Server;

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
        let found = scene.view.fingerprints.get(&Key::fingerprint(&node)).cloned();
        Some((node, found, tasks))
    });
    let Some((node, found, tasks)) = place else {
        if server.look(|scene| allocations::exists(scene, &name)) {
            return Err(Refusal::bad_request(format!("{} has no node yet, so it has no logs", name.name)));
        }
        return Err(server.look(|scene| missing(scene, Kind::Allocation, &name)));
    };
    let task = task(&wanted, &tasks)?;
    let stream = match wanted.stream.as_deref() {
        None | Some("" | "stdout") => "stdout",
        Some("stderr") => "stderr",
        Some(other) => {
            return Err(Refusal::bad_request(format!("type: {other:?} is neither stdout nor stderr")));
        }
    };
    let follows = is_set(wanted.follow.as_ref());
    let asked = Part { name: &name, task: &task, stream, follows, tail: wanted.tail_lines.or(wanted.tail) };
    AgentCall::to(&node, found.as_ref())?.log(asked).await
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
