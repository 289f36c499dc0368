//! Creating, replacing, patching and deleting documents.

use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use serde_json::{Value, json};

use super::apply::Contested;
use super::body::Sent;
use super::commit::Done;
use super::kind::{Extent, GROUP_VERSION, Kind};
use super::patch::Patch;
use super::read::{Listed, shape};
use super::refusal::Refusal;
use super::request::{Asked, FieldValidation, Form, Place, ReadQuery, WriteQuery};
use super::resources::catalog;
use super::scene::{Name, Scene};
use super::server::Server;
use super::table::Include;
use super::{purge, write_jobs, write_nodes};

/// The routes.
pub(super) fn router() -> Router<Server> {
    const COLLECTION: &str = "/apis/encamp.dev/v1/namespaces/{namespace}/{plural}";
    const ONE: &str = "/apis/encamp.dev/v1/namespaces/{namespace}/{plural}/{name}";
    const NODE: &str = "/apis/encamp.dev/v1/nodes/{name}";
    Router::new()
        .route(COLLECTION, post(create).delete(remove_all))
        .route(ONE, put(replace).patch(change).delete(remove))
        .route(NODE, put(replace).patch(change).delete(remove))
}

/// How a write is to be done.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// Do everything but the write.
    pub is_dry: bool,
    /// What is done about unknown fields.
    pub validation: FieldValidation,
    /// Who owns what is set.
    pub manager: String,
    /// What is done about fields that others own.
    pub contested: Contested,
    /// The subresource that the write comes through, if any.
    pub subresource: &'static str,
}

impl Manner {
    pub(super) fn of(query: &WriteQuery, headers: &HeaderMap) -> Result<Manner, Refusal> {
        Ok(Manner {
            is_dry: query.is_dry_run()?,
            validation: query.validation()?,
            manager: query.manager(headers)?,
            contested: query.contested(),
            subresource: "",
        })
    }
}

/// How many warnings are sent, and how long each is: clients limit the heads of answers.
const WARNINGS: usize = 50;
const WARNING: usize = 256;

/// A document after a write, in the form that the sender wants.
pub(super) fn answer(server: &Server, kind: Kind, headers: &HeaderMap, done: Done<Value>) -> Response {
    let Done { document, is_new, warnings } = done;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let form = Form::of(headers);
    let shown = server.look(|scene| shape(kind, form, Include::Document, (document, scene)));
    let mut response = (status, axum::Json(shown)).into_response();
    for warning in warnings.iter().take(WARNINGS) {
        let text: String = warning.chars().take(WARNING).collect();
        let text = text.replace(['"', '\\'], "'").replace(char::is_control, " ");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            response.headers_mut().append(HeaderName::from_static("warning"), value);
        }
    }
    response
}

/// A document as it is shown now.
pub(super) fn shown(server: &Server, kind: Kind, name: &Name) -> Value {
    server.look(|scene| catalog::join(scene, kind, name)).unwrap_or_default()
}

/// What people may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writable {
    Job,
    Node,
}

impl Writable {
    fn of(kind: Kind, of: Extent) -> Result<Writable, Refusal> {
        match kind {
            Kind::Job => Ok(Writable::Job),
            Kind::Node => Ok(Writable::Node),
            Kind::JobVersion
            | Kind::Allocation
            | Kind::Deployment
            | Kind::Event
            | Kind::CoreEvent
            | Kind::Namespace => Err(Refusal::method_not_allowed(format!(
                "{} cannot be written through the API: they follow from jobs and nodes",
                kind.words().plural
            ))
            .but_allowed(Some(kind.methods(of)))),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Writable::Job => Kind::Job,
            Writable::Node => Kind::Node,
        }
    }

    fn cannot_be(self, verb: &str) -> Refusal {
        let plural = self.kind().words().plural;
        Refusal::method_not_allowed(format!("{plural} cannot be {verb} through the API"))
            .but_allowed(Some(self.kind().methods(Extent::All)))
    }
}

/// A request to change a document, read at the edge.
struct Asking {
    server: Server,
    what: Writable,
    /// The name is empty where a document is made.
    name: Name,
    manner: Manner,
    headers: HeaderMap,
    sent: Sent,
}

impl FromRequest<Server> for Asking {
    type Rejection = Refusal;
    async fn from_request(request: Request, server: &Server) -> Result<Asking, Refusal> {
        let (mut parts, body) = request.into_parts();
        let place = Place::from_request_parts(&mut parts, server).await?;
        let Asked(query) = Asked::<WriteQuery>::from_request_parts(&mut parts, server).await?;
        let headers = parts.headers.clone();
        let manner = Manner::of(&query, &headers)?;
        let name = place.name();
        let of = if name.name.is_empty() { Extent::All } else { Extent::One };
        let what = Writable::of(place.kind()?, of)?;
        let sent = Sent::from_request(Request::from_parts(parts, body), server).await?;
        Ok(Asking { server: server.clone(), what, name, manner, headers, sent })
    }
}

impl Asking {
    fn answer(&self, done: Done<Value>) -> Response {
        answer(&self.server, self.what.kind(), &self.headers, done)
    }
}

async fn create(asking: Asking) -> Result<Response, Refusal> {
    let Asking { server, what, name, sent, manner, headers: _ } = &asking;
    let done = match what {
        Writable::Job => write_jobs::create(server, &name.namespace, sent, manner).await?,
        Writable::Node => return Err(what.cannot_be("created")),
    };
    Ok(asking.answer(done))
}

async fn replace(asking: Asking) -> Result<Response, Refusal> {
    let Asking { server, what, name, sent, manner, headers: _ } = &asking;
    let done = match what {
        Writable::Job => write_jobs::replace(server, name, sent, manner).await?,
        Writable::Node => write_nodes::replace(server, name, sent, manner).await?,
    };
    Ok(asking.answer(done))
}

async fn change(asking: Asking) -> Result<Response, Refusal> {
    let Asking { server, what, name, sent, manner, headers: _ } = &asking;
    let patch = server.think(|| Patch::read(sent)).await??;
    let done = match what {
        Writable::Job => write_jobs::patch(server, name, &patch, manner).await?,
        Writable::Node => write_nodes::patch(server, name, &patch, manner).await?,
    };
    Ok(asking.answer(done))
}

async fn remove(asking: Asking) -> Result<Response, Refusal> {
    let Asking { server, what, name, sent, manner, headers: _ } = &asking;
    let done = match what {
        Writable::Job => write_jobs::delete(server, name, sent, manner).await?,
        Writable::Node => purge::purge(server, name, sent, manner).await?,
    };
    Ok(asking.answer(done))
}

/// Deletes all that are selected. What somebody else has deleted meanwhile is passed over.
async fn remove_all(Asked(read): Asked<ReadQuery>, asking: Asking) -> Result<Response, Refusal> {
    let Asking { server, what, name, sent, manner, headers } = &asking;
    if *what == Writable::Node {
        return Err(what.cannot_be("deleted"));
    }
    let listed = Listed::new(what.kind(), Some(name.namespace.clone()), &read, headers)?;
    let choose = |scene: &Scene<'_>| {
        let names = listed.names(scene);
        names.into_iter().filter(|name| listed.join(scene, name).is_some()).collect::<Vec<_>>()
    };
    let names = server.think(|| server.look(choose)).await?;
    let mut items = Vec::with_capacity(names.len());
    for name in names {
        match write_jobs::delete(server, &name, sent, manner).await {
            Ok(done) => items.push(done.document),
            Err(refusal) if refusal.is_not_found() => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let list = json!({
        "apiVersion": GROUP_VERSION, "kind": "JobList",
        "metadata": {"resourceVersion": server.cache().revision().to_string()}, "items": items,
    });
    Ok(axum::Json(list).into_response())
}
