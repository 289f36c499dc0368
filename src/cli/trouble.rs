//! What keeps a job from being well, in sentences: why instances have no node, and what ended, restarts or fails its
//! checks, each by the last attempt of its slot.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::connection::{CliError, Connection, ROOT, quoted};

/// More sentences than this help nobody.
const SENTENCES: usize = 5;

/// What is wrong with the allocations of a job.
pub(super) async fn of_allocations(
    connection: &Connection,
    namespace: &str,
    job: &str,
) -> Result<Vec<String>, CliError> {
    let path = format!("{ROOT}/namespaces/{namespace}/allocations?fieldSelector=spec.job%3D{}", quoted(job));
    let allocations = connection.get(path).await?;
    let allocations: Vec<&Value> = allocations["items"].as_array().into_iter().flatten().collect();
    Ok(troubles(&allocations))
}

/// All that keeps a job from being well, each with a line break and an indent before it; empty if the server does
/// not say.
pub(super) async fn lines(connection: &Connection, namespace: &str, job: &str) -> String {
    let path = format!("{ROOT}/namespaces/{namespace}/jobs/{}", quoted(job));
    let document = connection.get(path).await.unwrap_or_default();
    let allocations = of_allocations(connection, namespace, job).await.unwrap_or_default();
    let sentences = unplaced(&document).into_iter().chain(allocations);
    sentences.fold(String::new(), |text, sentence| text + "\n  " + &sentence)
}

/// Why instances wait for a node, by group.
fn unplaced(job: &Value) -> Option<String> {
    let mut conditions = job["status"]["conditions"].as_array()?.iter();
    let unmet =
        conditions.find(|condition| condition["type"] == "Placed" && condition["status"] == "False")?;
    let (_, why) = unmet["message"].as_str()?.split_once("; ")?;
    Some(format!("group {why}"))
}

/// What is wrong with the allocations of the latest version: of each slot what its last attempt tells.
fn troubles(allocations: &[&Value]) -> Vec<String> {
    let number = |allocation: &Value, field: &str| allocation["spec"][field].as_u64().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let latest = allocations.iter().map(|allocation| number(allocation, "specVersion")).max();
    let mut attempts: Vec<&Value> = allocations.to_vec();
    attempts.retain(|allocation| Some(number(allocation, "specVersion")) == latest);
    attempts.sort_by_key(|allocation| (number(allocation, "version"), number(allocation, "attempt")));
    let mut slots: BTreeMap<(String, String), Option<(String, String)>> = BTreeMap::new();
    for allocation in attempts {
        let slot = (word(&allocation["spec"]["group"]), word(&allocation["spec"]["index"]));
        let name = word(&allocation["metadata"]["name"]);
        match trouble(allocation) {
            Some(text) => drop(slots.insert(slot, Some((name, text)))),
            // An attempt that has not begun yet says nothing against what the one before it told.
            None if allocation["status"]["phase"] == "pending" => {}
            None => drop(slots.insert(slot, None)),
        }
    }
    let mut told = BTreeSet::new();
    let all: Vec<(String, String)> = slots.into_values().flatten().collect();
    let different = all.iter().filter(|(_, text)| told.insert(text.clone()));
    let mut sentences: Vec<String> = different.map(|(name, text)| format!("{name}: {text}")).collect();
    let silent = all.len() - sentences.len().min(SENTENCES);
    sentences.truncate(SENTENCES);
    if silent > 0 {
        sentences.push(format!("and {silent} more"));
    }
    sentences
}

/// What is wrong with one allocation.
fn trouble(allocation: &Value) -> Option<String> {
    let status = &allocation["status"];
    let phase = status["phase"].as_str().unwrap_or_default();
    if matches!(phase, "failed" | "lost") {
        let message = status["message"].as_str().filter(|message| !message.is_empty());
        return Some(message.unwrap_or(phase).to_owned());
    }
    if status["healthy"] == true || !matches!(phase, "pending" | "running") {
        return None;
    }
    let tasks = status["tasks"].as_object().into_iter().flatten();
    let restarted = tasks.filter(|(_, task)| task["restarts"].as_u64().unwrap_or_default() > 0);
    let mut ended = restarted.filter_map(|(name, task)| {
        let events = task["events"].as_array()?;
        let last = events.iter().rfind(|event| {
            matches!(event["type"].as_str(), Some("Terminated" | "Driver Failure" | "Setup Failure"))
        })?;
        Some(format!("task {name}: {}, restarted {} times", last["message"].as_str()?, task["restarts"]))
    });
    ended.next().or_else(|| {
        let mut failing =
            status["checks"].as_object()?.iter().filter(|(_, check)| check["status"] != "success");
        let (name, check) = failing.next()?;
        let output =
            check["output"].as_str().and_then(|output| output.lines().next()).unwrap_or("no result yet");
        Some(format!("check {name:?}: {output}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allocation(index: u32, attempt: u32, status: &Value) -> Value {
        json!({
            "metadata": {"name": format!("web.api.{index}-v1.{attempt}")},
            "spec": {"group": "api", "index": index.to_string(), "version": 1, "specVersion": 1, "attempt": attempt},
            "status": status,
        })
    }

    fn told(allocations: &[Value]) -> Vec<String> {
        troubles(&allocations.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_last_attempt_tells() {
        let failed = |why: &str| json!({"phase": "failed", "message": why});
        let running = json!({"phase": "running", "healthy": true});
        let pending = json!({"phase": "pending"});
        let first = allocation(0, 0, &failed("task t: exit code 3"));
        let one = ["web.api.0-v1.0: task t: exit code 3"];
        assert_eq!(told(&[first.clone(), allocation(0, 1, &pending)]), one);
        assert_eq!(told(&[first.clone(), allocation(0, 1, &running)]), [""; 0]);
        let second = allocation(0, 1, &failed("task t: exit code 4"));
        assert_eq!(told(&[second, first.clone()]), ["web.api.0-v1.1: task t: exit code 4"]);
        let same: Vec<Value> =
            (0..9).map(|index| allocation(index, 0, &failed("task t: exit code 3"))).collect();
        assert_eq!(told(&same), [one[0], "and 8 more"]);
    }

    #[test]
    fn what_restarts_or_fails_its_checks_is_told() {
        let events =
            json!([{"type": "Terminated", "message": "exit code 3"}, {"type": "Restarting", "message": "…"}]);
        let restarts = json!({"phase": "running", "tasks": {"t": {"restarts": 2, "events": events}}});
        assert_eq!(
            told(&[allocation(0, 0, &restarts)]),
            ["web.api.0-v1.0: task t: exit code 3, restarted 2 times"]
        );
        let checks = json!({"http": {"status": "failure", "output": "refused\nmore"}});
        let fails = json!({"phase": "running", "healthy": false, "checks": checks});
        assert_eq!(told(&[allocation(0, 0, &fails)]), ["web.api.0-v1.0: check \"http\": refused"]);
    }

    #[test]
    fn groups_without_room_say_why() {
        let why = "api: considered 1 nodes: 1 short of disk; nearest n1: 287 MB of disk short";
        let message = format!("2 of 2 allocations have no node yet; {why}");
        let placed = json!({"type": "Placed", "status": "False", "message": message});
        let told = unplaced(&json!({"status": {"conditions": [placed]}}));
        assert_eq!(told, Some(format!("group {why}")));
        assert_eq!(
            unplaced(&json!({"status": {"conditions": [{"type": "Placed", "status": "True"}]}})),
            None
        );
    }
}
