//! `encamp scale` and `encamp node eligibility`.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::connection::{Ask, CliError, FIELD_MANAGER, quoted};
use super::tree::Global;
use super::{kinds, monitor, print};

/// Arguments of `scale`.
#[derive(Debug, Args)]
pub(super) struct ScaleArgs {
    /// JOB [GROUP] [COUNT]; the group may be left out if there is one, the count if --replicas says it.
    #[arg(required = true, num_args = 1..=3)]
    words: Vec<String>,
    /// How many instances.
    #[arg(long, alias = "count")]
    replicas: Option<u32>,
    /// Return at once instead of following the change.
    #[arg(long)]
    detach: bool,
    /// Every detail, which is always shown; taken for Nomad's sake.
    #[arg(long, hide = true)]
    verbose: bool,
}

/// Arguments of `node eligibility`.
#[derive(Debug, Args)]
pub(super) struct EligibilityArgs {
    /// The node.
    node: String,
    /// Allow new allocations.
    #[arg(long, conflicts_with = "disable", required_unless_present = "disable")]
    enable: bool,
    /// Forbid new allocations.
    #[arg(long)]
    disable: bool,
}

/// Changes a count.
pub(super) async fn scale(global: &Global, args: &ScaleArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let (job, group, count) = meant(args)?;
    let job = job.trim_start_matches("jobs/").trim_start_matches("job/");
    let kind = kinds::kind(&connection, "jobs").await?;
    let path = format!("{}/{}", kind.path(Some(&global.namespace())), quoted(job));
    let document = connection.get(path.clone()).await?;
    let groups: Vec<&str> = document["spec"]["groups"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|group| group["name"].as_str())
        .collect();
    let at = match (&group, groups.as_slice()) {
        (None, [_]) => 0,
        (None, _) => {
            return Err(CliError::failed(format!("name a group of {job:?}: {}", groups.join(", "))));
        }
        (Some(group), _) => groups.iter().position(|known| known == group).ok_or_else(|| {
            CliError::NotFound(format!("job {job:?} has no group {group:?}; it has {}", groups.join(", ")))
        })?,
    };
    let patch = json!([
        {"op": "test", "path": format!("/spec/groups/{at}/name"), "value": groups[at]},
        {"op": "add", "path": format!("/spec/groups/{at}/count"), "value": count},
    ]);
    let ask = Ask::path(format!("{path}?fieldManager={FIELD_MANAGER}-scale"));
    connection.send(Method::PATCH, ask.json("application/json-patch+json", &patch)).await?;
    print::out(&format!("job {job:?} group {:?} scaled to {count}", groups[at]));
    if args.detach {
        Ok(())
    } else {
        monitor::follow(&connection, (&global.namespace(), job), None, None).await
    }
}

fn meant(args: &ScaleArgs) -> Result<(String, Option<String>, u32), CliError> {
    let number = |word: &String| {
        word.parse::<u32>().map_err(|_| CliError::failed(format!("{word:?} is not a number of instances")))
    };
    match (args.words.as_slice(), args.replicas) {
        ([job], Some(count)) => Ok((job.clone(), None, count)),
        ([job, group], Some(count)) => Ok((job.clone(), Some(group.clone()), count)),
        ([job, count], None) => Ok((job.clone(), None, number(count)?)),
        ([job, group, count], None) => Ok((job.clone(), Some(group.clone()), number(count)?)),
        (_, _) => Err(CliError::failed("say how many: `encamp scale JOB [GROUP] COUNT`")),
    }
}

/// Allows or forbids new allocations on a node.
pub(super) async fn eligibility(global: &Global, args: &EligibilityArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let kind = kinds::kind(&connection, "nodes").await?;
    let path = format!("{}/{}?fieldManager={FIELD_MANAGER}", kind.path(None), quoted(&args.node));
    let patch = json!({"spec": {"eligible": args.enable}});
    connection.send(Method::PATCH, Ask::path(path).json("application/merge-patch+json", &patch)).await?;
    let now = if args.enable { "eligible" } else { "ineligible" };
    print::out(&format!("node {:?} is {now} for new allocations", args.node));
    Ok(())
}
