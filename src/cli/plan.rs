//! `encamp plan`: what applying a file would change, and where it would run. Exit 0, 1 or 255.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::connection::{Ask, CliError, FIELD_MANAGER};
use super::tree::{FileArgs, Global};
use super::{apply, files, print};

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The job file; `-` is stdin.
    file: PathBuf,
    #[command(flatten)]
    variables: FileArgs,
    /// Show what changes; `--diff=false` leaves only the placement.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set, hide_default_value = true)]
    diff: bool,
    /// json or yaml: the server's answer as it is.
    #[arg(long, short = 'o', value_name = "FORM", default_value = "", hide_default_value = true)]
    output: String,
    /// Every detail, which is always shown; taken for Nomad's sake.
    #[arg(long, hide = true)]
    verbose: bool,
    /// Plan to take over fields that another manager owns.
    #[arg(long)]
    force_conflicts: bool,
}

/// Shows the plan; an error exits with 255 so that it cannot be taken for a change.
pub(super) async fn plan(global: &Global, args: &PlanArgs) -> Result<ExitCode, CliError> {
    match changes(global, args).await {
        Ok(found) => Ok(apply::changes_code(found)),
        Err(error) => {
            print::talk(&format!("Error: {error}"));
            Ok(ExitCode::from(255))
        }
    }
}

async fn changes(global: &Global, args: &PlanArgs) -> Result<bool, CliError> {
    let connection = global.connect()?;
    let output = print::parse_output(&args.output)?;
    let mut found = false;
    for document in files::read(std::slice::from_ref(&args.file), &args.variables)? {
        let target = document.target(&connection, global).await?;
        let mut value = document.value.clone();
        value["metadata"]["namespace"] = Value::from(target.namespace.clone());
        // What `run` would send.
        let path = format!(
            "{}/plan?fieldManager={FIELD_MANAGER}&fieldValidation=Strict&force={}",
            target.path(),
            args.force_conflicts
        );
        let ask = Ask::path(path).json("application/apply-patch+yaml", &value);
        let answer = connection.value(Method::POST, ask).await;
        let answer = answer.map_err(|error| apply::with_ways_out(document.explained(error)))?;
        found |= answer["changes"] == true;
        if output != print::Output::Table {
            print::print_document(&answer, &output)?;
            continue;
        }
        if args.diff {
            job(&target.name, &answer);
            print::out("");
        }
        placement(&answer);
        let version = answer["resourceVersion"].as_str().unwrap_or("0");
        print::out(&format!("\nJob Modify Index: {version}"));
        print::out("To apply exactly this, if nobody else changes the job meanwhile:\n");
        print::out(&format!("  encamp run -check-index {version} {}", args.file.display()));
    }
    Ok(found)
}

fn job(name: &str, answer: &Value) {
    let diff = &answer["diff"];
    print::out(&format!("{}Job: {name:?}", mark(diff)));
    fields(diff, 1);
    objects(diff, 1);
    for group in list(diff, "groups") {
        let name = text(group, "name");
        let counts = &answer["groups"][&name];
        print::out(&format!("{}Group: {name:?}{}", mark(group), summary(counts)));
        fields(group, 1);
        objects(group, 1);
        for task in list(group, "tasks") {
            print::out(&format!("  {}Task: {:?}", mark(task), own_name(&text(task, "name"))));
            fields(task, 2);
            objects(task, 2);
        }
    }
}

fn placement(answer: &Value) {
    print::out("Placement:");
    let groups = answer["groups"].as_object();
    let stuck: Vec<String> = groups
        .into_iter()
        .flatten()
        .filter_map(|(name, group)| Some(format!("  {name}: {}", group["placement"].as_str()?)))
        .collect();
    if stuck.is_empty() {
        print::out("  every instance would be placed");
    }
    stuck.iter().for_each(|line| print::out(line));
    list(answer, "warnings")
        .iter()
        .filter_map(|one| one.as_str())
        .for_each(|one| print::talk(&format!("Warning: {one}")));
}

/// `web` of `tasks "web"`.
fn own_name(name: &str) -> &str {
    name.split_once('"').map_or(name, |(_, rest)| rest.trim_end_matches('"'))
}

fn list<'v>(value: &'v Value, name: &str) -> Vec<&'v Value> {
    value[name].as_array().into_iter().flatten().collect()
}

fn text(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

/// Nomad's signs.
fn mark(value: &Value) -> &'static str {
    match value["type"].as_str().unwrap_or_default().to_lowercase().as_str() {
        "added" => "+   ",
        "deleted" => "-   ",
        "edited" => "+/- ",
        _ => "    ",
    }
}

fn fields(value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    for field in list(value, "fields") {
        let name = text(field, "name");
        let (old, new) = (text(field, "old"), text(field, "new"));
        let line = match field["type"].as_str().unwrap_or_default().to_lowercase().as_str() {
            "added" => format!("{name}: {new:?}"),
            "deleted" => format!("{name}: {old:?}"),
            "edited" => format!("{name}: {old:?} => {new:?}"),
            _ => continue,
        };
        print::out(&format!("{indent}{}{line}", mark(field)));
    }
}

fn objects(value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    for object in list(value, "objects") {
        if mark(object).trim().is_empty() {
            continue;
        }
        print::out(&format!("{indent}{}{} {{", mark(object), text(object, "name")));
        fields(object, depth + 1);
        objects(object, depth + 1);
        print::out(&format!("{indent}    }}"));
    }
}

/// `(2 create, 1 create/destroy update)`
fn summary(counts: &Value) -> String {
    let words = [
        ("create", "create"),
        ("destructive", "create/destroy update"),
        ("inPlace", "in-place update"),
        ("stop", "destroy"),
        ("ignore", "ignore"),
    ];
    let parts: Vec<String> = words
        .iter()
        .filter_map(|(key, word)| {
            let number = counts[key].as_u64().filter(|number| *number > 0)?;
            Some(format!("{number} {word}"))
        })
        .collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}
