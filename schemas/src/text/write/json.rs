//! Jobs as JSON.

use crate::job::Job;

/// A job as a JSON document.
pub fn to_json(job: &Job) -> String {
    let text = serde_json::to_string_pretty(&super::sparse::document(job));
    text.expect("a document is plain values with text keys") + "\n"
}
