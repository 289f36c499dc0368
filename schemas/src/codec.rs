//! Bytes of a document: JSON for most, MessagePack with short names for the hot ones.
//!
//! Both describe themselves and start differently (`{` against a MessagePack map), so reading needs no
//! hint and `encamp operator store get` can print any value. Unknown fields are passed over on reading:
//! a newer server may have written them. (What people send is read elsewhere, and strictly.)

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::unknown::{self, Wrong};

/// A document that lives in the store.
pub trait Document: Serialize + DeserializeOwned + PartialEq {
    /// How its bytes are written.
    const ENCODING: Encoding = Encoding::Json;
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Readable; for documents that change rarely.
    Json,
    /// MessagePack maps with short names; for placements and reports.
    Compact,
}

/// Bytes that are not the document they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored document cannot be read: {0}")]
pub struct DecodeError(pub String);

/// The bytes of a document. The same document gives the same bytes.
pub fn encode<D: Document>(document: &D) -> Bytes {
    match D::ENCODING {
        Encoding::Json => serde_json::to_vec(document).expect("documents have string keys only").into(),
        Encoding::Compact => rmp_serde::to_vec_named(document).expect("documents have known lengths").into(),
    }
}

/// Reads a document back, whichever way it was written.
pub fn decode<D: Document>(bytes: &[u8]) -> Result<D, DecodeError> {
    if bytes.first() == Some(&b'{') {
        serde_json::from_slice(bytes).or_else(|error| without_unknown(bytes, &error))
    } else {
        rmp_serde::from_slice(bytes).map_err(|error| DecodeError(error.to_string()))
    }
}

/// The slower way, taken only when the first was refused.
fn without_unknown<D: Document>(bytes: &[u8], error: &serde_json::Error) -> Result<D, DecodeError> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|_| DecodeError(error.to_string()))?;
    unknown::read_stored(value).map_err(|Wrong { path, message }| DecodeError(format!("{path}: {message}")))
}

/// Any stored value as JSON, for people.
pub fn to_json(bytes: &[u8]) -> Result<serde_json::Value, DecodeError> {
    if matches!(bytes.first(), Some(b'{' | b'"' | b'[')) {
        serde_json::from_slice(bytes).map_err(|error| DecodeError(error.to_string()))
    } else {
        rmp_serde::from_slice(bytes).map_err(|error| DecodeError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::{Job, Version};
    use crate::node::Node;

    fn read<D: Document>(value: &serde_json::Value) -> Result<D, DecodeError> {
        decode(&serde_json::to_vec(value).unwrap())
    }

    #[test]
    fn documents_of_a_newer_server_are_read() {
        let spec = json!({"priority": 60, "mood": 1, "groups": [{"name": "api", "aura": {"hue": 3}}]});
        let metadata = json!({"name": "web", "namespace": "default", "karma": 7});
        let job: Job =
            read(&json!({"metadata": metadata, "spec": spec, "version": 2, "era": "new"})).unwrap();
        assert_eq!((job.metadata.name.as_str(), job.spec.priority, job.version), ("web", 60, 2));
        let version: Version = read(&json!({"number": 2, "spec": spec, "era": "new"})).unwrap();
        assert_eq!(version.spec.groups[0].name, "api");
        let node: Node = read(&json!({"metadata": metadata, "spec": {"eligible": false, "x": 1}})).unwrap();
        assert!(!node.spec.eligible);
    }

    #[test]
    fn what_an_older_server_does_not_know_of_a_job_survives_it() {
        let spec = json!({"priority": 60, "mood": 1, "groups": []});
        let job: Job = read(&json!({"metadata": {"name": "web"}, "spec": spec, "version": 2})).unwrap();
        assert_eq!(to_json(&encode(&job)).unwrap()["spec"], spec);
    }

    #[test]
    fn words_that_no_longer_say_what_a_job_is_to_do_are_not_kept() {
        let written = json!({"priority": 60, "groups": []});
        let mut job: Job =
            read(&json!({"metadata": {"name": "web"}, "spec": written, "version": 2})).unwrap();
        job.spec.priority = 70;
        let again: Job = decode(&encode(&job)).unwrap();
        assert_eq!(again.spec.priority, 70);
    }

    #[test]
    fn a_wrong_type_is_an_error_with_its_place() {
        let error =
            read::<Version>(&json!({"number": 2, "spec": {"mood": 1, "priority": "high"}})).unwrap_err();
        assert!(error.to_string().contains("spec.priority"), "{error}");
    }
}
