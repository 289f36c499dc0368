//! `encamp status`: anything by the beginning of its name, as Nomad's users know it.

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::connection::{Ask, CliError, Connection, ROOT, quoted};
use super::tree::Global;
use super::{describe, kinds, print};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// A name or the beginning of one; without it, all jobs.
    name: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Every detail, which is always shown; taken for Nomad's sake.
    #[arg(long, hide = true)]
    verbose: bool,
}

/// One name.
#[derive(Debug, Args)]
pub(super) struct NameArgs {
    /// The job.
    pub name: String,
}

/// Where names are looked for, in this order.
const KINDS: [&str; 4] = ["jobs", "allocations", "nodes", "deployments"];

/// Shows one thing, or all of a kind (jobs if none is given).
pub(super) async fn status(global: &Global, args: &StatusArgs, kind: Option<&str>) -> Result<(), CliError> {
    let connection = global.connect()?;
    let Some(name) = &args.name else {
        return list(&connection, global, kind.unwrap_or("jobs"), "", args.json).await;
    };
    let looked = kind.map_or(KINDS.to_vec(), |kind| vec![kind]);
    let mut near = Vec::new();
    for word in &looked {
        let kind = kinds::kind(&connection, word).await?;
        let found = connection.get(kind.path(Some(&global.namespace()))).await?;
        let names: Vec<String> = found["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned))
            .collect();
        if names.contains(name) {
            return one(&connection, global, word, name, args.json).await;
        }
        near.extend(
            names
                .into_iter()
                .filter(|known| known.starts_with(name))
                .map(|known| ((*word).to_owned(), known)),
        );
    }
    match near.as_slice() {
        [(word, found)] => one(&connection, global, word, found, args.json).await,
        [] => {
            Err(CliError::NotFound(format!("nothing is called {name:?} (looked for {})", looked.join(", "))))
        }
        several => {
            let names: Vec<String> = several.iter().map(|(word, found)| format!("{word}/{found}")).collect();
            Err(CliError::failed(format!("{name:?} may be any of\n  {}", names.join("\n  "))))
        }
    }
}

async fn one(
    connection: &Connection,
    global: &Global,
    word: &str,
    name: &str,
    json: bool,
) -> Result<(), CliError> {
    if !json {
        return describe::one(connection, global, word, name).await;
    }
    let kind = kinds::kind(connection, word).await?;
    let document =
        connection.get(format!("{}/{}", kind.path(Some(&global.namespace())), quoted(name))).await?;
    print::print_document(&document, &print::Output::Json)
}

/// The documents of a kind that belong to a job.
pub(super) async fn of_job(global: &Global, kind: &str, job: Option<&str>) -> Result<(), CliError> {
    let query = job.map_or(String::new(), |job| format!("fieldSelector=spec.job%3D{}", quoted(job)));
    list(&global.connect()?, global, kind, &query, false).await
}

/// One job as JSON.
pub(super) async fn inspect(global: &Global, job: &str) -> Result<(), CliError> {
    let connection = global.connect()?;
    one(&connection, global, "jobs", job, true).await
}

async fn list(
    connection: &Connection,
    global: &Global,
    word: &str,
    query: &str,
    json: bool,
) -> Result<(), CliError> {
    let kind = kinds::kind(connection, word).await?;
    let path = format!("{}?{query}", kind.path(Some(&global.namespace())));
    if json {
        return print::print_document(&connection.get(path).await?, &print::Output::Json);
    }
    let table = table(connection, path).await?;
    if table["rows"].as_array().is_none_or(Vec::is_empty) {
        print::out(&format!("No {word}"));
    } else {
        print::print_table(&table, false, true, false);
    }
    Ok(())
}

/// A list as the table that the server makes of it.
pub(super) async fn table(connection: &Connection, path: String) -> Result<Value, CliError> {
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    connection.value(Method::GET, Ask { accept, ..Ask::path(path) }).await
}

/// The path of a kind in a namespace.
pub(super) fn path_of(namespace: &str, plural: &str) -> String {
    format!("{ROOT}/namespaces/{namespace}/{plural}")
}
