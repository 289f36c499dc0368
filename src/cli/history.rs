//! `encamp job history`: the versions of a job, and what each changed.

use clap::Args;
use schemas::diff;
use schemas::job::JobSpec;
use serde_json::Value;

use super::connection::{CliError, Connection, quoted};
use super::living::Wanted;
use super::tree::Global;
use super::{print, status};

/// Arguments of `job history`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    job: status::NameArgs,
    /// Show what each version changed.
    #[arg(long = "diff", short = 'p')]
    shows_changes: bool,
    /// Only this version.
    #[arg(long = "version", id = "number", value_name = "N")]
    version: Option<u64>,
}

/// Tells a job's history.
pub(super) async fn history(global: &Global, args: &HistoryArgs) -> Result<(), CliError> {
    let only = args.version.map(|version| format!(",spec.version={version}")).unwrap_or_default();
    let output = args.job.form.output()?;
    if !(args.shows_changes && output.is_table()) {
        return status::of_job(global, ("jobversions", &only), (&args.job, Wanted::All)).await;
    }
    let connection = global.connect()?;
    let versions = Versions::read(&connection, global, &args.job.name).await?;
    let chosen = versions.newest_first().filter(|number| args.version.is_none_or(|only| only == *number));
    let chosen: Vec<u64> = chosen.collect();
    if chosen.is_empty() {
        let message = format!("no version of job {:?} that is remembered is meant", args.job.name);
        return Err(CliError::NotFound(message));
    }
    for number in chosen {
        versions.tell(&args.job.name, number)?;
    }
    Ok(())
}

/// The versions that the server remembers, oldest first.
struct Versions(Vec<(u64, Value)>);

impl Versions {
    async fn read(connection: &Connection, global: &Global, job: &str) -> Result<Versions, CliError> {
        let query = format!("fieldSelector=spec.job%3D{}", quoted(job));
        let path = format!("{}?{query}", status::path_of(&global.namespace(), "jobversions"));
        let list = connection.get(path).await?;
        let items = list["items"].as_array().into_iter().flatten();
        let numbered = items.filter_map(|item| Some((item["spec"]["version"].as_u64()?, item.clone())));
        let mut versions: Vec<(u64, Value)> = numbered.collect();
        versions.sort_by_key(|(number, _)| *number);
        Ok(Versions(versions))
    }

    fn newest_first(&self) -> impl Iterator<Item = u64> {
        self.0.iter().rev().map(|(number, _)| *number)
    }

    /// One version and how it differs from the one that is remembered before it.
    fn tell(&self, job: &str, number: u64) -> Result<(), CliError> {
        let at = self.0.partition_point(|(known, _)| *known < number);
        let (_, version) = &self.0[at];
        let since = version["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
        let current = if version["spec"]["current"] == true { ", the current one" } else { "" };
        print::out(&format!("Version {number}{current}, registered {since}"));
        let revert = &version["spec"]["revert"];
        if let (Some(by), Some(why)) = (revert["by"].as_str(), revert["why"].as_str()) {
            print::out(&format!(
                "  {by} went back to version {} from {}: {why}",
                revert["to"], revert["from"]
            ));
        }
        match at.checked_sub(1).map(|before| &self.0[before]) {
            None => print::out("  nothing older is remembered to compare it with"),
            Some((older, before)) => {
                print::out(&format!("  changes since version {older}:"));
                let changes = diff::diff(job, Some(&spec(before)?), &spec(version)?);
                let changes =
                    serde_json::to_value(changes).map_err(|error| CliError::failed(error.to_string()))?;
                print::job_changes(job, &changes, &Value::Null);
            }
        }
        print::out("");
        Ok(())
    }
}

fn spec(version: &Value) -> Result<JobSpec, CliError> {
    let read = serde_json::from_value(version["spec"]["template"].clone());
    read.map_err(|error| CliError::failed(format!("{}: {error}", version["metadata"]["name"])))
}
