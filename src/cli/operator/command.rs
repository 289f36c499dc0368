//! The commands of `encamp operator`.

use clap::Subcommand;

use super::super::connection::CliError;
use super::super::tree::Global;
use super::store::{self, StoreCommand};

/// What operators do.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OperatorCommand {
    /// Which history of documents the servers hold, and who follows it.
    #[command(subcommand)]
    Store(StoreCommand),
}

/// Does it.
pub(in crate::cli) async fn run(global: &Global, command: &OperatorCommand) -> Result<(), CliError> {
    match command {
        OperatorCommand::Store(command) => store::run(global, command).await,
    }
}
