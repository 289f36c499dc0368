//! `encamp operator store status|restored|accept`: which history of documents the servers hold, and who follows it.

use clap::Args;
use plan::Write;
use reqwest::Method;
use schemas::epoch::Epoch;
use schemas::key::{Key, Prefix};
use serde_json::{Value, json};

use crate::connection::{Ask, CliError, ROOT};
use crate::print;
use crate::tree::Global;
use store::{Embedded, Store as _, Txn};

/// Arguments of `accept`.
#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// The one epoch to accept. Default: all that waiting nodes follow.
    #[arg(long, value_name = "EPOCH")]
    epoch: Option<String>,
}

/// Shows the epoch.
pub(super) async fn status(global: &Global) -> Result<(), CliError> {
    let store = global.connect()?.get(format!("{ROOT}/store")).await?;
    print::out(&told(&store));
    Ok(())
}

/// Says that the store was restored.
pub(super) async fn restored(global: &Global) -> Result<(), CliError> {
    say(global, "restored", &json!({"by": who()})).await
}

/// Says it of a store that no server holds.
pub(super) async fn restored_in(store: &Embedded) -> Result<(), CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::failed(error.to_string());
    let key = Key::epoch();
    let listing = store.list(&Prefix::one(&key)).await.map_err(|error| failed(&error))?;
    let current = listing.entries.first().map(|entry| Epoch::read(&entry.value)).transpose();
    let current = current.map_err(|error| failed(&error))?.unwrap_or_default();
    let next = current.restored(uuid::Uuid::new_v4().to_string(), (jiff::Timestamp::now(), who()));
    let txn = Txn { guards: Vec::new(), writes: vec![Write::put(key, &next)] };
    store.commit(txn).await.map_err(|error| failed(&error))?;
    print::out(&told(&json!({"epoch": next.id, "ancestors": next.ancestors})));
    Ok(())
}

/// Accepts the store in the place of others.
pub(super) async fn accept(global: &Global, args: &AcceptArgs) -> Result<(), CliError> {
    say(global, "accept", &json!({"by": who(), "epoch": args.epoch})).await
}

async fn say(global: &Global, verb: &str, word: &Value) -> Result<(), CliError> {
    let ask = Ask::path(format!("{ROOT}/store/{verb}")).json("application/json", word);
    print::out(&told(&global.connect()?.value(Method::POST, ask).await?));
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
