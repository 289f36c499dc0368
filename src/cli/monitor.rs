//! Watching a job until it is as it should be, telling on stderr what happens.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::connection::{Ask, CliError, Connection, ROOT, quoted};
use super::{print, trouble};

/// After this long without a change, say what is waited for.
const QUIET: Duration = Duration::from_secs(2);

/// After this long without room on any node, following ends: old instances have made room by then.
const PATIENCE: Duration = Duration::from_secs(15);

/// The JSON lines of a watch.
pub(super) struct Lines {
    response: reqwest::Response,
    pending: Vec<u8>,
}

impl Lines {
    /// Opens a watch.
    pub(super) async fn open(connection: &Connection, ask: Ask) -> Result<Lines, CliError> {
        Ok(Lines { response: connection.send(Method::GET, ask).await?, pending: Vec::new() })
    }

    /// The next line, or nothing once the server has ended the watch.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, CliError> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                let parsed = serde_json::from_slice(&line);
                return parsed
                    .map(Some)
                    .map_err(|error| CliError::failed(format!("not a watch event: {error}")));
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|error| CliError::failed(format!("the watch broke: {error}")))? {
                Some(bytes) => self.pending.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// As it should be.
    Good(String),
    /// It will not become so by itself.
    Bad(String),
    /// Under way, and waiting for this.
    Underway(String),
    /// Nothing can be done until there is room on some node.
    Unplaced(String),
}

/// Follows a version of a job (the current one if none is said) until it is healthy (or done, for batch jobs), has
/// failed, or time is up.
pub(super) async fn follow(
    connection: &Connection,
    (namespace, job): (&str, &str),
    asked: Option<u64>,
    timeout: Option<Duration>,
) -> Result<(), CliError> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let path = format!("{ROOT}/namespaces/{namespace}/jobs?fieldSelector=metadata.name%3D{}", quoted(job));
    let mut told = Told { asked, ..Told::default() };
    loop {
        let listed = connection.get(path.clone()).await?;
        let from = listed["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
        let Some(document) = listed["items"].get(0) else {
            return Err(CliError::NotFound(format!("job {job:?} is gone")));
        };
        if let Some(end) = told.judge(document) {
            return end.told(connection, (namespace, job)).await;
        }
        let ask = Ask::path(format!("{path}&watch=true&resourceVersion={from}"));
        let mut lines = Lines::open(connection, ask).await?;
        loop {
            let pause = deadline.map_or(QUIET, |at| QUIET.min(at.saturating_duration_since(Instant::now())));
            match tokio::time::timeout(pause, lines.next()).await {
                Err(_) if deadline.is_some_and(|at| Instant::now() >= at) => {
                    let why = trouble::lines(connection, namespace, job).await;
                    return Err(CliError::TimedOut(format!("timed out; {}{why}", told.last)));
                }
                Err(_) => {
                    if let Some(end) = told.give_up() {
                        return end.told(connection, (namespace, job)).await;
                    }
                    let why = trouble::lines(connection, namespace, job).await;
                    told.remind(&why);
                }
                // A watch that ends or breaks is opened again after another look.
                Ok(Ok(None) | Err(_)) => break,
                Ok(Ok(Some(event))) if event["type"] == "DELETED" => {
                    return Err(CliError::NotFound(format!("job {job:?} was deleted")));
                }
                Ok(Ok(Some(event))) if event["type"] == "ERROR" => break,
                Ok(Ok(Some(event))) => {
                    if let Some(end) = told.judge(&event["object"]) {
                        return end.told(connection, (namespace, job)).await;
                    }
                }
            }
        }
    }
}

/// How following ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Well,
    Badly(String),
}

impl End {
    /// As the answer of the program: what went badly is told with its causes.
    async fn told(self, connection: &Connection, (namespace, job): (&str, &str)) -> Result<(), CliError> {
        match self {
            End::Well => Ok(()),
            End::Badly(text) => {
                let why = trouble::lines(connection, namespace, job).await;
                Err(CliError::Unhealthy(text + &why))
            }
        }
    }
}

/// What was said already.
#[derive(Default)]
struct Told {
    /// The version that is followed.
    asked: Option<u64>,
    last: String,
    reminder: String,
    unplaced_since: Option<Instant>,
}

impl Told {
    fn judge(&mut self, job: &Value) -> Option<End> {
        let generation = job["metadata"]["generation"].as_u64().unwrap_or_default();
        let standing = standing(job, *self.asked.get_or_insert(generation));
        let text = match &standing {
            Standing::Good(text)
            | Standing::Bad(text)
            | Standing::Underway(text)
            | Standing::Unplaced(text) => text.clone(),
        };
        if text != self.last {
            print::talk(&format!("  {text}"));
            self.last = text;
        }
        match standing {
            Standing::Good(_) => Some(End::Well),
            Standing::Bad(text) => Some(End::Badly(text)),
            Standing::Underway(_) => {
                self.unplaced_since = None;
                None
            }
            Standing::Unplaced(_) => {
                self.unplaced_since.get_or_insert_with(Instant::now);
                None
            }
        }
    }

    /// Nothing has changed for a while, and nothing will.
    fn give_up(&self) -> Option<End> {
        let is_stuck = self.unplaced_since.is_some_and(|since| since.elapsed() >= PATIENCE);
        is_stuck.then(|| {
            End::Badly(format!("applied, but not placed: {}; it starts as soon as a node fits", self.last))
        })
    }

    /// Nothing has changed for a while: says what is waited for and why, once.
    fn remind(&mut self, why: &str) {
        let reminder = format!("  still waiting: {}{}", self.last, why.replace('\n', "\n  "));
        if reminder != self.reminder {
            print::talk(&reminder);
            self.reminder = reminder;
        }
    }
}

/// Judges a version of a job by what the server says of the job.
fn standing(job: &Value, asked: u64) -> Standing {
    let status = &job["status"];
    let revert = &status["revert"];
    // Whoever asked for a version did not ask for the one that took its place.
    if revert["from"].as_u64().is_some_and(|from| from >= asked) {
        let why = revert["why"].as_str().unwrap_or("it failed");
        return Standing::Bad(format!(
            "version {} was left: {why}; version {} runs again, as version {}",
            revert["from"], revert["to"], job["metadata"]["generation"]
        ));
    }
    let conditions: BTreeMap<&str, &Value> = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|condition| (condition["type"].as_str().unwrap_or_default(), condition))
        .collect();
    let is = |name: &str, wanted: &str| conditions.get(name).is_some_and(|found| found["status"] == wanted);
    let message = |name: &str| {
        conditions.get(name).and_then(|found| found["message"].as_str()).unwrap_or_default().to_owned()
    };
    if status["observedGeneration"] != job["metadata"]["generation"] {
        return Standing::Underway("registered".to_owned());
    }
    if job["spec"]["stop"] == true {
        return Standing::Good("stopped".to_owned());
    }
    let rollout = &status["deployment"];
    if rollout["status"] == "failed" && rollout["version"] == job["metadata"]["generation"] {
        let why = rollout["description"].as_str().unwrap_or("it failed");
        return Standing::Bad(format!("the rollout failed: {why}"));
    }
    if status["phase"] == "dead" && !is("Complete", "True") && !is("Available", "True") {
        return Standing::Bad(message("Complete"));
    }
    if is("Complete", "True") {
        return Standing::Good(message("Complete"));
    }
    // `Progressing` stays true after a rollout has succeeded, so the rollout itself is asked.
    if is("Available", "True") && rollout["status"] != "running" {
        return Standing::Good(message("Available"));
    }
    if is("Placed", "False") {
        return Standing::Unplaced(message("Placed"));
    }
    let waiting = [message("Progressing"), message("Available")];
    Standing::Underway(
        waiting.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| "starting".to_owned()),
    )
}
