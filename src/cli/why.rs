//! `encamp why`: what keeps a job or an allocation from running, in numbers one can act on.

use clap::Args;
use serde_json::Value;

use super::connection::{CliError, Connection, quoted};
use super::tree::Global;
use super::{kinds, print, status, trouble};

/// Arguments of `why`.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// A job or an allocation.
    name: String,
    #[command(flatten)]
    form: status::Form,
}

/// Tells why.
pub(super) async fn why(global: &Global, args: &WhyArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let namespace = global.namespace();
    let output = args.form.output()?;
    let path = |plural: &str, name: &str| format!("{}/{}", status::path_of(&namespace, plural), quoted(name));
    let allocation = match connection.get(path("allocations", &args.name)).await {
        Err(CliError::NotFound(_)) => None,
        other => Some(other?),
    };
    let job = allocation.as_ref().and_then(|found| found["spec"]["job"].as_str()).unwrap_or(&args.name);
    let path = path("jobs", job);
    let document = match connection.get(&path).await {
        Err(CliError::NotFound(_)) => return Err(unknown(&connection, &namespace, &args.name).await?),
        other => other?,
    };
    let answer = connection.get(format!("{path}/why")).await?;
    if !output.is_table() {
        return print::print_document(&answer, &output);
    }
    if let Some(allocation) = &allocation {
        tell_allocation(allocation);
    }
    for condition in document["status"]["conditions"].as_array().into_iter().flatten() {
        let word = |name: &str| condition[name].as_str().unwrap_or_default();
        print::out(&format!("{} is {}: {}", word("type"), word("status"), word("message")));
    }
    let troubles = trouble::of_allocations(&connection, &namespace, job).await?;
    troubles.iter().for_each(|sentence| print::out(sentence));
    for (group, why) in answer["groups"].as_object().into_iter().flatten() {
        explain(group, why, wants_instances(&document, group));
    }
    Ok(())
}

/// The refusal of a name that neither a job nor an allocation has.
async fn unknown(connection: &Connection, namespace: &str, name: &str) -> Result<CliError, CliError> {
    let jobs = connection.get(status::path_of(namespace, "jobs")).await?;
    let jobs = jobs["items"].as_array().into_iter().flatten();
    let known: Vec<&str> = jobs.filter_map(|job| job["metadata"]["name"].as_str()).collect();
    let near = kinds::meant(name, &known);
    Ok(CliError::NotFound(format!("no job or allocation is called {name:?}{near}")))
}

/// How an allocation stands, and the last thing that happened to each of its tasks.
fn tell_allocation(allocation: &Value) {
    let word = |pointer: &str| allocation.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let because = |text: &str| if text.is_empty() { String::new() } else { format!(": {text}") };
    print::out(&format!(
        "allocation {:?} is {}{}; it should {}{}",
        word("/metadata/name"),
        word("/status/phase"),
        because(word("/status/message")),
        word("/spec/desired"),
        because(word("/spec/desiredDescription")),
    ));
    for (name, task) in allocation["status"]["tasks"].as_object().into_iter().flatten() {
        let state = task["state"].as_str().unwrap_or_default();
        let last = task["events"].as_array().and_then(|events| events.last());
        let last = last.and_then(|event| event["message"].as_str()).unwrap_or_default();
        print::out(&format!("  task {name:?} is {state}{}", because(last)));
    }
    for (name, check) in allocation["status"]["checks"].as_object().into_iter().flatten() {
        let said = check["output"].as_str().and_then(|output| output.lines().next()).unwrap_or_default();
        print::out(&format!(
            "  check {name:?}: {}{}",
            check["status"].as_str().unwrap_or_default(),
            because(said)
        ));
    }
}

/// Whether a job should have any instance of a group.
fn wants_instances(job: &Value, group: &str) -> bool {
    let mut groups = job["spec"]["groups"].as_array().into_iter().flatten();
    let count = groups.find(|one| one["name"] == group).and_then(|one| one["count"].as_u64());
    let is_over = job["spec"]["stop"] == true || !job["metadata"]["deletionTimestamp"].is_null();
    !is_over && count != Some(0)
}

fn explain(group: &str, why: &Value, is_wanted: bool) {
    let number = |field: &str| why[field].as_u64().unwrap_or_default();
    let (desired, pending, considered) = (number("desired"), number("pending"), number("considered"));
    match (pending, desired, is_wanted) {
        (0, 0, false) => return print::out(&format!("group {group:?}: no instance is wanted")),
        (0, 0, true) => print::out(&format!("group {group:?}: no node fits; {considered} nodes considered")),
        (0, _, _) => return print::out(&format!("group {group:?}: every instance has a node")),
        (..) => print::out(&format!(
            "group {group:?}: {pending} waiting for a node; {considered} nodes considered"
        )),
    }
    for (word, part) in [("ruled out", "filtered"), ("without room", "exhausted")] {
        for (reason, number) in why[part].as_object().into_iter().flatten() {
            print::out(&format!("  {number} {word}: {reason}"));
        }
    }
    for sentence in why["sentences"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        print::out(&format!("  {sentence}"));
    }
}
