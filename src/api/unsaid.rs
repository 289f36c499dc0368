//! What goes without saying: fields of a job that have a value although its author named none.
//!
//! They are shown, so that whoever reads a job finds its type and its priority. They are not stored, and nobody owns
//! them: a document that was read, changed and sent back says no more than its author did. Only the job's own fields
//! are filled in, none inside a list: a client's apply compares lists as wholes and would see a change each time.

use std::sync::LazyLock;

use schemas::job::{Job, JobSpec};
use serde_json::{Map, Value};

use super::scene::part;

/// The fields of a job that are never without a value.
static DEFAULTS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_value(part(&JobSpec::default())).expect("a job is an object"));

/// What a job is to do, with what goes without saying.
pub(super) fn shown(job: &Job) -> Value {
    let Value::Object(mut spec) = job.as_written() else { return Value::Object(DEFAULTS.clone()) };
    for (field, value) in DEFAULTS.iter() {
        spec.entry(field).or_insert_with(|| value.clone());
    }
    Value::Object(spec)
}

/// Leaves out of a new job what went without saying in the old one and still does.
pub(super) fn leave_out(job: &mut Job, old: &Job) {
    let was_said = old.as_written();
    let Some(Value::Object(written)) = &mut job.written else { return };
    written.retain(|field, value| was_said.get(field).is_some() || DEFAULTS.get(field) != Some(value));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(written: Value) -> Job {
        Job { written: Some(written), ..Job::default() }
    }

    #[test]
    fn what_is_shown_and_sent_back_says_no_more_than_before() {
        let old = job(json!({"priority": 50, "groups": [{"name": "api"}]}));
        let shown = shown(&old);
        assert_eq!((&shown["type"], &shown["nodePool"]), (&json!("service"), &json!("default")));
        assert_eq!(shown["groups"], json!([{"name": "api"}]), "a list is as it was written");
        let mut again = job(shown);
        leave_out(&mut again, &old);
        assert_eq!(again.written, old.written, "what was said stays said");
        let mut changed = job(json!({"type": "batch", "region": "global"}));
        leave_out(&mut changed, &old);
        assert_eq!(changed.written, Some(json!({"type": "batch"})));
    }
}
