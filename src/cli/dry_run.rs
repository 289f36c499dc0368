//! `--dry-run`: how far a command goes without changing anything.

use clap::{Args, ValueEnum};

/// How far a command goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DryRun {
    /// All the way: it changes what it says.
    #[default]
    None,
    /// No further than this machine and what can be read from the server.
    Client,
    /// To the server, which checks everything and changes nothing.
    Server,
}

/// The flag.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct DryRunArgs {
    /// Change nothing: `client` looks at what is given, `server` (also if nothing is named) lets the server check it.
    #[arg(long, value_enum, value_name = "WHERE", num_args = 0..=1, require_equals = true,
        default_missing_value = "server", default_value = "none", hide_default_value = true, hide_possible_values = true)]
    pub dry_run: DryRun,
}

impl DryRun {
    /// What stands behind a sentence about something that was not done.
    pub(super) fn mark(self) -> &'static str {
        match self {
            DryRun::None => "",
            DryRun::Client => " (client dry run)",
            DryRun::Server => " (dry run)",
        }
    }
}
