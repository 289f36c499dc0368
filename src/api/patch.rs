//! Changes that say what to change: merge patch and JSON patch. (Apply is a room of its own.)

use json_patch::PatchOperation;
use schemas::limits::{self, DEPTH, OPERATIONS, PATCHED_BYTES};
use serde_json::Value;

use super::body::Sent;
use super::refusal::Refusal;

/// The media type of a server-side apply.
pub(super) const APPLY: &str = "application/apply-patch+yaml";

/// A change of a document.
#[derive(Clone, Debug)]
pub(super) enum Patch {
    /// RFC 7396: what is given replaces, what is null is removed.
    Merge(Value),
    /// RFC 6902: a list of operations.
    Json(json_patch::Patch),
    /// The fields that a manager wants, as it wants them.
    Apply(Value),
}

impl Patch {
    /// Reads the body by its media type.
    pub(super) fn read(sent: &Sent) -> Result<Patch, Refusal> {
        match sent.media.as_str() {
            "application/merge-patch+json" => Ok(Patch::Merge(sent.document()?)),
            "application/json-patch+json" => serde_json::from_slice(&sent.bytes)
                .map(Patch::Json)
                .map_err(|error| Refusal::bad_request(format!("the body is not a JSON patch: {error}"))),
            APPLY => Ok(Patch::Apply(sent.document()?)),
            other => Err(Refusal::unsupported_media_type(format!(
                "{other:?} is not a patch of this kind of document; use application/merge-patch+json, \
                 application/json-patch+json or application/apply-patch+yaml"
            ))),
        }
    }
}

/// A document changed by a merge patch.
pub(super) fn merge(document: &Value, patch: &Value) -> Value {
    let mut document = document.clone();
    json_patch::merge(&mut document, patch);
    document
}

/// A document changed by a JSON patch.
///
/// A version that the patch tests or writes is what its sender has seen; the document here has none to compare it
/// with, so it is put into the result, where the commit looks for it.
pub(super) fn json(document: &Value, patch: &json_patch::Patch) -> Result<Value, Refusal> {
    if patch.0.len() > OPERATIONS {
        let message = format!("the patch has {} operations; at most {OPERATIONS} are taken", patch.0.len());
        return Err(Refusal::bad_request(message));
    }
    let mut document = document.clone();
    let (mut seen, mut written_bytes) = (None, 0);
    for (at, operation) in patch.0.iter().enumerate() {
        if let Some(version) = version_in(operation) {
            seen = Some(version.clone());
            continue;
        }
        written_bytes += weigh(&document, operation)
            .map_err(|why| Refusal::bad_request(format!("operation {at} of the patch: {why}")))?;
        if written_bytes > PATCHED_BYTES {
            let message = format!("the patch writes more than {PATCHED_BYTES} bytes by its operation {at}");
            return Err(Refusal::bad_request(message));
        }
        // The document is thrown away if one fails.
        json_patch::patch_unsafe(&mut document, std::slice::from_ref(operation))
            .map_err(|error| Refusal::bad_request(format!("the patch does not apply: {error}")))?;
    }
    if let Some(version) = seen {
        document["metadata"]["resourceVersion"] = version;
    }
    Ok(document)
}

/// How many bytes an operation writes into a document: none may make it deeper than readers can follow.
fn weigh(document: &Value, operation: &PatchOperation) -> Result<usize, String> {
    let (path, value) = match operation {
        PatchOperation::Add(add) => (&add.path, Some(&add.value)),
        PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
        PatchOperation::Copy(copy) => (&copy.path, copy.from.resolve(document).ok()),
        PatchOperation::Move(moved) => (&moved.path, moved.from.resolve(document).ok()),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(0),
    };
    let deep = path.count() + value.map_or(0, limits::depth);
    if deep > DEPTH {
        return Err(format!("it would nest the document {deep} levels deep; at most {DEPTH} are allowed"));
    }
    Ok(value.map_or(0, limits::size_bytes))
}

/// The version that an operation names.
fn version_in(operation: &PatchOperation) -> Option<&Value> {
    let (path, value) = match operation {
        PatchOperation::Add(add) => (&add.path, &add.value),
        PatchOperation::Replace(replace) => (&replace.path, &replace.value),
        PatchOperation::Test(test) => (&test.path, &test.value),
        PatchOperation::Remove(_) | PatchOperation::Move(_) | PatchOperation::Copy(_) => return None,
    };
    (path.as_str() == "/metadata/resourceVersion").then_some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_in_a_patch_is_what_its_sender_has_seen() {
        let document = json!({"metadata": {"name": "web"}, "spec": {"priority": 50}});
        let patch = json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "replace", "path": "/spec/priority", "value": 60},
        ]);
        let changed = json(&document, &serde_json::from_value(patch).unwrap()).unwrap();
        assert_eq!(
            changed,
            json!({"metadata": {"name": "web", "resourceVersion": "7"}, "spec": {"priority": 60}})
        );
        let wrong = json!([{"op": "test", "path": "/spec/priority", "value": 1}]);
        assert!(json(&document, &serde_json::from_value(wrong).unwrap()).is_err());
    }

    fn told(document: &Value, operations: Value) -> String {
        match json(document, &serde_json::from_value(operations).unwrap()) {
            Ok(made) => format!("{} bytes", made.to_string().len()),
            Err(refusal) => refusal.message().to_owned(),
        }
    }

    #[test]
    fn a_patch_that_doubles_is_stopped_in_time() {
        let document = json!({"spec": {"meta": {"a": "x".repeat(1000)}}});
        let doubling = |count: usize| -> Value {
            (0..count).map(|n| json!({"op": "copy", "from": "/spec", "path": format!("/spec/{n}")})).collect()
        };
        assert_eq!(told(&document, doubling(3)), "8180 bytes");
        assert_eq!(
            told(&document, doubling(40)),
            "the patch writes more than 4194304 bytes by its operation 12"
        );
        let large = json!([{"op": "add", "path": "/b", "value": "y".repeat(900_000)}]);
        let mut again = large.as_array().unwrap().clone();
        again.extend((0..1000).map(|_| json!({"op": "copy", "from": "/b", "path": "/c"})));
        assert_eq!(
            told(&document, again.clone().into()),
            "the patch has 1001 operations; at most 1000 are taken"
        );
        again.truncate(900);
        assert_eq!(
            told(&document, again.into()),
            "the patch writes more than 4194304 bytes by its operation 4"
        );
    }

    #[test]
    fn a_patch_that_digs_is_stopped_in_time() {
        let document = json!({"a": {}});
        let deeper = (0..200).map(|_| json!({"op": "copy", "from": "/a", "path": "/a/b"})).collect();
        assert_eq!(
            told(&document, deeper),
            "operation 62 of the patch: it would nest the document 65 levels deep; at most 64 are allowed"
        );
        let path = "/a".repeat(70);
        let deep = json!([{"op": "add", "path": path, "value": 1}]);
        assert!(told(&document, deep).contains("71 levels"));
    }
}
