//! `encamp operator store`: which history of documents the servers hold, and who follows it.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::super::connection::{Ask, CliError, ROOT};
use super::super::print;
use super::super::tree::Global;

/// What is done about the store.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StoreCommand {
    /// Show the store's epoch, those it follows, and the nodes that wait for it to be accepted.
    Status,
    /// Say, once, that the store was restored from a backup: agents follow it by themselves then.
    Restored,
    /// Say, once, that nodes which run tasks of another store follow this one: tasks it does not know are ended.
    Accept(AcceptArgs),
}

/// Arguments of `accept`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AcceptArgs {
    /// The one epoch to accept. Default: all that waiting nodes follow.
    #[arg(long, value_name = "EPOCH")]
    epoch: Option<String>,
}

/// Does it.
pub(super) async fn run(global: &Global, command: &StoreCommand) -> Result<(), CliError> {
    let connection = global.connect()?;
    let path = format!("{ROOT}/store");
    let post = |verb: &str, body: &Value| Ask::path(format!("{path}/{verb}")).json("application/json", body);
    match command {
        StoreCommand::Status => print::out(&told(&connection.get(&path).await?)),
        StoreCommand::Restored => {
            let ask = post("restored", &json!({"by": who()}));
            print::out(&told(&connection.value(Method::POST, ask).await?));
        }
        StoreCommand::Accept(AcceptArgs { epoch }) => {
            let ask = post("accept", &json!({"by": who(), "epoch": epoch}));
            print::out(&told(&connection.value(Method::POST, ask).await?));
        }
    }
    Ok(())
}

/// Who says it, as far as this machine knows: for the record, not for any right.
fn who() -> String {
    let user = std::env::var("USER").unwrap_or_default();
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let name = if user.is_empty() { host.into_owned() } else { format!("{user}@{host}") };
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// The store in sentences.
fn told(store: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!("Epoch: {}", text(&store["epoch"]))];
    for ancestor in store["ancestors"].as_array().into_iter().flatten() {
        let [id, reason, at, by] = ["id", "reason", "at", "by"].map(|field| text(&ancestor[field]));
        let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
        lines.push(format!("  follows {id} ({reason} {at}{by})"));
    }
    let waiting: Vec<&Value> = store["waiting"].as_array().into_iter().flatten().collect();
    if waiting.is_empty() {
        lines.push("Every node follows it.".to_owned());
    } else {
        lines.push(format!(
            "{} nodes follow another store and take nothing from this one; their tasks go on:",
            waiting.len()
        ));
        lines.extend(
            waiting
                .iter()
                .map(|node| format!("  {} follows {}", text(&node["node"]), text(&node["follows"]))),
        );
        lines.push("If this store is the right one: encamp operator store accept".to_owned());
    }
    lines.join("\n")
}
