//! The one HTTP client of the command line, and errors as what the caller can do.

use std::process::ExitCode;
use std::time::Duration;

use process::StartError;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

/// Everything below this path is ours.
pub(super) const ROOT: &str = "/apis/encamp.dev/v1";
/// How the server knows who owns a field.
pub(super) const FIELD_MANAGER: &str = "encamp";

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// No server answered.
    #[error(
        "cannot reach the server at {address}: {reason}\n  start one with `encamp dev`, or name another with --address or ENCAMP_ADDR"
    )]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Somebody else was first, or forbids it.
    #[error("{0}")]
    Conflict(String),
    /// The server refuses the document; each cause is a field and a sentence.
    #[error("{message}")]
    Invalid {
        /// In a sentence.
        message: String,
        /// By field.
        causes: Vec<(String, String)>,
    },
    /// It took too long.
    #[error("{0}")]
    TimedOut(String),
    /// Applied, but it does not run as it should.
    #[error("{0}")]
    Unhealthy(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// The exit code of the process.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            CliError::Unreachable { .. } | CliError::Invalid { .. } | CliError::Failed(_) => 1,
            CliError::Unhealthy(_) => 2,
            CliError::NotFound(_) => 3,
            CliError::Conflict(_) => 4,
            CliError::TimedOut(_) => 124,
        })
    }
    /// Anything else.
    pub fn failed(message: impl Into<String>) -> CliError {
        CliError::Failed(message.into())
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> CliError {
        match error {
            StartError::Conflict(why) => CliError::Conflict(why),
            StartError::Failed(why) => CliError::Failed(why),
        }
    }
}

/// A server and how to ask it.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    address: String,
    http: reqwest::Client,
}

/// What a request asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    /// Path and query below the address.
    pub path: String,
    /// The `Accept` header; JSON if empty.
    pub accept: &'static str,
    /// Content type and body.
    pub body: Option<(&'static str, Vec<u8>)>,
}

impl Ask {
    /// A plain question.
    pub(super) fn path(path: impl Into<String>) -> Ask {
        Ask { path: path.into(), ..Ask::default() }
    }
    /// With a JSON body of this content type.
    pub(super) fn json(self, content_type: &'static str, body: &Value) -> Ask {
        Ask { body: Some((content_type, body.to_string().into_bytes())), ..self }
    }
}

impl Connection {
    /// Will talk to `address`, which may lack its `http://`.
    pub(super) fn new(address: &str) -> Result<Connection, CliError> {
        let address = address.trim_end_matches('/');
        let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let mut builder = http_client::builder()
            .connect_timeout(Duration::from_secs(5))
            .user_agent(concat!("encamp/", env!("CARGO_PKG_VERSION")));
        if is_here(&address) {
            // No proxy of the environment can reach this machine's own loopback.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| CliError::failed(error.to_string()))?;
        Ok(Connection { address, http })
    }

    /// Reads JSON.
    pub(super) async fn get(&self, path: impl Into<String>) -> Result<Value, CliError> {
        self.value(Method::GET, Ask::path(path)).await
    }

    /// Asks and reads JSON.
    pub(super) async fn value(&self, method: Method, ask: Ask) -> Result<Value, CliError> {
        let response = self.send(method, ask).await?;
        response.json().await.map_err(|error| CliError::failed(format!("the answer is not JSON: {error}")))
    }

    /// Asks; a refusal is an error. Warnings of the server are passed on to stderr.
    pub(super) async fn send(&self, method: Method, ask: Ask) -> Result<Response, CliError> {
        let accept = if ask.accept.is_empty() { "application/json" } else { ask.accept };
        let mut request =
            self.http.request(method, format!("{}{}", self.address, ask.path)).header("accept", accept);
        if let Some((content_type, body)) = ask.body {
            request = request.header("content-type", content_type).body(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        for warning in response.headers().get_all("warning") {
            let text = warning.to_str().unwrap_or_default();
            let text = text.split_once('"').map_or(text, |(_, rest)| rest.trim_end_matches('"'));
            super::print::talk(&format!("Warning: {text}"));
        }
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        Err(refusal(status, &text))
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        let mut reason: &dyn std::error::Error = error;
        while let Some(below) = reason.source() {
            reason = below;
        }
        CliError::Unreachable { address: self.address.clone(), reason: reason.to_string() }
    }
}

/// Whether an address is on this machine's loopback.
fn is_here(address: &str) -> bool {
    let url = reqwest::Url::parse(address).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
    let number = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || number.is_ok_and(|number| number.is_loopback())
}

/// A Kubernetes `Status` as an error.
fn refusal(status: StatusCode, text: &str) -> CliError {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let message = match body["message"].as_str() {
        Some(message) => message.to_owned(),
        None if text.is_empty() => format!("the server answered {status}"),
        None => format!("the server answered {status}: {}", text.trim()),
    };
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match status {
        StatusCode::NOT_FOUND => CliError::NotFound(message),
        StatusCode::CONFLICT | StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            CliError::Conflict(message)
        }
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => {
            let causes = body["details"]["causes"].as_array().cloned().unwrap_or_default();
            let causes =
                causes.iter().map(|cause| (word(&cause["field"]), word(&cause["message"]))).collect();
            CliError::Invalid { message, causes }
        }
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => CliError::TimedOut(message),
        _ => CliError::Failed(message),
    }
}

/// Makes a word safe inside a path or a query.
pub(super) fn quoted(word: &str) -> String {
    word.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
