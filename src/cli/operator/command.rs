//! The subgroups of `encamp operator`.

use std::process::ExitCode;

use clap::Subcommand;

use super::store::{self, StoreCommand};
use crate::cli::CliError;
use crate::cli::tree::Global;

/// What an operator may do.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OperatorCommand {
    /// The store: which history it holds and who follows it; look into it, check it, save what is sound of it.
    #[command(subcommand)]
    Store(StoreCommand),
}

/// Does it.
pub(in crate::cli) fn operate(global: &Global, command: OperatorCommand) -> Result<ExitCode, CliError> {
    match command {
        OperatorCommand::Store(command) => store::run(global, command),
    }
}
