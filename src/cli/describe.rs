//! `encamp describe`: one document, what belongs to it, and what happened to it.

use clap::Args;
use serde_json::Value;

use super::connection::{CliError, Connection, quoted};
use super::living::{self, Wanted};
use super::tree::Global;
use super::{kinds, print, status};

/// Arguments of `describe`.
#[derive(Debug, Args)]
pub(super) struct DescribeArgs {
    /// KIND NAME… or KIND/NAME…
    #[arg(required = true)]
    what: Vec<String>,
    /// Also the allocations that have ended.
    #[arg(long)]
    all: bool,
}

/// Describes each.
pub(super) async fn describe(global: &Global, args: &DescribeArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let mut is_first = true;
    for (word, names) in kinds::split(&args.what)? {
        if names.is_empty() {
            return Err(CliError::failed("name what to describe, as in `encamp describe job web`"));
        }
        for name in names {
            if !std::mem::replace(&mut is_first, false) {
                print::out("");
            }
            one(&connection, global, (&word, &name), Wanted::of(args.all)).await?;
        }
    }
    Ok(())
}

/// Describes one document.
pub(super) async fn one(
    connection: &Connection,
    global: &Global,
    (word, name): (&str, &str),
    wanted: Wanted,
) -> Result<(), CliError> {
    let kind = kinds::kind(connection, word).await?;
    let namespace = global.namespace();
    let document = connection.get(format!("{}/{}", kind.path(Some(&namespace)), quoted(name))).await?;
    facts(&document);
    conditions(&document);
    if let Some(groups) = document["status"]["groups"].as_object() {
        section("Groups");
        objects("GROUP", groups);
    }
    if kind.plural == "jobs" {
        belonging(connection, &namespace, ("deployments", "spec.job", name), wanted).await?;
        belonging(connection, &namespace, ("allocations", "spec.job", name), wanted).await?;
    }
    if kind.plural == "allocations" {
        tasks(&document);
    }
    if kind.plural == "nodes" {
        capabilities(&document["status"]);
        belonging(connection, &namespace, ("allocations", "spec.node", name), wanted).await?;
    }
    events(connection, &namespace, name).await
}

/// The fields of metadata, spec and status that are one word.
fn facts(document: &Value) {
    let metadata = &document["metadata"];
    let mut lines: Vec<(String, String)> = vec![("Name".to_owned(), word(&metadata["name"]))];
    let mut add = |name: &str, value: &Value| {
        if !matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) && !word(value).is_empty() {
            lines.push((title(name), word(value)));
        }
    };
    add("namespace", &metadata["namespace"]);
    add("created", &metadata["creationTimestamp"]);
    for part in ["spec", "status"] {
        for (name, value) in document[part].as_object().into_iter().flatten() {
            add(name, value);
        }
    }
    for part in ["labels", "annotations"] {
        for (name, value) in metadata[part].as_object().into_iter().flatten() {
            lines.push((title(part.trim_end_matches('s')), format!("{name}={}", word(value))));
        }
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().for_each(|(name, value)| print::out(&format!("{name:<width$} = {value}")));
}

fn conditions(document: &Value) {
    let Some(list) = document["status"]["conditions"].as_array().filter(|list| !list.is_empty()) else {
        return;
    };
    section("Conditions");
    let rows: Vec<Vec<String>> = list
        .iter()
        .map(|condition| {
            ["type", "status", "reason", "message"].map(|field| word(&condition[field])).to_vec()
        })
        .collect();
    rows_under(&["TYPE", "STATUS", "REASON", "MESSAGE"], &rows);
}

/// Objects that all have the same one-word fields, one a row.
fn objects(first: &str, all: &serde_json::Map<String, Value>) {
    let fields: Vec<String> = all
        .values()
        .next()
        .and_then(Value::as_object)
        .map(|object| object.keys().cloned().collect())
        .unwrap_or_default();
    let mut header = vec![first.to_owned()];
    header.extend(fields.iter().map(|field| title(field).to_uppercase()));
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|(name, object)| {
            std::iter::once(name.clone()).chain(fields.iter().map(|field| word(&object[field]))).collect()
        })
        .collect();
    print::columns(&header, &rows, true).iter().for_each(|line| print::out(line));
}

async fn belonging(
    connection: &Connection,
    namespace: &str,
    (plural, field, name): (&str, &str, &str),
    wanted: Wanted,
) -> Result<(), CliError> {
    let path = format!("{}?fieldSelector={field}%3D{}", status::path_of(namespace, plural), quoted(name));
    let mut table = status::table(connection, path).await?;
    let left_out = living::first(&mut table, plural, wanted);
    if table["rows"].as_array().is_some_and(|rows| !rows.is_empty()) {
        section(&title(plural));
        print::print_table(&table, print::Columns { header: true, ..Default::default() });
    }
    left_out.iter().for_each(|told| print::out(told));
    Ok(())
}

/// What a node has, what of it is taken, and which drivers it offers.
fn capabilities(status: &Value) {
    section("Resources");
    let amounts = |name: &str| ["cpu", "memory", "disk"].map(|field| word(&status[name][field]));
    let rows: Vec<Vec<String>> = [("Used", "used"), ("Allocatable", "allocatable"), ("Capacity", "capacity")]
        .into_iter()
        .map(|(shown, name)| std::iter::once(shown.to_owned()).chain(amounts(name)).collect())
        .collect();
    rows_under(&["", "CPU (MHz)", "MEMORY (MB)", "DISK (MB)"], &rows);
    section("Drivers");
    let drivers = status["drivers"].as_object().into_iter().flatten();
    let rows: Vec<Vec<String>> = drivers
        .map(|(name, driver)| {
            let fields = ["detected", "healthy", "reason"].map(|field| word(&driver[field]));
            std::iter::once(name.clone()).chain(fields).collect()
        })
        .collect();
    rows_under(&["NAME", "DETECTED", "HEALTHY", "MESSAGE"], &rows);
}

/// The tasks of an allocation and the last things that happened to each.
fn tasks(allocation: &Value) {
    if let Some(ports) = allocation["spec"]["ports"].as_array().filter(|ports| !ports.is_empty()) {
        section("Ports");
        let rows: Vec<Vec<String>> = ports
            .iter()
            .map(|port| {
                let address = format!("{}:{}", word(&port["hostIp"]), word(&port["hostPort"]));
                vec![word(&port["label"]), address, word(&port["to"])]
            })
            .collect();
        rows_under(&["LABEL", "ADDRESS", "TO"], &rows);
    }
    for (name, task) in allocation["status"]["tasks"].as_object().into_iter().flatten() {
        section(&format!(
            "Task {name:?} is {}, {}",
            word(&task["state"]),
            match task["restarts"].as_u64().unwrap_or_default() {
                0 => "never restarted".to_owned(),
                1 => "restarted once".to_owned(),
                many => format!("restarted {many} times"),
            }
        ));
        let events: Vec<Vec<String>> = task["events"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|event| ["time", "type", "message"].map(|field| word(&event[field])).to_vec())
            .collect();
        rows_under(&["TIME", "TYPE", "DESCRIPTION"], &events);
    }
}

async fn events(connection: &Connection, namespace: &str, name: &str) -> Result<(), CliError> {
    let path = format!(
        "{}?fieldSelector=involvedObject.name%3D{}",
        status::path_of(namespace, "events"),
        quoted(name)
    );
    let list = match connection.get(path).await {
        Err(CliError::NotFound(_)) => return Ok(()),
        other => other?,
    };
    let mut events: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
    events.sort_by_cached_key(|event| (event["eventTime"].to_string(), word(&event["message"])));
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| ["lastTimestamp", "type", "reason", "message"].map(|field| word(&event[field])).to_vec())
        .collect();
    if !rows.is_empty() {
        section("Events");
        let last = rows.len().saturating_sub(10);
        rows_under(&["TIME", "TYPE", "REASON", "MESSAGE"], &rows[last..]);
    }
    Ok(())
}

fn rows_under(header: &[&str], rows: &[Vec<String>]) {
    let header: Vec<String> = header.iter().map(|word| (*word).to_owned()).collect();
    print::columns(&header, rows, true).iter().for_each(|line| print::out(line));
}

fn section(name: &str) {
    print::out(&format!("\n{name}"));
}

/// `observedGeneration` as `Observed Generation`.
fn title(field: &str) -> String {
    let mut out = String::new();
    for (at, letter) in field.char_indices() {
        if at == 0 {
            out.extend(letter.to_uppercase());
        } else {
            if letter.is_uppercase() {
                out.push(' ');
            }
            out.push(letter);
        }
    }
    out
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => without_fraction(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A time to the second, which is what people read; any other text as it is.
fn without_fraction(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, rest)) if rest.ends_with('Z') && whole.parse::<jiff::civil::DateTime>().is_ok() => {
            format!("{whole}Z")
        }
        Some(_) | None => text.to_owned(),
    }
}
