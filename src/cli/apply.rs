//! `encamp apply` and `encamp run`: server-side apply, then follow.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::connection::{Ask, CliError, Connection, FIELD_MANAGER};
use super::dry_run::{DryRun, DryRunArgs};
use super::files::{self, FileDocument, Target};
use super::tree::{FileArgs, Global};
use super::{monitor, print};

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// Files or folders; `-` is stdin.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The same, as kubectl spells it.
    #[arg(long, short = 'f', value_name = "FILE")]
    filename: Vec<PathBuf>,
    #[command(flatten)]
    variables: FileArgs,
    #[command(flatten)]
    how: How,
    /// Follow the jobs until they are healthy; exit code 2 if they do not become so.
    #[arg(long)]
    wait: bool,
    /// How long to follow at most.
    #[arg(long, value_name = "DURATION", requires = "wait")]
    timeout: Option<schemas::duration::Duration>,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The job file; `-` is stdin.
    file: PathBuf,
    #[command(flatten)]
    variables: FileArgs,
    #[command(flatten)]
    how: How,
    /// Return at once instead of following the job.
    #[arg(long)]
    detach: bool,
}

/// How to apply.
#[derive(Clone, Debug, Default, Args)]
struct How {
    /// Take over fields that another manager owns.
    #[arg(long)]
    force_conflicts: bool,
    /// Who owns the fields.
    #[arg(long, default_value = FIELD_MANAGER)]
    field_manager: String,
    /// Only if the job is still at this resource version (Nomad's -check-index; 0: only if it does not exist).
    #[arg(long, alias = "check-index", value_name = "N")]
    if_version: Option<String>,
    #[command(flatten)]
    dry: DryRunArgs,
    /// json, yaml or name: the documents as the server has them, instead of a sentence about each.
    #[arg(long, short = 'o', value_name = "FORM", default_value = "", hide_default_value = true)]
    output: String,
    /// Every detail, which is always shown; taken for Nomad's sake.
    #[arg(long, hide = true)]
    verbose: bool,
}

/// Applies files.
pub(super) async fn apply(global: &Global, args: &ApplyArgs) -> Result<(), CliError> {
    let paths: Vec<PathBuf> = args.files.iter().chain(&args.filename).cloned().collect();
    if paths.is_empty() {
        return Err(CliError::failed("name a file, as in `encamp apply web.hcl`"));
    }
    let documents = files::read(&paths, &args.variables)?;
    if args.how.dry.dry_run == DryRun::Client {
        return documents.iter().try_for_each(|document| look_at(global, document, &args.how));
    }
    let connection = global.connect()?;
    let mut applied = Vec::new();
    for document in &documents {
        let Applied { target, version, is_stopped } = one(&connection, global, document, &args.how).await?;
        if is_stopped {
            print::talk(&format!("job {0:?} stays stopped; `encamp job start {0}` lets it run", target.name));
        }
        applied.push((target, version));
    }
    if args.wait && args.how.dry.dry_run == DryRun::None {
        for (target, version) in applied.iter().filter(|(target, _)| target.kind.singular == "job") {
            let timeout = args.timeout.map(schemas::duration::Duration::to_std);
            let job = (target.namespace.as_str(), target.name.as_str());
            monitor::follow(&connection, job, *version, timeout).await?;
        }
    }
    Ok(())
}

/// Applies one job and follows it.
pub(super) async fn run(global: &Global, args: &RunArgs) -> Result<(), CliError> {
    let documents = files::read(std::slice::from_ref(&args.file), &args.variables)?;
    if args.how.dry.dry_run == DryRun::Client {
        return documents.iter().try_for_each(|document| look_at(global, document, &args.how));
    }
    let is_dry = args.how.dry.dry_run != DryRun::None;
    let connection = global.connect()?;
    for document in documents {
        let Applied { target, version, is_stopped } = one(&connection, global, &document, &args.how).await?;
        let declares_stop = document.value()["spec"]["stop"] == true;
        if is_stopped && !declares_stop && !is_dry {
            start(&connection, &target).await?;
        }
        if args.detach || is_dry {
            continue;
        }
        let following = monitor::follow(&connection, (&target.namespace, &target.name), version, None);
        tokio::select! { biased;
            result = following => result?,
            _ = tokio::signal::ctrl_c() => {
                print::talk(&format!("no longer following; the job goes on: encamp status {}", target.name));
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Says what would be sent, as far as it can be told without the server.
fn look_at(global: &Global, document: &FileDocument, how: &How) -> Result<(), CliError> {
    document.check()?;
    let mut value = document.value().clone();
    if let (None, Some(namespace)) = (value["metadata"]["namespace"].as_str(), global.named_namespace()) {
        value["metadata"]["namespace"] = Value::from(namespace);
    }
    let output = print::parse_output(&how.output)?;
    if output != print::Output::Table {
        return print::print_document(&value, &output);
    }
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (word(&value["kind"]).to_lowercase(), word(&value["metadata"]["name"]));
    print::out(&format!("{kind} {name:?} is valid{}", how.dry.dry_run.mark()));
    Ok(())
}

async fn one(
    connection: &Connection,
    global: &Global,
    document: &FileDocument,
    how: &How,
) -> Result<Applied, CliError> {
    let target = document.target(connection, global).await?;
    let before = existing(connection, &target).await?;
    let mut value = document.value().clone();
    check_version(how, before.as_ref(), &target)?;
    if let (Some(version), Some(_)) = (&how.if_version, &before) {
        value["metadata"]["resourceVersion"] = Value::from(version.clone());
    }
    let sent = send(connection, &target, &value, how).await;
    let answer = sent.map_err(|error| with_ways_out(document.explained(error)))?;
    let version = answer["metadata"]["generation"].as_u64();
    let output = print::parse_output(&how.output)?;
    if output != print::Output::Table {
        print::print_document(&answer, &output)?;
        return Ok(Applied { target, version, is_stopped: answer["spec"]["stop"] == true });
    }
    let done = match &before {
        None => "created",
        Some(before) if is_same(before, &answer) => "unchanged",
        Some(_) => "configured",
    };
    let mark = how.dry.dry_run.mark();
    print::out(&format!("{} {:?} {done}{mark}", target.kind.singular, target.name));
    Ok(Applied { target, version, is_stopped: answer["spec"]["stop"] == true })
}

/// A conflict with what is to be done about it.
pub(super) fn with_ways_out(error: CliError) -> CliError {
    if let CliError::Conflict(message) = &error
        && message.starts_with("Apply failed")
    {
        let keep = "leave the field out of the file to keep what the other set";
        return CliError::Conflict(format!("{message}\n  {keep}, or take it over with --force-conflicts"));
    }
    error
}

/// What came of a document.
struct Applied {
    target: Target,
    /// The version that it is now.
    version: Option<u64>,
    /// It is a job that somebody stopped, and the file does not say otherwise.
    is_stopped: bool,
}

/// Whether two answers of the server declare the same; versions and status may differ.
fn is_same(before: &Value, after: &Value) -> bool {
    let metadata = ["labels", "annotations"].iter().all(|part| {
        let (before, after) = (&before["metadata"][part], &after["metadata"][part]);
        before == after
    });
    metadata && before["spec"] == after["spec"]
}

/// Lets a stopped job run again: `stop` is a word of the command line, which no file takes back.
pub(super) async fn start(connection: &Connection, target: &Target) -> Result<(), CliError> {
    let patch = Ask::path(format!("{}?fieldManager={FIELD_MANAGER}", target.path()));
    let patch = patch.json("application/merge-patch+json", &json!({"spec": {"stop": null}}));
    connection.send(Method::PATCH, patch).await?;
    print::talk(&format!("job {:?} was stopped and starts again", target.name));
    Ok(())
}

async fn existing(connection: &Connection, target: &Target) -> Result<Option<Value>, CliError> {
    match connection.get(target.path()).await {
        Ok(value) => Ok(Some(value)),
        Err(CliError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn check_version(how: &How, before: Option<&Value>, target: &Target) -> Result<(), CliError> {
    let Some(wanted) = &how.if_version else { return Ok(()) };
    let found =
        before.map_or("0", |before| before["metadata"]["resourceVersion"].as_str().unwrap_or_default());
    if wanted == found {
        return Ok(());
    }
    Err(CliError::Conflict(format!(
        "{} {:?} is at version {found}, not {wanted}: it was changed since you looked; plan again",
        target.kind.singular, target.name
    )))
}

/// What applying a document would make of it.
pub(super) async fn foresee(
    connection: &Connection,
    target: &Target,
    value: &Value,
) -> Result<Value, CliError> {
    let how = How {
        field_manager: FIELD_MANAGER.to_owned(),
        force_conflicts: true,
        dry: DryRunArgs { dry_run: DryRun::Server },
        ..How::default()
    };
    send(connection, target, value, &how).await
}

async fn send(connection: &Connection, target: &Target, value: &Value, how: &How) -> Result<Value, CliError> {
    let manager = super::connection::quoted(&how.field_manager);
    let dry = if how.dry.dry_run == DryRun::None { "" } else { "&dryRun=All" };
    let path = format!(
        "{}?fieldManager={manager}&fieldValidation=Strict&force={}{dry}",
        target.path(),
        how.force_conflicts
    );
    let mut value = value.clone();
    value["metadata"]["namespace"] = Value::from(target.namespace.clone());
    connection.value(Method::PATCH, Ask::path(path).json("application/apply-patch+yaml", &value)).await
}

/// The exit code of an answer that is `changes` or not.
pub(super) fn changes_code(changes: bool) -> ExitCode {
    ExitCode::from(u8::from(changes))
}
