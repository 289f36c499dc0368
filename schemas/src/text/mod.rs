//! Three spellings of one document, with one error style.
//!
//! A text becomes a tree of values that remember their bytes, the tree becomes the canonical JSON form and a
//! table from JSON pointer to place, and the form is decoded. Whatever finds an error later, validation here
//! or admission on a server, names a pointer, and the table leads back to the line of the user's own file.

mod config;
mod decode;
mod diagnostic;
mod document;
mod fit;
mod format;
mod gaps;
mod hcl;
mod job;
mod json;
mod node;
mod options;
mod render;
mod schema;
mod shape;
mod source;
mod write;
mod yaml;

pub use config::config;
pub use diagnostic::{Diagnostic, Severity};
pub use document::{API_VERSION, Document, Parsed, Plain, parse_file, value};
pub use format::format_hcl;
pub use job::{Checked, ParsedJob, job, job_of, jobs};
pub use node::{Entry, Node, NodeValue, Place, Places};
pub use options::{Files, Format, Options};
pub use render::render;
pub use schema::Foreign;
pub use source::{MAX_BYTES, Range, Source, Span};
pub use write::{sparse_spec, to_hcl, to_json, to_yaml};
