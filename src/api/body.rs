//! What the sender sent: bytes within the limit, read by their media type.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use schemas::limits;
use schemas::text::{self, Format, Options, Plain, Source};
use serde_json::Value;

use super::refusal::Refusal;

/// The most bytes of a body: a job's text is at most this long.
const LIMIT: usize = limits::DOCUMENT_BYTES;

/// How long a body may take.
const WITHIN: Duration = Duration::from_secs(30);

/// A body and its media type.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// The bytes.
    pub bytes: Bytes,
    /// The media type without parameters, lower case; JSON if none was named.
    pub media: String,
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Refusal;
    async fn from_request(request: Request<Body>, _: &S) -> Result<Sent, Refusal> {
        let named = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media = named.and_then(|named| named.split(';').next()).unwrap_or("application/json");
        let media = media.trim().to_ascii_lowercase();
        let whole = tokio::time::timeout(WITHIN, to_bytes(request.into_body(), LIMIT)).await;
        let whole = whole.map_err(|_| Refusal::bad_request("the body did not come in time"))?;
        let bytes = whole
            .map_err(|_| Refusal::too_large(format!("the body is not whole or longer than {LIMIT} bytes")))?;
        Ok(Sent { bytes, media })
    }
}

impl Sent {
    /// The document, from JSON or YAML.
    pub(super) fn document(&self) -> Result<Value, Refusal> {
        match self.media.as_str() {
            "application/json" | "application/merge-patch+json" | "application/json-patch+json" => {
                self.json()
            }
            "application/yaml" | "application/x-yaml" | "text/yaml" | "application/apply-patch+yaml" => {
                self.yaml()
            }
            "application/hcl" => self.hcl(),
            // curl without a header
            "application/x-www-form-urlencoded" => self.yaml(),
            other => Err(Refusal::unsupported_media_type(format!(
                "the body is {other:?}; send application/json, application/yaml or application/hcl"
            ))),
        }
    }

    /// The bytes as text.
    pub(super) fn text(&self) -> Result<&str, Refusal> {
        std::str::from_utf8(&self.bytes).map_err(|_| Refusal::bad_request("the body is not UTF-8"))
    }

    fn hcl(&self) -> Result<Value, Refusal> {
        let source = Source::new("the body", self.text()?);
        let options = Options { format: Some(Format::Hcl), ..Options::default() };
        let parsed = text::job(&source, &options)
            .map_err(|problems| Refusal::bad_request(text::render(&problems, &source)))?;
        Ok(super::write_jobs::as_written(&parsed.job))
    }

    fn json(&self) -> Result<Value, Refusal> {
        self.plain(Plain::Json, "JSON")
    }

    fn yaml(&self) -> Result<Value, Refusal> {
        self.plain(Plain::Yaml, "YAML")
    }

    /// Read as `validate` reads a file: what one of them takes the other does not refuse.
    fn plain(&self, format: Plain, word: &str) -> Result<Value, Refusal> {
        let source = Source::new("the body", self.text()?);
        text::value(&source, format).map_err(|problems| {
            let told = text::render(&problems, &source);
            Refusal::bad_request(format!("the body is not {word}: {}", told.trim_end()))
        })
    }
}
