//! `encamp job revert`: an earlier version becomes the job's next one.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::connection::{Ask, CliError, FIELD_MANAGER, quoted};
use super::tree::Global;
use super::{monitor, print, status};

/// Arguments of `job revert`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(super) struct RevertArgs {
    /// The job.
    job: String,
    /// The version to go back to: `encamp job history JOB` lists them. Default: the one before the current.
    number: Option<u64>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Return at once instead of following the job.
    #[arg(long)]
    detach: bool,
    /// Every detail, which is always shown; taken for Nomad's sake.
    #[arg(long, hide = true)]
    verbose: bool,
}

/// Goes back.
pub(super) async fn revert(global: &Global, args: &RevertArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let namespace = global.namespace();
    let path = format!("{}/{}", status::path_of(&namespace, "jobs"), quoted(&args.job));
    let document = connection.get(path.clone()).await?;
    let current = document["metadata"]["generation"].as_u64().unwrap_or_default();
    let to = args.number.unwrap_or(current.saturating_sub(1));
    let mut body =
        json!({"version": to, "metadata": {"resourceVersion": document["metadata"]["resourceVersion"]}});
    if let Some(why) = &args.why {
        body["why"] = json!(why);
    }
    let ask = Ask::path(format!("{path}/rollback?fieldManager={FIELD_MANAGER}"));
    let answer = connection.value(Method::POST, ask.json("application/json", &body)).await?;
    let version = answer["metadata"]["generation"].as_u64();
    let shown = version.unwrap_or_default();
    print::out(&format!("job {:?} goes back to version {to}, as version {shown}", args.job));
    if args.detach {
        return Ok(());
    }
    monitor::follow(&connection, (&namespace, &args.job), version, None).await
}
