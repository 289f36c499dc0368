//! Words: short bodies that are no documents, as releasing the brake, accepting a store or going back to a version.

use axum::http::HeaderMap;
use serde::de::DeserializeOwned;

use super::body::Sent;
use super::refusal::Refusal;
use super::request::program;

/// The longest text in a word: it is kept, and shown to people.
const TEXT_BYTES: usize = 256;

/// Reads a word; an empty body says nothing but what the address says.
pub(super) fn read<W: DeserializeOwned + Default>(sent: &Sent) -> Result<W, Refusal> {
    if sent.bytes.trim_ascii().is_empty() {
        return Ok(W::default());
    }
    serde_json::from_value(sent.document()?)
        .map_err(|error| Refusal::bad_request(format!("the body: {error}")))
}

/// One text of a word, if it can be kept.
pub(super) fn text<'a>(name: &str, text: &'a str) -> Result<&'a str, Refusal> {
    if text.len() > TEXT_BYTES || text.chars().any(char::is_control) {
        let why = format!("{name}: at most {TEXT_BYTES} bytes without control characters");
        return Err(Refusal::bad_request(why));
    }
    Ok(text)
}

/// Who speaks: as the word says, else the sender's program.
pub(super) fn speaker(by: &str, headers: &HeaderMap) -> Result<String, Refusal> {
    let by = text("by", by)?;
    Ok(if by.is_empty() { program(headers) } else { by.to_owned() })
}
