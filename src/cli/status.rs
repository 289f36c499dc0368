//! `encamp status`: anything by the beginning of its name, as Nomad's users know it.

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::connection::{Ask, CliError, Connection, ROOT, quoted};
use super::living::{self, Wanted};
use super::print::{self, Output};
use super::tree::Global;
use super::{describe, kinds};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// A name or the beginning of one; without it, all jobs.
    name: Option<String>,
    /// Also the allocations that have ended.
    #[arg(long, alias = "all-allocs")]
    all: bool,
    #[command(flatten)]
    form: Form,
}

/// Arguments of `node status`.
#[derive(Debug, Args)]
pub(super) struct NodeStatusArgs {
    #[command(flatten)]
    status: StatusArgs,
    /// The node that runs on this machine.
    #[arg(long = "self", conflicts_with = "name")]
    is_self: bool,
}

/// One name.
#[derive(Debug, Args)]
pub(super) struct NameArgs {
    /// The job.
    pub name: String,
    #[command(flatten)]
    pub form: Form,
}

/// Arguments of `job allocs`.
#[derive(Debug, Args)]
pub(super) struct AllocsArgs {
    #[command(flatten)]
    pub job: NameArgs,
    /// Also those that have ended.
    #[arg(long)]
    pub all: bool,
}

/// In which form to print.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Form {
    /// wide, json, yaml, name, jsonpath=TEMPLATE or custom-columns=HEADER:PATH,…
    #[arg(long, short = 'o', value_name = "FORM", default_value = "", hide_default_value = true)]
    output: String,
    /// The same as `-o json`.
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// Every detail, which is always shown; taken for Nomad's sake.
    #[arg(long, hide = true)]
    verbose: bool,
}

impl Form {
    /// What was asked for.
    pub(super) fn output(&self) -> Result<Output, CliError> {
        if self.json { Ok(Output::Json) } else { print::parse_output(&self.output) }
    }
}

/// How many unreadable documents `status` names.
const SHOWN: usize = 10;
/// Where names are looked for, in this order.
const KINDS: [&str; 4] = ["jobs", "allocations", "nodes", "deployments"];

/// Shows one thing, or all of a kind (jobs if none is given).
pub(super) async fn status(global: &Global, args: &StatusArgs, kind: Option<&str>) -> Result<(), CliError> {
    let connection = global.connect()?;
    let output = args.form.output()?;
    let Some(name) = &args.name else {
        if let Err(CliError::Failed(why)) = connection.send(Method::GET, Ask::path("/readyz")).await {
            print::talk(&format!("Warning: the server is not ready: {}", why.trim_end()));
        }
        let wanted = Wanted::of(args.all);
        list(&connection, global, (kind.unwrap_or("jobs"), ""), (&output, wanted)).await?;
        if output.is_table() {
            unreadable(&connection).await;
            abroad(&connection).await;
            open(&connection).await;
        }
        return Ok(());
    };
    let looked = kind.map_or(KINDS.to_vec(), |kind| vec![kind]);
    let mut near = Vec::new();
    let mut known = Vec::new();
    for word in &looked {
        let kind = kinds::kind(&connection, word).await?;
        let path = kind.path(Some(&global.namespace()));
        match connection.get(format!("{path}/{}", quoted(name))).await {
            Ok(_) => return one(&connection, global, (word, name), (&output, Wanted::of(args.all))).await,
            Err(CliError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        let names = names(&connection, path).await?;
        let begun = names.iter().filter(|known| known.starts_with(name));
        near.extend(begun.map(|known| (*word, known.clone())));
        known.extend(names);
    }
    match near.as_slice() {
        [(word, found)] => one(&connection, global, (word, found), (&output, Wanted::of(args.all))).await,
        [] => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let near = kinds::meant(name, &known);
            let looked = looked.join(", ");
            Err(CliError::NotFound(format!("nothing is called {name:?} (looked for {looked}){near}")))
        }
        several => {
            let names: Vec<String> = several.iter().map(|(word, found)| format!("{word}/{found}")).collect();
            Err(CliError::failed(format!("{name:?} may be any of\n  {}", names.join("\n  "))))
        }
    }
}

/// How many documents of the store cannot be read, if any. An older server does not say.
async fn unreadable(connection: &Connection) {
    let Ok(told) = connection.get(format!("{ROOT}/unreadable")).await else { return };
    let items = told["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return;
    }
    let count = &told["count"];
    let documents = if *count == 1 { "document" } else { "documents" };
    print::out(&format!("\n{count} {documents} cannot be read; `encamp operator store get KEY` shows one:"));
    for item in items.iter().take(SHOWN) {
        let word = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
        print::out(&format!("  {}: {}; {}; {}", word("key"), word("why"), word("meanwhile"), word("mended")));
    }
    if items.len() > SHOWN {
        print::out("  …");
    }
}

/// What stands open to whoever reaches it, if anything does. An older server does not say.
async fn open(connection: &Connection) {
    let Ok(told) = connection.get(format!("{ROOT}/exposure")).await else { return };
    for warning in told["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        print::out(&format!("\nWarning: {warning}"));
    }
}

/// How many nodes follow another store, if any. An older server does not say.
async fn abroad(connection: &Connection) {
    let Ok(store) = connection.get(format!("{ROOT}/store")).await else { return };
    let nodes = store["waiting"].as_array().map_or(0, Vec::len);
    if nodes > 0 {
        print::out(&format!(
            "\n{nodes} nodes follow another store and take nothing from this one; their tasks go on. More: \
             `encamp operator store status`"
        ));
    }
}

/// The names of all documents of a kind, without the documents.
async fn names(connection: &Connection, path: String) -> Result<Vec<String>, CliError> {
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let list = connection.value(Method::GET, Ask { accept, ..Ask::path(path) }).await?;
    let items = list["items"].as_array().into_iter().flatten();
    Ok(items.filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned)).collect())
}

/// Shows one node, or all.
pub(super) async fn nodes(global: &Global, args: &NodeStatusArgs) -> Result<(), CliError> {
    if !args.is_self {
        return status(global, &args.status, Some("nodes")).await;
    }
    let connection = global.connect()?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let nodes = connection.get(format!("{ROOT}/nodes")).await?;
    let here = nodes["items"].as_array().into_iter().flatten();
    let here = here.filter(|node| node["status"]["attributes"]["unique.hostname"] == host.as_str());
    let names: Vec<&str> = here.filter_map(|node| node["metadata"]["name"].as_str()).collect();
    match names.as_slice() {
        [name] => {
            let form = (&args.status.form.output()?, Wanted::of(args.status.all));
            one(&connection, global, ("nodes", name), form).await
        }
        [] => Err(CliError::NotFound(format!("no node runs on a machine that is called {host:?}"))),
        several => Err(CliError::failed(format!(
            "several nodes run on {host:?}; name one of\n  {}",
            several.join("\n  ")
        ))),
    }
}

async fn one(
    connection: &Connection,
    global: &Global,
    (word, name): (&str, &str),
    (output, wanted): (&Output, Wanted),
) -> Result<(), CliError> {
    if output.is_table() {
        return describe::one(connection, global, (word, name), wanted).await;
    }
    let kind = kinds::kind(connection, word).await?;
    let document =
        connection.get(format!("{}/{}", kind.path(Some(&global.namespace())), quoted(name))).await?;
    print::print_document(&document, output)
}

/// The documents of a kind that belong to a job.
pub(super) async fn of_job(
    global: &Global,
    (kind, more): (&str, &str),
    (args, wanted): (&NameArgs, Wanted),
) -> Result<(), CliError> {
    let connection = global.connect()?;
    let jobs = kinds::kind(&connection, "jobs").await?;
    // A job that is not there is an error, not an empty list.
    connection.get(format!("{}/{}", jobs.path(Some(&global.namespace())), quoted(&args.name))).await?;
    let query = format!("fieldSelector={}", quoted(&format!("spec.job={}{more}", args.name)));
    list(&connection, global, (kind, &query), (&args.form.output()?, wanted)).await
}

/// All rollouts.
pub(super) async fn deployments(global: &Global, form: &Form) -> Result<(), CliError> {
    list(&global.connect()?, global, ("deployments", ""), (&form.output()?, Wanted::All)).await
}

/// One job as a document.
pub(super) async fn inspect(global: &Global, args: &NameArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let asked = args.form.output()?;
    let output = if asked.is_table() { Output::Json } else { asked };
    one(&connection, global, ("jobs", &args.name), (&output, Wanted::All)).await
}

async fn list(
    connection: &Connection,
    global: &Global,
    (word, query): (&str, &str),
    (output, wanted): (&Output, Wanted),
) -> Result<(), CliError> {
    let kind = kinds::kind(connection, word).await?;
    let path = format!("{}?{query}", kind.path(Some(&global.namespace())));
    if !output.is_table() {
        return print::print_document(&connection.get(path).await?, output);
    }
    let mut table = table(connection, path).await?;
    let left_out = living::first(&mut table, &kind.plural, wanted);
    if table["rows"].as_array().is_none_or(Vec::is_empty) {
        print::out(&format!("No {word}"));
    } else {
        let wide = *output == Output::Wide;
        print::print_table(&table, print::Columns { wide, header: true, ..Default::default() });
    }
    left_out.iter().for_each(|told| print::talk(told));
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
