//! `/rollback`: a job goes back to an earlier version, which becomes its next.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use plan::View;
use plan::view::Stored;
use schemas::job::{Job, Submission};
use schemas::key::Key;
use schemas::revert::{Revert, revert};
use serde::{Deserialize, Serialize};

use super::body::Sent;
use super::commit::Seen;
use super::kind::Kind;
use super::refusal::{Cause, Refusal};
use super::request::{Asked, WriteQuery};
use super::scene::{Name, part};
use super::server::Server;
use super::write::{Manner, answer};
use super::{word, write_jobs};

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new().route("/apis/encamp.dev/v1/namespaces/{namespace}/jobs/{name}/rollback", post(rollback))
}

/// The query: whose word it is, and whether it is only tried.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct RollbackQuery {
    dry_run: Option<String>,
    field_manager: Option<String>,
}

/// Where to go back to.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Word {
    version: Option<u64>,
    why: String,
    metadata: Preconditions,
}

/// What the job must still be.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Preconditions {
    resource_version: String,
    uid: String,
}

async fn rollback(
    State(server): State<Server>,
    Path((namespace, name)): Path<(String, String)>,
    Asked(query): Asked<RollbackQuery>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Refusal> {
    let name = Name::new(namespace, name);
    let RollbackQuery { dry_run, field_manager } = query;
    let manner = Manner::of(&WriteQuery { dry_run, field_manager, ..WriteQuery::default() }, &headers)?;
    let Word { version, why, metadata } = server.think(|| word::read(&sent)).await??;
    let seen = Seen::of(&part(&metadata))?;
    let needed = "the number of a version is needed";
    let to = version.ok_or_else(|| refuse(&name, "FieldValueRequired", "version", needed))?;
    let why = if why.is_empty() { "somebody asked for it" } else { word::text("why", &why)? };
    let done = write_jobs::rollback(&server, &name, (to, why, seen), &manner).await?;
    Ok(answer(&server, Kind::Job, &headers, done))
}

/// A job after going back.
pub(super) struct Back {
    /// The job.
    pub job: Job,
    /// The text that the version was read from.
    pub submission: Option<Submission>,
    /// What its history tells.
    pub revert: Revert,
}

/// What going back to a version makes of a job.
pub(super) fn back(
    view: &View,
    (name, stored): (&Name, &Stored<Job>),
    (to, why): (u64, &str),
    manner: &Manner,
) -> Result<Back, Refusal> {
    let (job, namespace) = (&stored.value, name.namespace.as_str());
    let Some(earlier) = view.versions.get(&Key::version(namespace, &name.name, to)) else {
        let of_job = view.versions.under(&["versions", namespace, &name.name]);
        let mut known: Vec<u64> = of_job.map(|(_, stored)| stored.value.number).collect();
        known.sort_unstable();
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        let message = format!("no version {to} is remembered; there are {}", known.join(", "));
        return Err(refuse(name, "FieldValueNotFound", "version", &message));
    };
    if earlier.spec == job.spec {
        let message = format!("version {to} is what the job is to do already, as version {}", job.version);
        return Err(refuse(name, "FieldValueInvalid", "version", &message));
    }
    let said = Revert { to, from: job.version, by: manner.manager.clone(), why: why.to_owned() };
    let (job, version) = revert(job, earlier, said.clone(), jiff::Timestamp::UNIX_EPOCH);
    Ok(Back { job, submission: version.submission, revert: said })
}

fn refuse(name: &Name, reason: &'static str, field: &str, message: &str) -> Refusal {
    let cause = Cause { reason, message: message.to_owned(), field: field.to_owned() };
    Refusal::invalid(Kind::Job, &name.name, vec![cause])
}
