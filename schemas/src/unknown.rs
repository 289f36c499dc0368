//! Reading a document whose writer may know more fields than the reader.
//!
//! What people send is refused if a field is unknown: it is a slip of the pen. What is stored was checked by
//! whoever wrote it, who may be newer during an upgrade: there, a field that is not known is passed over.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// Why a part of a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where: `groups[0].count`, or `.` for the whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// Reads a value and leaves in it what is known. Every unknown field is shown to `may_go`, in the order of the
/// document, and passed over if it says so.
pub fn read<T: DeserializeOwned, E: From<Wrong>>(
    value: &mut Value,
    mut may_go: impl FnMut(&Wrong) -> Result<(), E>,
) -> Result<T, E> {
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(&*value) {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        let wrong = Wrong { path: error.path().to_string(), message: error.inner().to_string() };
        if !wrong.message.starts_with("unknown field") {
            return Err(wrong.into());
        }
        may_go(&wrong)?;
        if !remove(value, error.path()) {
            return Err(wrong.into());
        }
    }
}

/// Reads a stored value: what is not known is passed over.
pub fn read_stored<T: DeserializeOwned>(mut value: Value) -> Result<T, Wrong> {
    read(&mut value, |_| Ok(()))
}

/// Removes the field that a path names; whether there was such a field.
fn remove(value: &mut Value, path: &Path) -> bool {
    let steps: Vec<&Segment> = path.iter().collect();
    let Some((Segment::Map { key: field }, parents)) = steps.split_last() else { return false };
    let mut at = value;
    for step in parents {
        let inner = match step {
            Segment::Map { key } | Segment::Enum { variant: key } => at.get_mut(key),
            Segment::Seq { index } => at.get_mut(index),
            Segment::Unknown => None,
        };
        let Some(inner) = inner else { return false };
        at = inner;
    }
    at.as_object_mut().is_some_and(|fields| fields.shift_remove(field).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::JobSpec;

    #[test]
    fn what_a_newer_writer_knew_is_passed_over() {
        let mut value = json!({
            "priority": 70, "mood": "good",
            "groups": [{"name": "api", "shape": {"round": true}, "update": {"maxParallel": 2, "zeal": 3},
                        "tasks": [{"name": "main", "driver": "exec", "config": {"any": {"thing": 1}}, "soul": []}]}],
        });
        let mut seen = Vec::new();
        let spec: JobSpec = read(&mut value, |wrong| {
            seen.push(wrong.path.clone());
            Ok::<(), Wrong>(())
        })
        .unwrap();
        assert_eq!(seen, ["mood", "groups[0].shape", "groups[0].update.zeal", "groups[0].tasks[0].soul"]);
        assert_eq!((spec.priority, spec.groups[0].update.unwrap().max_parallel), (70, Some(2)));
        assert_eq!(value["groups"][0]["tasks"][0]["config"], json!({"any": {"thing": 1}}), "free text stays");
        assert!(value.get("mood").is_none());
    }

    #[test]
    fn what_is_wrong_is_not_passed_over() {
        let wrong = read_stored::<JobSpec>(json!({"groups": [{"count": "many"}]})).unwrap_err();
        assert_eq!(wrong.path, "groups[0].count");
        let refused = read::<JobSpec, Wrong>(&mut json!({"prio": 1}), |wrong| Err(wrong.clone()));
        assert_eq!(refused.unwrap_err().path, "prio");
    }
}
