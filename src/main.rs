//! The one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Supervisors of tasks are this binary too; they must start fast, so they come first.
    match encamp::drivers::hidden::command(std::env::args_os()) {
        Some(code) => code,
        None => encamp::cli::main(),
    }
}
