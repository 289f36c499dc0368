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
            print::complain(&error);
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
        let mut value = document.value().clone();
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
            print::job_changes(&target.name, &answer["diff"], &answer["groups"]);
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

fn placement(answer: &Value) {
    print::out("Placement:");
    let groups = answer["groups"].as_object();
    let stuck: Vec<String> = groups
        .into_iter()
        .flatten()
        .filter_map(|(name, group)| Some(format!("  {name}: {}", group["placement"].as_str()?)))
        .collect();
    let counts = ["create", "inPlace", "destructive", "ignore"];
    let of_group = |group: &Value| counts.iter().filter_map(|count| group[*count].as_u64()).sum::<u64>();
    let wanted: u64 = groups.into_iter().flatten().map(|(_, group)| of_group(group)).sum();
    if stuck.is_empty() {
        let is_any = wanted > 0;
        print::out(if is_any { "  every instance would be placed" } else { "  nothing would run" });
    }
    stuck.iter().for_each(|line| print::out(line));
    let warnings = answer["warnings"].as_array().into_iter().flatten();
    warnings.filter_map(Value::as_str).for_each(|one| print::talk(&format!("Warning: {one}")));
}
