//! Why a request was refused, in Kubernetes' `Status` words: every error of the API is made here.
//!
//! A refusal says what is wrong, where (a field path such as `spec.groups[0].name`) and, where it can, what to do.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::limits::COMPLAINTS;
use serde_json::{Value, json};

use super::kind::Kind;
use store::{CommitError, NoRoom, ReadError};

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// One of Kubernetes' words: `FieldValueInvalid`, `FieldValueRequired`, `FieldManagerConflict`…
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
    /// Where, `spec.groups[0].name`.
    pub field: String,
}

/// A request that was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: StatusCode,
    reason: &'static str,
    message: String,
    about: Option<(Kind, String)>,
    causes: Vec<Cause>,
    retry_after_seconds: Option<u32>,
    /// The methods that are allowed here, where another was tried.
    allow: Option<Box<HeaderValue>>,
}

/// The longest message, in bytes: it may quote what was sent.
const LONGEST: usize = 32 * 1024;
/// The longest message about one field.
const LONGEST_CAUSE: usize = 1024;

/// A text up to a length.
fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text += "…";
    }
    text
}

impl Refusal {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Refusal {
        let message = shortened(message.into(), LONGEST);
        Refusal {
            code,
            reason,
            message,
            about: None,
            causes: Vec::new(),
            retry_after_seconds: None,
            allow: None,
        }
    }

    fn about(mut self, kind: Kind, name: &str) -> Refusal {
        self.about = Some((kind, name.to_owned()));
        self
    }

    /// There is no such document.
    pub(super) fn not_found(kind: Kind, name: &str) -> Refusal {
        let message = format!("{} {name:?} not found", kind.resource());
        Refusal::new(StatusCode::NOT_FOUND, "NotFound", message).about(kind, name)
    }

    /// The same, said with the name that was probably meant.
    pub(super) fn or_meant(mut self, near: Option<&str>) -> Refusal {
        if let Some(near) = near {
            self.message += &format!(", did you mean {near:?}?");
        }
        self
    }

    /// Whether there is no such document.
    pub(super) fn is_not_found(&self) -> bool {
        self.code == StatusCode::NOT_FOUND
    }

    /// There is nothing at this address.
    pub(super) fn no_such_path() -> Refusal {
        let message = "the server could not find the requested resource";
        Refusal::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// The agent has no such log.
    pub(super) fn no_logs(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// A document of that name exists.
    pub(super) fn already_exists(kind: Kind, name: &str) -> Refusal {
        let message = format!("{} {name:?} already exists", kind.resource());
        Refusal::new(StatusCode::CONFLICT, "AlreadyExists", message).about(kind, name)
    }

    /// The document has changed since it was read.
    pub(super) fn conflict(kind: Kind, name: &str, why: &str) -> Refusal {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.resource());
        Refusal::new(StatusCode::CONFLICT, "Conflict", message).about(kind, name)
    }

    /// It cannot be done as things are.
    pub(super) fn not_now(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::CONFLICT, "Conflict", message)
    }

    /// Other managers own fields that an apply wants to set.
    pub(super) fn owned_by_others(kind: Kind, name: &str, causes: Vec<Cause>) -> Refusal {
        let mut causes = causes;
        causes.truncate(COMPLAINTS);
        let plural = if causes.len() == 1 { "conflict" } else { "conflicts" };
        let mut owners: Vec<(&str, Vec<&str>)> = Vec::new();
        for cause in &causes {
            match owners.iter_mut().find(|(said, _)| *said == cause.message) {
                Some((_, fields)) => fields.push(&cause.field),
                None => owners.push((&cause.message, vec![&cause.field])),
            }
        }
        let told: Vec<String> = owners
            .iter()
            .map(|(said, fields)| match fields.as_slice() {
                [one] => format!("{said}: {one}"),
                many => {
                    let said = said.replacen("conflict", "conflicts", 1);
                    many.iter().fold(format!("{said}:"), |text, field| format!("{text}\n- {field}"))
                }
            })
            .collect();
        let message = format!("Apply failed with {} {plural}: {}", causes.len(), told.join("\n"));
        Refusal { causes, ..Refusal::new(StatusCode::CONFLICT, "Conflict", message).about(kind, name) }
    }

    /// The document is understood and wrong.
    pub(super) fn invalid(kind: Kind, name: &str, mut causes: Vec<Cause>) -> Refusal {
        causes.truncate(COMPLAINTS);
        for cause in &mut causes {
            cause.message = shortened(std::mem::take(&mut cause.message), LONGEST_CAUSE);
        }
        let listed: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let listed = match listed.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{} {name:?} is invalid: {listed}", kind.words().kind);
        let refusal = Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
        Refusal { causes, ..refusal.about(kind, name) }
    }

    /// The request cannot be understood.
    pub(super) fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// The resource does not have this verb.
    pub(super) fn method_not_allowed(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// The same, with the methods that it has: `GET, HEAD`.
    pub(super) fn but_allowed(self, methods: Option<String>) -> Refusal {
        let allow = methods.and_then(|methods| HeaderValue::try_from(methods).ok()).map(Box::new);
        Refusal { allow, ..self }
    }

    /// The body is of a type that is not read here.
    pub(super) fn unsupported_media_type(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    /// The body is over the limit.
    pub(super) fn too_large(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
    }

    /// The revision asked for is no longer remembered: list again.
    pub(super) fn expired() -> Refusal {
        let message = "too old resource version: the changes since then are no longer remembered; list again";
        Refusal::new(StatusCode::GONE, "Expired", message)
    }

    /// Something this server needs does not answer.
    pub(super) fn unavailable(message: impl Into<String>) -> Refusal {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
        Refusal { retry_after_seconds: Some(1), ..refusal }
    }

    /// Others are served first.
    pub(super) fn busy() -> Refusal {
        let message = "the server is busy with other requests; try again in a second";
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        Refusal { retry_after_seconds: Some(1), ..refusal }
    }

    /// The node that should answer does not.
    pub(super) fn bad_gateway(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_GATEWAY, "ServiceUnavailable", message)
    }

    /// The write may or may not have happened.
    pub(super) fn outcome_unknown() -> Refusal {
        let message =
            "the store did not answer in time; the change may have been made: read before trying again";
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message)
    }

    /// What a failed commit means to the caller.
    pub(super) fn of_commit(error: CommitError, kind: Kind, name: &str) -> Refusal {
        match error {
            CommitError::Conflict => Refusal::conflict(
                kind,
                name,
                "the object has been modified; please apply your changes to the latest version and try again",
            ),
            CommitError::NotApplied => Refusal::unavailable("the store does not answer; nothing was changed"),
            CommitError::Unknown => Refusal::outcome_unknown(),
            CommitError::TooLarge => Refusal::too_large("the document is too large for the store"),
            CommitError::Full => {
                let message = "the store is full; nothing was changed. Deleting still works";
                Refusal::full(message)
            }
        }
    }

    /// Nothing new is taken any more.
    pub(super) fn no_room(why: &NoRoom) -> Refusal {
        Refusal::full(format!(
            "the store is full; nothing was changed: {why}. Stopping and deleting still work"
        ))
    }

    fn full(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", message)
    }

    /// The sentence.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// As a `Status` document.
    pub(super) fn status(&self) -> Value {
        let mut details = serde_json::Map::new();
        if let Some((kind, name)) = &self.about {
            details.insert("name".into(), json!(name));
            details.insert("group".into(), json!(kind.group()));
            // Kubernetes puts the kind here for invalid documents and the resource elsewhere.
            let words = kind.words();
            let word = if self.reason == "Invalid" { words.kind } else { words.plural };
            details.insert("kind".into(), json!(word));
        }
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(|Cause { reason, message, field }| {
                json!({"reason": reason, "message": message, "field": field})
            });
            details.insert("causes".into(), causes.collect());
        }
        if let Some(seconds) = self.retry_after_seconds {
            details.insert("retryAfterSeconds".into(), json!(seconds));
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        if !details.is_empty() {
            status["details"] = Value::Object(details);
        }
        status
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Refusal {
        match error {
            ReadError::Unavailable => Refusal::unavailable("the store does not answer"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.code, axum::Json(self.status())).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            response.headers_mut().insert(header::ALLOW, *methods);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_document_lists_every_cause() {
        let cause = |field: &str| Cause {
            reason: "FieldValueRequired",
            message: "Required value".into(),
            field: field.into(),
        };
        let causes = vec![cause("spec.groups[0].name"), cause("spec.groups[0].tasks")];
        let refusal = Refusal::invalid(Kind::Job, "web", causes);
        insta::assert_snapshot!(refusal.message(), @r#"Job "web" is invalid: [spec.groups[0].name: Required value, spec.groups[0].tasks: Required value]"#);
        assert_eq!(refusal.status()["details"]["causes"][1]["field"], "spec.groups[0].tasks");
        assert_eq!(refusal.status()["details"]["kind"], "Job");
    }

    #[test]
    fn a_missing_document_is_named_as_kubectl_expects() {
        let status = Refusal::not_found(Kind::Job, "web").status();
        assert_eq!(status["message"], "jobs.encamp.dev \"web\" not found");
        assert_eq!((&status["reason"], &status["code"]), (&json!("NotFound"), &json!(404)));
        assert_eq!(status["details"]["kind"], "jobs");
    }
}
