//! `encamp logs`: what tasks write, of one allocation or of all of a job.

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use super::connection::{Ask, CliError, Connection, ROOT, quoted};
use super::tree::Global;
use super::{kinds, print};

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// An allocation, or a job for all of its allocations.
    name: String,
    /// The task; without it, all of them.
    #[arg(value_name = "TASK")]
    task_word: Option<String>,
    /// The same as a flag.
    #[arg(long, conflicts_with = "task_word")]
    task: Option<String>,
    /// Go on printing what is written.
    #[arg(long, short = 'f')]
    follow: bool,
    /// What went to stderr instead of stdout.
    #[arg(long)]
    stderr: bool,
    /// Only the last lines; 10 if it is not said how many.
    #[arg(long, value_name = "LINES", num_args = 0..=1, default_missing_value = "10")]
    tail: Option<u64>,
    /// The name is that of a job, which is found out anyway; taken for Nomad's sake.
    #[arg(long, hide = true)]
    job: bool,
}

/// One stream of lines.
struct Stream {
    /// What stands before each of its lines, where there are several streams.
    name: String,
    path: String,
}

/// Prints logs.
pub(super) async fn logs(global: &Global, args: &LogsArgs) -> Result<(), CliError> {
    if let Some(number) = global.namespace.as_deref().filter(|word| word.parse::<u64>().is_ok()) {
        let message = format!("-n is the namespace; for the last {number} lines write --tail {number}");
        return Err(CliError::failed(message));
    }
    let connection = global.connect()?;
    let namespace = global.namespace();
    let list = connection.get(format!("{ROOT}/namespaces/{namespace}/allocations")).await?;
    let allocations: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
    let streams = streams(&choose(&allocations, &args.name)?, args, &namespace);
    let is_merged = streams.len() > 1;
    let mut printing = JoinSet::new();
    for stream in streams {
        let connection = connection.clone();
        if args.follow {
            printing.spawn(async move { copy(&connection, &stream, is_merged).await });
        } else {
            copy(&connection, &stream, is_merged).await?;
        }
    }
    while let Some(ended) = printing.join_next().await {
        ended.map_err(|error| CliError::failed(error.to_string()))??;
    }
    Ok(())
}

/// A stream for each task of each allocation.
fn streams(allocations: &[&Value], args: &LogsArgs, namespace: &str) -> Vec<Stream> {
    let named = args.task.as_ref().or(args.task_word.as_ref());
    let mut streams = Vec::new();
    for allocation in allocations {
        let name = name_of(allocation);
        let known = allocation["status"]["tasks"].as_object();
        let tasks: Vec<Option<&str>> = match (named, known) {
            (Some(task), _) => vec![Some(task)],
            (None, Some(known)) if !known.is_empty() => {
                known.keys().map(|task| Some(task.as_str())).collect()
            }
            (None, Some(_) | None) => vec![None],
        };
        let has_several = tasks.len() > 1;
        for task in tasks {
            let path = format!("{ROOT}/namespaces/{namespace}/allocations/{}/log", quoted(&name));
            let word = task.filter(|_| has_several).map(|task| format!(" {task}")).unwrap_or_default();
            streams.push(Stream {
                name: format!("{name}{word}"),
                path: format!("{path}?{}", query(args, task)),
            });
        }
    }
    streams
}

fn name_of(allocation: &Value) -> String {
    allocation["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// The allocation of that name (or a beginning of it that is unique), or the living ones of that job.
fn choose<'a>(allocations: &[&'a Value], name: &str) -> Result<Vec<&'a Value>, CliError> {
    if let Some(found) = allocations.iter().find(|allocation| name_of(allocation) == name) {
        return Ok(vec![*found]);
    }
    let all = || allocations.iter().copied();
    let of_job: Vec<&Value> = all().filter(|allocation| allocation["spec"]["job"] == name).collect();
    if !of_job.is_empty() {
        let living: Vec<&Value> =
            of_job.iter().copied().filter(|allocation| allocation["status"]["phase"] == "running").collect();
        let latest = of_job.iter().copied().rfind(|allocation| allocation["spec"]["node"].is_string());
        return match (living.is_empty(), latest) {
            (false, _) => Ok(living),
            (true, Some(latest)) => Ok(vec![latest]),
            (true, None) => Err(CliError::NotFound(format!("no allocation of job {name:?} has a node yet"))),
        };
    }
    let found: Vec<&Value> = all().filter(|allocation| name_of(allocation).starts_with(name)).collect();
    match found.as_slice() {
        [_] => Ok(found),
        [] => {
            let mut known: Vec<&str> =
                all().filter_map(|allocation| allocation["spec"]["job"].as_str()).collect();
            known.extend(all().filter_map(|allocation| allocation["metadata"]["name"].as_str()));
            let near = kinds::meant(name, &known);
            Err(CliError::NotFound(format!("no job or allocation is called {name:?}{near}")))
        }
        several => {
            let names: Vec<String> = several.iter().map(|allocation| name_of(allocation)).collect();
            Err(CliError::failed(format!("{name:?} may be any of {}", names.join(", "))))
        }
    }
}

fn query(args: &LogsArgs, task: Option<&str>) -> String {
    let mut query = format!("type={}", if args.stderr { "stderr" } else { "stdout" });
    if let Some(task) = task {
        query += &format!("&task={}", quoted(task));
    }
    if let Some(lines) = args.tail {
        query += &format!("&tailLines={lines}");
    }
    if args.follow {
        query += "&follow=true";
    }
    query
}

async fn copy(connection: &Connection, stream: &Stream, is_merged: bool) -> Result<(), CliError> {
    let ask = Ask { accept: "*/*", ..Ask::path(&stream.path) };
    let mut response = connection.send(Method::GET, ask).await?;
    let mut line = Vec::new();
    let mut broke = |error: reqwest::Error| CliError::failed(format!("the log broke off: {error}"));
    while let Some(chunk) = response.chunk().await.map_err(&mut broke)? {
        if !is_merged {
            print::bytes(&chunk);
            continue;
        }
        for byte in chunk {
            line.push(byte);
            if byte == b'\n' {
                print::raw(&format!("{} | {}", stream.name, String::from_utf8_lossy(&line)));
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        print::out(&format!("{} | {}", stream.name, String::from_utf8_lossy(&line)));
    }
    Ok(())
}
