//! Bytes of a document: JSON for most, MessagePack with short names for the hot ones.
//!
//! Both describe themselves and start differently (`{` against a MessagePack map), so reading needs no
//! hint and `encamp operator store get` can print any value. Unknown fields are passed over on reading:
//! a newer server may have written them.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

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
        serde_json::from_slice(bytes).map_err(|error| DecodeError(error.to_string()))
    } else {
        rmp_serde::from_slice(bytes).map_err(|error| DecodeError(error.to_string()))
    }
}

/// Any stored value as JSON, for people.
pub fn to_json(bytes: &[u8]) -> Result<serde_json::Value, DecodeError> {
    if matches!(bytes.first(), Some(b'{' | b'"' | b'[')) {
        serde_json::from_slice(bytes).map_err(|error| DecodeError(error.to_string()))
    } else {
        rmp_serde::from_slice(bytes).map_err(|error| DecodeError(error.to_string()))
    }
}
