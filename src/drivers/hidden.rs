//! The commands that this binary runs for itself: they must start fast, so they come before everything else in `main`.

use std::{ffi::OsString, process::ExitCode};

/// Runs a hidden command if the arguments name one.
pub fn command(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    match arguments.next()?.to_str()? {
        "__supervise" => Some(super::supervisor::main()),
        "__enter" => Some(super::process::enter::main(arguments)),
        "__exec-init" => Some(super::exec::main()),
        _ => None,
    }
}
