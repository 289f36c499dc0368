//! The one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = encamp::node::drivers::hidden::command(std::env::args_os()) {
        return code;
    }
    ExitCode::SUCCESS
}
