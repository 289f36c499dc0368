//! The only place that writes to the terminal: stdout is what was asked for, stderr is talk.

mod changes;
mod document;
mod jsonpath;
mod table;

use std::io::Write;

use super::connection::CliError;

pub(super) use changes::job_changes;
pub(super) use document::{Output, parse_output, print_document, print_whole, yaml};
pub(super) use jsonpath::render as render_path;
pub(super) use table::{Columns, columns, print_table};

/// Writes a line of the answer. A reader that has gone away ends the program quietly.
pub(super) fn out(text: &str) {
    raw(&format!("{text}\n"));
}

/// Writes to stdout as it is, and at once.
pub(super) fn raw(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes bytes to stdout as they are, and at once.
pub(super) fn bytes(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes a line of talk. If nobody can hear it, there is nothing better to do than go on.
pub fn talk(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Says what went wrong, and at which fields.
pub(super) fn complain(error: &CliError) {
    talk(&format!("Error: {error}"));
    if let CliError::Invalid { causes, .. } = error {
        causes.iter().for_each(|(field, text)| talk(&format!("  {field}: {text}")));
    }
}
