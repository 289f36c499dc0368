//! `encamp delete` and `encamp stop`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::connection::{Ask, CliError, Connection, FIELD_MANAGER, quoted};
use super::dry_run::{DryRun, DryRunArgs};
use super::tree::{FileArgs, Global};
use super::{apply, files, kinds, monitor, print, wait};

/// Arguments of `delete`.
#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// KIND NAME… or KIND/NAME…
    what: Vec<String>,
    /// Delete what these files declare; `-` is stdin.
    #[arg(long, short = 'f', value_name = "FILE")]
    filename: Vec<PathBuf>,
    #[command(flatten)]
    variables: FileArgs,
    #[command(flatten)]
    dry: DryRunArgs,
    /// Return at once instead of waiting until it is gone.
    #[arg(long)]
    no_wait: bool,
    /// Say nothing if there is no such thing.
    #[arg(long)]
    ignore_not_found: bool,
    /// How long to wait.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    timeout: schemas::duration::Duration,
}

/// Arguments of `stop`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct StopArgs {
    /// The job.
    job: String,
    /// Delete the job instead of keeping it known.
    #[arg(long)]
    purge: bool,
    /// Return at once instead of waiting until everything has stopped.
    #[arg(long)]
    detach: bool,
    /// Never asked for; taken for Nomad's sake.
    #[arg(long, short = 'y', hide = true)]
    yes: bool,
    /// Every detail, which is always shown; taken for Nomad's sake.
    #[arg(long, hide = true)]
    verbose: bool,
}

/// Arguments of `node purge`.
#[derive(Debug, Args)]
pub(super) struct PurgeArgs {
    /// The node.
    node: String,
}

/// Arguments of `job start`.
#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// The job.
    job: String,
    /// Return at once instead of following the job.
    #[arg(long)]
    detach: bool,
}

/// Deletes.
pub(super) async fn delete(global: &Global, args: &DeleteArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let mut paths = Vec::new();
    if !args.what.is_empty() {
        let namespace = global.namespace();
        for (word, names) in kinds::split(&args.what)? {
            let kind = kinds::kind(&connection, &word).await.map_err(|error| match names.as_slice() {
                [] => CliError::failed(format!("{error}\n  to delete a job: encamp delete job {word}")),
                [_, ..] => error,
            })?;
            if names.is_empty() {
                return Err(CliError::failed(format!(
                    "name what to delete, as in `encamp delete {word} NAME`"
                )));
            }
            paths.extend(names.iter().map(|name| {
                (
                    format!("{} {name:?}", kind.singular),
                    format!("{}/{}", kind.path(Some(&namespace)), quoted(name)),
                )
            }));
        }
    }
    for document in files::read(&args.filename, &args.variables)? {
        let target = document.target(&connection, global).await?;
        paths.push((format!("{} {:?}", target.kind.singular, target.name), target.path()));
    }
    if paths.is_empty() {
        return Err(CliError::failed("name what to delete, or give a file with -f"));
    }
    let wait_for = (!args.no_wait).then(|| args.timeout.to_std());
    for (what, path) in paths {
        let done = match args.dry.dry_run {
            DryRun::None => remove(&connection, &path, wait_for).await,
            DryRun::Client => connection.get(&path).await.map(drop),
            DryRun::Server => {
                connection.send(Method::DELETE, Ask::path(format!("{path}?dryRun=All"))).await.map(drop)
            }
        };
        match done {
            Err(CliError::NotFound(_)) if args.ignore_not_found => {}
            Err(error) => return Err(error),
            Ok(()) => print::out(&format!("{what} deleted{}", args.dry.dry_run.mark())),
        }
    }
    Ok(())
}

async fn remove(connection: &Connection, path: &str, wait_for: Option<Duration>) -> Result<(), CliError> {
    connection.send(Method::DELETE, Ask::path(path)).await?;
    if let Some(timeout) = wait_for {
        wait::until_gone(connection, path, timeout).await?;
    }
    Ok(())
}

/// Stops a job.
pub(super) async fn stop(global: &Global, args: &StopArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let kind = kinds::kind(&connection, "jobs").await?;
    let path = format!("{}/{}", kind.path(Some(&global.namespace())), quoted(&args.job));
    if args.purge {
        let wait_for = (!args.detach).then_some(Duration::from_secs(120));
        remove(&connection, &path, wait_for).await?;
        print::out(&format!("job {:?} deleted", args.job));
        return Ok(());
    }
    let patch = Ask::path(format!("{path}?fieldManager={FIELD_MANAGER}"));
    let patch = patch.json("application/merge-patch+json", &json!({"spec": {"stop": true}}));
    connection.send(Method::PATCH, patch).await?;
    if !args.detach {
        wait::until(&connection, &path, Duration::from_secs(120), |job| {
            job["status"]["phase"] == "dead"
                && job["status"]["observedGeneration"] == job["metadata"]["generation"]
        })
        .await?;
    }
    print::out(&format!("job {:?} stopped", args.job));
    Ok(())
}

/// Gives a node up.
pub(super) async fn purge(global: &Global, args: &PurgeArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let kind = kinds::kind(&connection, "nodes").await?;
    let path = format!("{}/{}", kind.path(None), quoted(&args.node));
    connection.send(Method::DELETE, Ask::path(path)).await?;
    print::out(&format!("node {:?} purged", args.node));
    Ok(())
}

/// Lets a stopped job run again.
pub(super) async fn start(global: &Global, args: &StartArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let kind = kinds::kind(&connection, "jobs").await?;
    let target = files::Target { kind, namespace: global.namespace(), name: args.job.clone() };
    let job = connection.get(target.path()).await?;
    if job["spec"]["stop"] != true {
        print::out(&format!("job {:?} is not stopped", args.job));
        return Ok(());
    }
    apply::start(&connection, &target).await?;
    if args.detach {
        return Ok(());
    }
    monitor::follow(&connection, (&target.namespace, &target.name), None, None).await
}
