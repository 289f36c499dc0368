//! What a request asks for, read once at the edge: address, query, `Accept`, who sends it.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use schemas::invisible::is_invisible;
use schemas::limits::MANAGER_BYTES;
use serde::Deserialize;

use super::apply::Contested;
use super::kind::Kind;
use super::refusal::Refusal;
use super::scene::Name;

/// The query of a read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ReadQuery {
    /// See [`super::selector`].
    pub label_selector: Option<String>,
    /// See [`super::selector`].
    pub field_selector: Option<String>,
    /// At most so many documents; 0 is all.
    pub limit: Option<u64>,
    /// Where the last page ended.
    #[serde(rename = "continue")]
    pub token: Option<String>,
    /// Send changes instead of a list.
    pub watch: Option<String>,
    /// Changes after this revision.
    pub resource_version: Option<String>,
    /// Send progress marks.
    pub allow_watch_bookmarks: Option<String>,
    /// Begin a watch with everything there is.
    pub send_initial_events: Option<String>,
    /// End a watch after so many seconds.
    pub timeout_seconds: Option<u64>,
    /// What rows of a table carry: `None`, `Metadata` or `Object`.
    pub include_object: Option<String>,
}

/// The query of a write.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WriteQuery {
    /// `All`: do everything but the write.
    pub dry_run: Option<String>,
    /// `Strict`, `Warn` or `Ignore` fields that are not known.
    pub field_validation: Option<String>,
    /// Who owns what is set.
    pub field_manager: Option<String>,
    /// Take fields from their owners.
    pub force: Option<String>,
}

/// The query of a write whose body is no document that people own: other parameters would mean nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct WordQuery {
    dry_run: Option<String>,
}

impl WordQuery {
    /// Whether nothing is to be written.
    pub(super) fn is_dry_run(&self) -> Result<bool, Refusal> {
        is_dry_run(self.dry_run.as_deref())
    }
}

/// What is done about fields that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldValidation {
    /// Refuse the document.
    Strict,
    /// Leave them out and say so.
    Warn,
    /// Leave them out.
    Ignore,
}

/// Whether a flag of a query is set; `?watch` and `?watch=1` both are.
pub(super) fn is_set(flag: Option<&String>) -> bool {
    flag.is_some_and(|flag| matches!(flag.as_str(), "" | "1" | "true" | "True"))
}

fn is_dry_run(asked: Option<&str>) -> Result<bool, Refusal> {
    match asked {
        None | Some("") => Ok(false),
        Some("All") => Ok(true),
        Some(other) => Err(Refusal::bad_request(format!("dryRun: {other:?} is not supported; use All"))),
    }
}

/// The program that sends a request, as it names itself.
pub(super) fn program(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let program = agent.split(['/', ' ']).next().filter(|word| !word.is_empty());
    program.unwrap_or("unknown").chars().take(MANAGER_BYTES).collect()
}

impl WriteQuery {
    /// Whether nothing is to be written.
    pub(super) fn is_dry_run(&self) -> Result<bool, Refusal> {
        is_dry_run(self.dry_run.as_deref())
    }

    /// What is done about fields that are not known; they are refused, as `validate` does, unless asked otherwise.
    pub(super) fn validation(&self) -> Result<FieldValidation, Refusal> {
        match self.field_validation.as_deref() {
            None | Some("" | "Strict") => Ok(FieldValidation::Strict),
            Some("Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some(other) => Err(Refusal::bad_request(format!(
                "fieldValidation: {other:?} is not supported; use Strict, Warn or Ignore"
            ))),
        }
    }

    /// What is done about fields that others own.
    pub(super) fn contested(&self) -> Contested {
        if is_set(self.force.as_ref()) { Contested::Take } else { Contested::Refuse }
    }

    /// Who owns what is set: as the query says, else the sender's program.
    pub(super) fn manager(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        if let Some(manager) = self.field_manager.as_ref().filter(|manager| !manager.is_empty()) {
            if manager.chars().any(is_invisible) {
                return Err(Refusal::bad_request("fieldManager holds a letter that nobody sees"));
            }
            if manager.len() > MANAGER_BYTES {
                let message = format!("fieldManager is longer than {MANAGER_BYTES} bytes");
                return Err(Refusal::bad_request(message));
            }
            return Ok(manager.clone());
        }
        Ok(program(headers))
    }
}

/// How the sender wants documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Whole.
    Document,
    /// As rows of a table.
    Table,
    /// Only their metadata.
    Metadata,
}

impl Form {
    /// The first form in `Accept` that we have.
    pub(super) fn of(headers: &HeaderMap) -> Form {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        for range in accept.split(',') {
            let mut words = range.split(';').map(str::trim);
            if !matches!(words.next(), Some("application/json" | "*/*" | "application/*")) {
                continue;
            }
            match words.find_map(|word| word.strip_prefix("as=")) {
                None => return Form::Document,
                Some("Table") => return Form::Table,
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => return Form::Metadata,
                Some(_) => {}
            }
        }
        Form::Document
    }
}

/// What an address names. Only nodes are named without a namespace and a plural; the name is empty where all
/// documents of a kind are meant.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    namespace: String,
    plural: String,
    name: String,
}

impl Default for Place {
    fn default() -> Place {
        Place { namespace: String::new(), plural: Kind::Node.words().plural.to_owned(), name: String::new() }
    }
}

impl Place {
    /// The kind, if it lives in namespaces or not as the address says.
    pub(super) fn kind(&self) -> Result<Kind, Refusal> {
        let kind = Kind::of_plural(&self.plural);
        let kind = kind.filter(|kind| kind.words().is_namespaced || self.namespace.is_empty());
        kind.ok_or_else(Refusal::no_such_path)
    }

    /// The namespace, if one is named.
    pub(super) fn namespace(&self) -> Option<String> {
        (!self.namespace.is_empty()).then(|| self.namespace.clone())
    }

    /// The namespace and the name.
    pub(super) fn name(&self) -> Name {
        Name::new(&self.namespace, &self.name)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Place, Refusal> {
        let place = Path::<Place>::from_request_parts(parts, state).await;
        place.map(|Path(place)| place).map_err(|error| Refusal::bad_request(error.body_text()))
    }
}

/// A query string, refused in the API's own words if it cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Asked<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned + Send> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, Refusal> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(query)| Asked(query)).map_err(|error| Refusal::bad_request(error.body_text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accept: &str) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        Form::of(&headers)
    }

    #[test]
    fn the_first_form_we_have_is_taken() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(form(kubectl), Form::Table);
        assert_eq!(form("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), Form::Metadata);
        assert_eq!(form("application/vnd.kubernetes.protobuf,application/json"), Form::Document);
        assert_eq!(form("*/*"), Form::Document);
    }

    #[test]
    fn the_manager_is_named_or_is_the_program() {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, "kubectl/v1.32 (linux)".parse().unwrap());
        let mut query = WriteQuery::default();
        assert_eq!(query.manager(&headers).unwrap(), "kubectl");
        query.field_manager = Some("ci".into());
        assert_eq!(query.manager(&headers).unwrap(), "ci");
        assert_eq!(WriteQuery::default().manager(&HeaderMap::new()).unwrap(), "unknown");
        query.field_manager = Some("m".repeat(129));
        assert!(query.manager(&headers).is_err());
    }
}
