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
    let mut told = Vec::new();
    for stream in streams {
        let connection = connection.clone();
        if args.follow {
            printing.spawn(async move { copy(&connection, &stream, is_merged).await });
        } else {
            told.push(copy(&connection, &stream, is_merged).await);
        }
    }
    while let Some(ended) = printing.join_next().await {
        told.push(ended.map_err(|error| CliError::failed(error.to_string()))?);
    }
    // One that cannot be read does not hide the others.
    let mut refused = told.into_iter().filter_map(Result::err);
    let first = refused.next();
    refused.for_each(|more| print::talk(&more.to_string()));
    first.map_or(Ok(()), Err)
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

/// The last allocation of each slot that had a node: what to read where nothing runs any more.
fn last_of_each<'a>(of_job: &[&'a Value]) -> Vec<&'a Value> {
    let mut last: Vec<&Value> = Vec::new();
    for one in of_job.iter().copied().filter(|allocation| allocation["spec"]["node"].is_string()) {
        match last.iter_mut().find(|known| slot(known) == slot(one)) {
            Some(known) if turn(known) < turn(one) => *known = one,
            Some(_) => {}
            None => last.push(one),
        }
    }
    last
}

fn slot(allocation: &Value) -> (&Value, &Value) {
    (&allocation["spec"]["group"], &allocation["spec"]["index"])
}

/// The later of two of one slot has the greater one.
fn turn(allocation: &Value) -> (Option<u64>, Option<u64>) {
    (allocation["spec"]["version"].as_u64(), allocation["spec"]["attempt"].as_u64())
}

/// The allocation of that name (or a beginning of it that is unique), or the running ones of that job; if none runs,
/// the last of each of its slots.
fn choose<'a>(allocations: &[&'a Value], name: &str) -> Result<Vec<&'a Value>, CliError> {
    if let Some(found) = allocations.iter().find(|allocation| name_of(allocation) == name) {
        return Ok(vec![*found]);
    }
    let all = || allocations.iter().copied();
    let of_job: Vec<&Value> = all().filter(|allocation| allocation["spec"]["job"] == name).collect();
    if !of_job.is_empty() {
        let living: Vec<&Value> =
            of_job.iter().copied().filter(|allocation| allocation["status"]["phase"] == "running").collect();
        let chosen = if living.is_empty() { last_of_each(&of_job) } else { living };
        if chosen.is_empty() {
            return Err(CliError::NotFound(format!("no allocation of job {name:?} has a node yet")));
        }
        return Ok(chosen);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn where_nothing_runs_the_last_of_each_slot_is_read() {
        let chosen = |picture: &str| {
            let of = |line: &str| {
                let words: Vec<&str> = line.split(' ').collect();
                let [group, index, version, attempt, phase] = words[..] else { panic!("`{line}`") };
                let (version, attempt): (u64, u64) = (version.parse().unwrap(), attempt.parse().unwrap());
                let mut one = json!({
                    "metadata": {"name": format!("web.{group}.{index}-v{version}.{attempt}")},
                    "spec": {"job": "web", "group": group, "index": index, "version": version, "attempt": attempt},
                    "status": {"phase": phase},
                });
                if phase != "pending" {
                    one["spec"]["node"] = json!("n1");
                }
                one
            };
            let all: Vec<Value> = picture.split('|').map(str::trim).map(of).collect();
            let all: Vec<&Value> = all.iter().collect();
            match choose(&all, "web") {
                Ok(chosen) => chosen.into_iter().map(name_of).collect::<Vec<_>>().join(" "),
                Err(error) => error.to_string(),
            }
        };
        let ended = "api 0 1 0 failed | api 0 1 1 complete | api 1 1 0 complete | db 0 1 0 failed | api 2 1 0 pending";
        assert_eq!(chosen(ended), "web.api.0-v1.1 web.api.1-v1.0 web.db.0-v1.0");
        let rolled = "api 0 2 0 complete | api 0 10 0 complete";
        assert_eq!(chosen(rolled), "web.api.0-v10.0");
        assert_eq!(chosen(&format!("{ended} | db 0 1 1 running")), "web.db.0-v1.1");
        assert_eq!(chosen("api 0 1 0 pending"), "no allocation of job \"web\" has a node yet");
    }
}
