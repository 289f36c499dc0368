//! `encamp operator brake` and `encamp operator heartbeat`: how silence of nodes is judged.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::connection::{Ask, CliError, ROOT};
use crate::print;
use crate::tree::Global;

/// What can be done with the brake.
#[derive(Debug, Subcommand)]
pub(crate) enum BrakeCommand {
    /// Whether it holds, since when, and for which nodes.
    Status(StatusArgs),
    /// Give up all silent nodes at once: their allocations are replaced elsewhere.
    Release(ReleaseArgs),
}

/// Arguments of `operator brake status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `operator brake release`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// Who says so, for the record. Default: the name of the user.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Arguments of `operator heartbeat`.
#[derive(Debug, Args)]
pub(crate) struct HeartbeatArgs {
    /// How long a node may be silent, from 4s to 24h.
    #[arg(long, value_name = "DURATION")]
    grace: Option<String>,
    /// How long a node may be silent that a server has not heard since it started, took over or was paused.
    #[arg(long, value_name = "DURATION")]
    restart_grace: Option<String>,
    /// Whether there is a brake.
    #[arg(long, value_name = "BOOL")]
    brake: Option<bool>,
    /// From which share of all nodes the brake holds.
    #[arg(long, value_name = "PERCENT")]
    brake_percent: Option<u32>,
    /// In clusters of how many nodes there is a brake.
    #[arg(long, value_name = "COUNT")]
    brake_min_nodes: Option<u32>,
    /// While it holds, one node at most is given up in this time.
    #[arg(long, value_name = "DURATION")]
    brake_one_node_every: Option<String>,
}

/// Does what was asked with the brake.
pub(super) async fn brake(global: &Global, command: BrakeCommand) -> Result<(), CliError> {
    match command {
        BrakeCommand::Status(args) => status(global, &args).await,
        BrakeCommand::Release(args) => release(global, args).await,
    }
}

async fn status(global: &Global, args: &StatusArgs) -> Result<(), CliError> {
    let brake = global.connect()?.get(format!("{ROOT}/brakes/nodes")).await?;
    let text = if args.json { brake["status"].to_string() } else { told(&brake["status"]) };
    print::out(&text);
    Ok(())
}

fn told(status: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names: Vec<&str> =
        status["waiting"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let waiting = format!("{} silent nodes wait: {}", names.len(), names.join(", "));
    if let Some(by) = status["release"]["by"].as_str() {
        return format!("the brake was released by {by} at {}\n{waiting}", word(&status["release"]["at"]));
    }
    if status["holds"] != json!(true) {
        return "the brake does not hold".to_owned();
    }
    let next = match status["next"].as_str() {
        Some(next) => format!("the next is given up at {next}"),
        None => "none is given up while all nodes are silent".to_owned(),
    };
    let advice = "`encamp operator brake release` gives them up at once";
    format!("the brake holds since {}\n{waiting}\n{next}; {advice}", word(&status["since"]))
}

async fn release(global: &Global, args: ReleaseArgs) -> Result<(), CliError> {
    let by = args.by.or_else(|| std::env::var("USER").ok()).unwrap_or_default();
    let ask = Ask::path(format!("{ROOT}/brakes/nodes/release")).json("application/json", &json!({"by": by}));
    let brake = global.connect()?.value(Method::POST, ask).await?;
    print::out(&told(&brake["status"]));
    Ok(())
}

/// Shows the settings, changed if anything is said.
pub(super) async fn heartbeat(global: &Global, args: HeartbeatArgs) -> Result<(), CliError> {
    let HeartbeatArgs { grace, restart_grace, brake, brake_percent, brake_min_nodes, brake_one_node_every } =
        args;
    let brake = said([
        ("enabled", brake.map(Value::from)),
        ("percent", brake_percent.map(Value::from)),
        ("minNodes", brake_min_nodes.map(Value::from)),
        ("oneNodeEvery", brake_one_node_every.map(Value::from)),
    ]);
    let brake = (!brake.is_empty()).then_some(Value::Object(brake));
    let (grace, restart_grace) = (grace.map(Value::from), restart_grace.map(Value::from));
    let spec = said([("grace", grace), ("restartGrace", restart_grace), ("brake", brake)]);
    let (connection, path) = (global.connect()?, format!("{ROOT}/settings/heartbeat"));
    let settings = if spec.is_empty() {
        connection.get(path).await?
    } else {
        let ask = Ask::path(path).json("application/merge-patch+json", &json!({"spec": spec}));
        connection.value(Method::PATCH, ask).await?
    };
    print::out(print::yaml(&settings["spec"])?.trim_end());
    Ok(())
}

/// What was said of several things.
fn said<const N: usize>(things: [(&str, Option<Value>); N]) -> Map<String, Value> {
    things.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brake_is_told_in_words() {
        let idle = json!({"holds": false, "waiting": []});
        assert_eq!(told(&idle), "the brake does not hold");
        let mut holds = json!({"holds": true, "since": "T1", "next": "T2", "waiting": ["n1", "n2"]});
        let said = "the brake holds since T1\n2 silent nodes wait: n1, n2\nthe next is given up at T2; \
                    `encamp operator brake release` gives them up at once";
        assert_eq!(told(&holds), said);
        holds["next"] = Value::Null;
        assert!(told(&holds).contains("none is given up while all nodes are silent"));
        let released = json!({"holds": false, "waiting": ["n1"], "release": {"by": "ann", "at": "T3"}});
        assert_eq!(told(&released), "the brake was released by ann at T3\n1 silent nodes wait: n1");
    }
}
