//! `encamp wait`, and waiting in general.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::time::Instant;

use super::connection::{Ask, CliError, Connection, quoted};
use super::monitor::Lines;
use super::print;
use super::tree::Global;
use super::{kinds, print::render_path};

/// Arguments of `wait`.
#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// KIND/NAME… or KIND NAME…
    #[arg(required = true)]
    what: Vec<String>,
    /// condition=NAME[=STATUS], jsonpath={PATH}=VALUE, or delete.
    #[arg(long = "for", value_name = "WHAT")]
    wanted: String,
    /// How long to wait.
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    timeout: schemas::duration::Duration,
}

/// Waits.
pub(super) async fn wait(global: &Global, args: &WaitArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let timeout = args.timeout.to_std();
    let wanted = Wanted::parse(&args.wanted)?;
    for (word, names) in kinds::split(&args.what)? {
        let kind = kinds::kind(&connection, &word).await?;
        if names.is_empty() {
            return Err(CliError::failed(format!("name what to wait for, as in `encamp wait {word}/NAME`")));
        }
        for name in names {
            let path = format!("{}/{}", kind.path(Some(&global.namespace())), quoted(&name));
            let what = format!("{} {name:?}: {}", kind.singular, args.wanted);
            for_one(&connection, &path, &wanted, timeout).await.map_err(|error| about(&what, error))?;
            print::out(&what);
        }
    }
    Ok(())
}

/// A timeout that says what was waited for; `error` says how it stands.
fn about(what: &str, error: CliError) -> CliError {
    if let CliError::TimedOut(stands) = &error {
        return CliError::TimedOut(format!("timed out waiting for {what}{stands}"));
    }
    error
}

/// Waits for one; on a timeout the error says how it stands.
async fn for_one(
    connection: &Connection,
    path: &str,
    wanted: &Wanted,
    timeout: Duration,
) -> Result<(), CliError> {
    let waited = match wanted {
        Wanted::Gone => until_gone(connection, path, timeout).await,
        Wanted::Condition { .. } | Wanted::Path { .. } => {
            until(connection, path, timeout, |document| wanted.holds(document)).await
        }
    };
    match waited {
        Err(CliError::TimedOut(_)) => {
            let stands = connection.get(path).await.map(|document| wanted.stands(&document));
            Err(CliError::TimedOut(stands.unwrap_or_default()))
        }
        other => other,
    }
}

enum Wanted {
    Gone,
    Condition { name: String, status: String },
    Path { template: String, value: Option<String> },
}

impl Wanted {
    fn parse(text: &str) -> Result<Wanted, CliError> {
        if text == "delete" {
            return Ok(Wanted::Gone);
        }
        if let Some(condition) = text.strip_prefix("condition=") {
            let (name, status) = condition.split_once('=').unwrap_or((condition, "True"));
            return Ok(Wanted::Condition { name: name.to_owned(), status: status.to_owned() });
        }
        if let Some(path) = text.strip_prefix("jsonpath=") {
            let path = path.trim_matches('\'');
            let (template, value) = match path.split_once("}=") {
                Some((template, value)) => {
                    (format!("{template}}}"), Some(value.trim_matches('"').to_owned()))
                }
                None => (path.to_owned(), None),
            };
            return Ok(Wanted::Path { template, value });
        }
        let allowed = "condition=NAME[=STATUS], jsonpath={PATH}=VALUE or delete";
        Err(CliError::failed(format!("cannot wait for {text:?}; allowed are {allowed}")))
    }

    fn holds(&self, document: &Value) -> bool {
        match self {
            Wanted::Gone => false,
            Wanted::Condition { name, status } => {
                let conditions = document["status"]["conditions"].as_array();
                conditions.into_iter().flatten().any(|condition| {
                    condition["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(name))
                        && condition["status"]
                            .as_str()
                            .is_some_and(|found| found.eq_ignore_ascii_case(status))
                })
            }
            Wanted::Path { template, value } => match (render_path(template, document), value) {
                (Ok(found), Some(value)) => found == *value,
                (Ok(found), None) => !found.is_empty(),
                (Err(_), _) => false,
            },
        }
    }
}

impl Wanted {
    /// How what is waited for stands now, for people.
    fn stands(&self, document: &Value) -> String {
        match self {
            Wanted::Gone => "; it is still there".to_owned(),
            Wanted::Condition { name, .. } => {
                let conditions = document["status"]["conditions"].as_array().into_iter().flatten();
                let mut known = Vec::new();
                for condition in conditions {
                    let word = |field: &str| condition[field].as_str().unwrap_or_default();
                    if word("type").eq_ignore_ascii_case(name) {
                        return format!("; it is {}: {}", word("status"), word("message"));
                    }
                    known.push(word("type"));
                }
                format!("; there is no such condition, only {}", known.join(", "))
            }
            Wanted::Path { template, .. } => match render_path(template, document) {
                Ok(found) => format!("; it is {found:?}"),
                Err(error) => format!("; {error}"),
            },
        }
    }
}

/// Waits until a document is gone.
pub(super) async fn until_gone(
    connection: &Connection,
    path: &str,
    timeout: Duration,
) -> Result<(), CliError> {
    match until(connection, path, timeout, |_| false).await {
        Err(CliError::NotFound(_)) => Ok(()),
        other => other,
    }
}

/// Waits until something holds of a document.
pub(super) async fn until(
    connection: &Connection,
    path: &str,
    timeout: Duration,
    holds: impl Fn(&Value) -> bool,
) -> Result<(), CliError> {
    let deadline = Instant::now() + timeout;
    let (list, name) = path.rsplit_once('/').unwrap_or((path, ""));
    let watching = async {
        loop {
            let document = connection.get(path).await?;
            if holds(&document) {
                return Ok(());
            }
            let from = document["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
            let query = format!("fieldSelector=metadata.name%3D{name}&watch=true&resourceVersion={from}");
            let Ok(mut lines) = Lines::open(connection, Ask::path(format!("{list}?{query}"))).await else {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            while let Ok(Some(event)) = lines.next().await {
                if event["type"] == "DELETED" || event["type"] == "ERROR" || holds(&event["object"]) {
                    break;
                }
            }
        }
    };
    match tokio::time::timeout_at(deadline, watching).await {
        Ok(result) => result,
        Err(_) => Err(CliError::TimedOut(format!("timed out waiting for {name}"))),
    }
}
