//! `encamp logs`: what tasks write, of one allocation or of all of a job.

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use super::connection::{Ask, CliError, Connection, ROOT, quoted};
use super::print;
use super::tree::Global;

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// An allocation, or a job for all of its allocations.
    name: String,
    /// The task, where there are several.
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
    /// Only the last lines.
    #[arg(long, value_name = "LINES")]
    tail: Option<u64>,
}

/// One stream of lines.
struct Stream {
    allocation: String,
    path: String,
}

/// Prints logs.
pub(super) async fn logs(global: &Global, args: &LogsArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let namespace = global.namespace();
    let list = connection.get(format!("{ROOT}/namespaces/{namespace}/allocations")).await?;
    let allocations: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
    let chosen = choose(&allocations, &args.name)?;
    let is_merged = chosen.len() > 1;
    let streams = chosen.into_iter().map(|allocation| Stream {
        path: format!(
            "{ROOT}/namespaces/{namespace}/allocations/{}/log?{}",
            quoted(&allocation),
            query(args)
        ),
        allocation,
    });
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

/// The allocation of that name (or a beginning of it that is unique), or the living ones of that job.
fn choose(allocations: &[&Value], name: &str) -> Result<Vec<String>, CliError> {
    let name_of = |allocation: &Value| allocation["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = allocations.iter().map(|allocation| name_of(allocation)).collect();
    if names.iter().any(|known| known == name) {
        return Ok(vec![name.to_owned()]);
    }
    let of_job: Vec<&&Value> =
        allocations.iter().filter(|allocation| allocation["spec"]["job"] == name).collect();
    if !of_job.is_empty() {
        let living: Vec<String> = of_job
            .iter()
            .filter(|allocation| allocation["status"]["phase"] == "running")
            .map(|allocation| name_of(allocation))
            .collect();
        let placed = of_job.iter().filter(|allocation| allocation["spec"]["node"].is_string());
        let latest = placed.map(|allocation| name_of(allocation)).next_back();
        return match (living.is_empty(), latest) {
            (false, _) => Ok(living),
            (true, Some(latest)) => Ok(vec![latest]),
            (true, None) => Err(CliError::NotFound(format!("no allocation of job {name:?} has a node yet"))),
        };
    }
    match names.iter().filter(|known| known.starts_with(name)).cloned().collect::<Vec<_>>() {
        found if found.len() == 1 => Ok(found),
        found if found.is_empty() => {
            Err(CliError::NotFound(format!("no job or allocation is called {name:?}")))
        }
        found => Err(CliError::failed(format!("{name:?} may be any of {}", found.join(", ")))),
    }
}

fn query(args: &LogsArgs) -> String {
    let mut query = format!("type={}", if args.stderr { "stderr" } else { "stdout" });
    if let Some(task) = args.task.as_ref().or(args.task_word.as_ref()) {
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
                print::raw(&format!("{} | {}", stream.allocation, String::from_utf8_lossy(&line)));
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        print::out(&format!("{} | {}", stream.allocation, String::from_utf8_lossy(&line)));
    }
    Ok(())
}
