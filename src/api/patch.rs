//! Changes that say what to change: merge patch and JSON patch. (Apply is a room of its own.)

use serde_json::Value;

use super::body::Sent;
use super::refusal::Refusal;

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
            "application/apply-patch+yaml" => Ok(Patch::Apply(sent.document()?)),
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
pub(super) fn json(document: &Value, patch: &json_patch::Patch) -> Result<Value, Refusal> {
    let mut document = document.clone();
    match json_patch::patch(&mut document, patch) {
        Ok(()) => Ok(document),
        Err(error) => Err(Refusal::bad_request(format!("the patch does not apply: {error}"))),
    }
}
