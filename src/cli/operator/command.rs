//! The subgroups of `encamp operator`.

use std::process::ExitCode;

use clap::Subcommand;

use super::liveness::{self, BrakeCommand, HeartbeatArgs};
use super::store::{self, StoreCommand};
use crate::CliError;
use crate::tree::Global;

/// What an operator may do.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// The store: which history it holds and who follows it; look into it, check it, save what is sound of it.
    #[command(subcommand)]
    Store(StoreCommand),
    /// The brake that holds when many nodes fall silent at once.
    #[command(subcommand)]
    Brake(BrakeCommand),
    /// Show or change how long nodes may be silent, and when the brake holds.
    Heartbeat(HeartbeatArgs),
}

/// Does it.
pub(crate) fn operate(global: &Global, command: OperatorCommand) -> Result<ExitCode, CliError> {
    match command {
        OperatorCommand::Store(command) => store::run(global, command),
        OperatorCommand::Brake(command) => asked(liveness::brake(global, command)),
        OperatorCommand::Heartbeat(args) => asked(liveness::heartbeat(global, args)),
    }
}

/// Waits for what a server answers.
fn asked(ask: impl Future<Output = Result<(), CliError>>) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failed(error.to_string()))?;
    runtime.block_on(ask).map(|()| ExitCode::SUCCESS)
}
