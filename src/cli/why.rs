//! `encamp why`: what keeps a job or an allocation from running, in numbers one can act on.

use clap::Args;
use serde_json::Value;

use super::connection::{CliError, quoted};
use super::tree::Global;
use super::{print, status};

/// Arguments of `why`.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// A job or an allocation.
    name: String,
}

/// Tells why.
pub(super) async fn why(global: &Global, args: &WhyArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let namespace = global.namespace();
    let job = match job_of(&args.name, global).await? {
        Some(job) => job,
        None => args.name.clone(),
    };
    let path = format!("{}/{}", status::path_of(&namespace, "jobs"), quoted(&job));
    let document = connection.get(&path).await?;
    let answer = connection.get(format!("{path}/why")).await?;
    for condition in document["status"]["conditions"].as_array().into_iter().flatten() {
        let word = |name: &str| condition[name].as_str().unwrap_or_default();
        print::out(&format!("{} is {}: {}", word("type"), word("status"), word("message")));
    }
    for (group, why) in answer["groups"].as_object().into_iter().flatten() {
        explain(group, why);
    }
    Ok(())
}

/// The job of an allocation of that name, if it is one.
async fn job_of(name: &str, global: &Global) -> Result<Option<String>, CliError> {
    let connection = global.connect()?;
    let path = format!("{}/{}", status::path_of(&global.namespace(), "allocations"), quoted(name));
    match connection.get(path).await {
        Ok(allocation) => Ok(allocation["spec"]["job"].as_str().map(str::to_owned)),
        Err(CliError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn explain(group: &str, why: &Value) {
    let pending = why["pending"].as_u64().unwrap_or_default();
    if pending == 0 {
        print::out(&format!("group {group:?}: every instance has a node"));
        return;
    }
    let considered = why["considered"].as_u64().unwrap_or_default();
    print::out(&format!("group {group:?}: {pending} waiting for a node; {considered} nodes considered"));
    for (word, part) in [("ruled out", "filtered"), ("without room", "exhausted")] {
        for (reason, number) in why[part].as_object().into_iter().flatten() {
            print::out(&format!("  {number} {word}: {reason}"));
        }
    }
    for sentence in why["sentences"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        print::out(&format!("  {sentence}"));
    }
}
