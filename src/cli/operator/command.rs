//! The subgroups of `encamp operator`.

use std::process::ExitCode;

use clap::Subcommand;

use super::store::{self, StoreCommand};
use crate::cli::CliError;

/// What an operator may do.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OperatorCommand {
    /// Look into the store, check it, and save what is sound of a damaged one.
    #[command(subcommand)]
    Store(StoreCommand),
}

/// Does it.
pub(in crate::cli) fn operate(command: OperatorCommand) -> Result<ExitCode, CliError> {
    match command {
        OperatorCommand::Store(command) => store::run(command),
    }
}
