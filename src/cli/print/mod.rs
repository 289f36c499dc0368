//! The only place that writes to the terminal: stdout is what was asked for, stderr is talk.

mod changes;
mod document;
mod jsonpath;
mod table;
mod terminal;

pub(super) use changes::job_changes;
pub(super) use document::{Output, parse_output, print_document, print_whole, yaml};
pub(super) use jsonpath::render as render_path;
pub(super) use table::{Columns, columns, print_table};
pub(crate) use terminal::talk;
pub(super) use terminal::{bytes, complain, out, raw};
