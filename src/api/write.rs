//! Creating, replacing, patching and deleting documents.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post, put};
use serde_json::Value;

use super::body::Sent;
use super::commit::Done;
use super::kind::Kind;
use super::patch::Patch;
use super::read::{kind_of, shape};
use super::refusal::Refusal;
use super::request::{Asked, FieldValidation, Form, WriteQuery};
use super::resources::catalog;
use super::scene::Name;
use super::server::Server;
use super::table::Include;
use super::{write_jobs, write_nodes};

/// The routes.
pub(super) fn router() -> Router<Server> {
    const COLLECTION: &str = "/apis/encamp.dev/v1/namespaces/{namespace}/{plural}";
    const ONE: &str = "/apis/encamp.dev/v1/namespaces/{namespace}/{plural}/{name}";
    const NODE: &str = "/apis/encamp.dev/v1/nodes/{name}";
    Router::new()
        .route(COLLECTION, post(create).delete(delete_collection))
        .route(ONE, put(replace).patch(change).delete(remove))
        .route(NODE, put(replace_node).patch(change_node))
        .route(NODE, delete(|| async { refuse(Kind::Node, "deleted") }))
}

fn refuse(kind: Kind, verb: &str) -> Refusal {
    Refusal::method_not_allowed(format!("{} cannot be {verb} through the API", kind.words().plural))
}

/// How a write is to be done.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// Do everything but the write.
    pub dry_run: bool,
    /// What is done about unknown fields.
    pub validation: FieldValidation,
    /// Who owns what is set.
    pub manager: String,
    /// Take fields from their owners.
    pub force: bool,
    /// The subresource that the write comes through, if any.
    pub subresource: &'static str,
}

impl Manner {
    pub(super) fn of(query: &WriteQuery, headers: &HeaderMap) -> Result<Manner, Refusal> {
        Ok(Manner {
            dry_run: query.is_dry_run()?,
            validation: query.validation()?,
            manager: query.manager(headers),
            force: query.is_forced(),
            subresource: "",
        })
    }
}

/// A document after a write, in the form that the sender wants.
pub(super) fn answer(server: &Server, kind: Kind, headers: &HeaderMap, done: Done<Value>) -> Response {
    let Done { document, is_new, warnings } = done;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let form = Form::of(headers);
    let shown = server.look(|scene| shape(kind, form, Include::Document, (document, scene)));
    let mut response = (status, axum::Json(shown)).into_response();
    for warning in warnings {
        let text = warning.replace(['"', '\\'], "'").replace(char::is_control, " ");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            response.headers_mut().append(HeaderName::from_static("warning"), value);
        }
    }
    response
}

/// The document as it is shown now, or as it would be if nothing was written.
pub(super) fn shown(server: &Server, kind: Kind, name: &Name, dry: Option<Value>) -> Value {
    let now = || server.look(|scene| catalog::join(scene, kind, name)).unwrap_or_default();
    dry.unwrap_or_else(now)
}

async fn create(
    State(server): State<Server>,
    Path((namespace, plural)): Path<(String, String)>,
    Asked(query): Asked<WriteQuery>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Refusal> {
    let kind = kind_of(&plural, true)?;
    let manner = Manner::of(&query, &headers)?;
    if kind != Kind::Job {
        return Err(refuse(kind, "created"));
    }
    let done = write_jobs::create(&server, &namespace, &sent, &manner).await?;
    Ok(answer(&server, kind, &headers, done))
}

async fn replace(
    State(server): State<Server>,
    Path((namespace, plural, name)): Path<(String, String, String)>,
    Asked(query): Asked<WriteQuery>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Refusal> {
    let kind = kind_of(&plural, true)?;
    let manner = Manner::of(&query, &headers)?;
    if kind != Kind::Job {
        return Err(refuse(kind, "updated"));
    }
    let name = Name::new(namespace, name);
    let done = write_jobs::replace(&server, &name, &sent, &manner).await?;
    Ok(answer(&server, kind, &headers, done))
}

async fn change(
    State(server): State<Server>,
    Path((namespace, plural, name)): Path<(String, String, String)>,
    Asked(query): Asked<WriteQuery>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Refusal> {
    let kind = kind_of(&plural, true)?;
    let manner = Manner::of(&query, &headers)?;
    if kind != Kind::Job {
        return Err(refuse(kind, "patched"));
    }
    let name = Name::new(namespace, name);
    let done = write_jobs::patch(&server, &name, &Patch::read(&sent)?, &manner).await?;
    Ok(answer(&server, kind, &headers, done))
}

async fn remove(
    State(server): State<Server>,
    Path((namespace, plural, name)): Path<(String, String, String)>,
    Asked(query): Asked<WriteQuery>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Refusal> {
    let kind = kind_of(&plural, true)?;
    let manner = Manner::of(&query, &headers)?;
    if kind != Kind::Job {
        return Err(refuse(kind, "deleted"));
    }
    let name = Name::new(namespace, name);
    let done = write_jobs::delete(&server, &name, &sent, &manner).await?;
    Ok(answer(&server, kind, &headers, done))
}

async fn delete_collection(
    State(server): State<Server>,
    Path((namespace, plural)): Path<(String, String)>,
    Asked(query): Asked<WriteQuery>,
    Asked(read): Asked<super::request::ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let kind = kind_of(&plural, true)?;
    if kind != Kind::Job {
        return Err(refuse(kind, "deleted"));
    }
    let manner = Manner::of(&query, &headers)?;
    let listed = super::read::Listed::new(kind, Some(namespace), &read, &headers)?;
    let names = server.look(|scene| {
        let names = listed.names(scene);
        names.into_iter().filter(|name| listed.join(scene, name).is_some()).collect::<Vec<_>>()
    });
    let nothing = Sent { bytes: axum::body::Bytes::new(), media: "application/json".to_owned() };
    let mut items = Vec::with_capacity(names.len());
    for name in names {
        items.push(write_jobs::delete(&server, &name, &nothing, &manner).await?.document);
    }
    let list = serde_json::json!({
        "apiVersion": super::kind::GROUP_VERSION, "kind": "JobList",
        "metadata": {"resourceVersion": server.cache().revision().to_string()}, "items": items,
    });
    Ok(axum::Json(list).into_response())
}

async fn replace_node(
    State(server): State<Server>,
    Path(name): Path<String>,
    Asked(query): Asked<WriteQuery>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Refusal> {
    let manner = Manner::of(&query, &headers)?;
    let done = write_nodes::replace(&server, &Name::new("", name), &sent, &manner).await?;
    Ok(answer(&server, Kind::Node, &headers, done))
}

async fn change_node(
    State(server): State<Server>,
    Path(name): Path<String>,
    Asked(query): Asked<WriteQuery>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Refusal> {
    let manner = Manner::of(&query, &headers)?;
    let done = write_nodes::patch(&server, &Name::new("", name), &Patch::read(&sent)?, &manner).await?;
    Ok(answer(&server, Kind::Node, &headers, done))
}
