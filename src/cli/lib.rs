//! The command line. It speaks HTTP to the API like any other client and decides nothing.
//!
//! stdout is what was asked for, stderr is talk. Exit codes: 0 well, 1 error, 2 applied but not healthy,
//! 3 not found, 4 conflict or denied, 124 timed out; `diff` and `plan` answer 0 for no change, 1 for
//! changes and 255 for an error.

mod apply;
mod beside;
mod connection;
mod delete;
mod describe;
mod diff;
mod dry_run;
mod files;
mod get;
mod history;
mod init;
mod kinds;
mod living;
mod local;
mod logs;
mod monitor;
mod operator;
mod plan;
mod print;
mod revert;
mod scale;
mod status;
mod tree;
mod trouble;
mod wait;
mod why;
mod words;

pub use connection::CliError;
pub use tree::main;
