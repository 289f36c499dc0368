//! Creating, replacing, patching and deleting documents.

use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use serde::Deserialize;
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
        .route(NODE, put(replace).patch(change).delete(remove))
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

/// A request to change a document, read at the edge.
struct Asking {
    server: Server,
    kind: Kind,
    /// The name is empty where a document is made.
    name: Name,
    manner: Manner,
    headers: HeaderMap,
    sent: Sent,
}

/// What an address names. Only nodes are named without a namespace and a plural.
#[derive(Deserialize)]
#[serde(default)]
struct Place {
    namespace: String,
    plural: String,
    name: String,
}

impl Default for Place {
    fn default() -> Place {
        Place { namespace: String::new(), plural: Kind::Node.words().plural.to_owned(), name: String::new() }
    }
}

impl FromRequest<Server> for Asking {
    type Rejection = Refusal;
    async fn from_request(request: Request, server: &Server) -> Result<Asking, Refusal> {
        let (mut parts, body) = request.into_parts();
        let place = Path::<Place>::from_request_parts(&mut parts, server).await;
        let Path(Place { namespace, plural, name }) =
            place.map_err(|error| Refusal::bad_request(error.body_text()))?;
        let Asked(query) = Asked::<WriteQuery>::from_request_parts(&mut parts, server).await?;
        let headers = parts.headers.clone();
        let manner = Manner::of(&query, &headers)?;
        let kind = kind_of(&plural, !namespace.is_empty())?;
        let sent = Sent::from_request(Request::from_parts(parts, body), server).await?;
        Ok(Asking { server: server.clone(), kind, name: Name::new(namespace, name), manner, headers, sent })
    }
}

impl Asking {
    /// Refuses what cannot be done to the kind.
    fn only(&self, kinds: &[Kind], verb: &str) -> Result<(), Refusal> {
        if kinds.contains(&self.kind) { Ok(()) } else { Err(refuse(self.kind, verb)) }
    }

    fn answer(&self, done: Done<Value>) -> Response {
        answer(&self.server, self.kind, &self.headers, done)
    }
}

async fn create(asking: Asking) -> Result<Response, Refusal> {
    asking.only(&[Kind::Job], "created")?;
    let Asking { server, name, sent, manner, .. } = &asking;
    let done = write_jobs::create(server, &name.namespace, sent, manner).await?;
    Ok(asking.answer(done))
}

async fn replace(asking: Asking) -> Result<Response, Refusal> {
    asking.only(&[Kind::Job, Kind::Node], "updated")?;
    let Asking { server, kind, name, sent, manner, .. } = &asking;
    let done = if *kind == Kind::Node {
        write_nodes::replace(server, name, sent, manner).await?
    } else {
        write_jobs::replace(server, name, sent, manner).await?
    };
    Ok(asking.answer(done))
}

async fn change(asking: Asking) -> Result<Response, Refusal> {
    asking.only(&[Kind::Job, Kind::Node], "patched")?;
    let Asking { server, kind, name, sent, manner, .. } = &asking;
    let patch = Patch::read(sent)?;
    let done = if *kind == Kind::Node {
        write_nodes::patch(server, name, &patch, manner).await?
    } else {
        write_jobs::patch(server, name, &patch, manner).await?
    };
    Ok(asking.answer(done))
}

async fn remove(asking: Asking) -> Result<Response, Refusal> {
    asking.only(&[Kind::Job], "deleted")?;
    let Asking { server, name, sent, manner, .. } = &asking;
    let done = write_jobs::delete(server, name, sent, manner).await?;
    Ok(asking.answer(done))
}

async fn delete_collection(
    Asked(read): Asked<super::request::ReadQuery>,
    asking: Asking,
) -> Result<Response, Refusal> {
    asking.only(&[Kind::Job], "deleted")?;
    let Asking { server, kind, name, manner, headers, .. } = asking;
    let listed = super::read::Listed::new(kind, Some(name.namespace), &read, &headers)?;
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
