//! Changes that say what to change: merge patch and JSON patch. (Apply is a room of its own.)

use json_patch::PatchOperation;
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
    let mut document = document.clone();
    let mut seen = None;
    let mut rest = Vec::new();
    for operation in &patch.0 {
        match version_in(operation) {
            Some(version) => seen = Some(version.clone()),
            None => rest.push(operation.clone()),
        }
    }
    json_patch::patch(&mut document, &rest)
        .map_err(|error| Refusal::bad_request(format!("the patch does not apply: {error}")))?;
    if let Some(version) = seen {
        document["metadata"]["resourceVersion"] = version;
    }
    Ok(document)
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
}
