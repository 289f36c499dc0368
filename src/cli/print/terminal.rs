//! What is written to stdout and stderr.

use std::io::Write;

pub(crate) use process::talk;

use crate::connection::CliError;

/// Writes a line of the answer. A reader that has gone away ends the program quietly.
pub(crate) fn out(text: &str) {
    raw(&format!("{text}\n"));
}

/// Writes to stdout as it is, and at once.
pub(crate) fn raw(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes bytes to stdout as they are, and at once.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Says what went wrong, and at which fields.
pub(crate) fn complain(error: &CliError) {
    talk(&format!("Error: {error}"));
    if let CliError::Invalid { causes, .. } = error {
        causes.iter().for_each(|(field, text)| talk(&format!("  {field}: {text}")));
    }
}
