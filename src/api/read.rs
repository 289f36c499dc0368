//! Getting and listing documents; a list with `watch` becomes a stream.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use schemas::key::Revision;
use serde_json::{Value, json};

use super::kind::Kind;
use super::missing::missing;
use super::refusal::Refusal;
use super::request::{Asked, Form, Place, ReadQuery, is_set};
use super::resources::catalog;
use super::scene::{Name, Scene};
use super::selector::Selector;
use super::server::Server;
use super::table::{self, Include, metadata_only};
use super::watch;

/// The most documents of a page if the request names no limit.
const ALL: usize = usize::MAX;
/// How many documents are joined while the view is held: some milliseconds.
pub(super) const SLICE: usize = 512;

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new()
        .route("/apis/encamp.dev/v1/{plural}", get(many))
        .route("/apis/encamp.dev/v1/namespaces/{namespace}/{plural}", get(many))
        .route("/apis/encamp.dev/v1/namespaces/{namespace}/{plural}/{name}", get(single))
        .route("/apis/encamp.dev/v1/namespaces/{namespace}/{plural}/{name}/status", get(single))
        .route("/apis/encamp.dev/v1/nodes/{name}", get(single))
        .route("/apis/encamp.dev/v1/nodes/{name}/status", get(single))
}

async fn many(
    State(server): State<Server>,
    place: Place,
    Asked(query): Asked<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    list_or_watch(&server, &Listed::new(place.kind()?, place.namespace(), &query, &headers)?, &query).await
}

async fn single(
    State(server): State<Server>,
    place: Place,
    Asked(query): Asked<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    one(&server, place.kind()?, &place.name(), (&query, &headers)).await
}

pub(super) async fn one(
    server: &Server,
    kind: Kind,
    name: &Name,
    (query, headers): (&ReadQuery, &HeaderMap),
) -> Result<Response, Refusal> {
    let join = |scene: &Scene<'_>| {
        let document = catalog::join(&Scene { explains: true, ..*scene }, kind, name);
        let document = document.ok_or_else(|| missing(scene, kind, name))?;
        let include = Include::of(query.include_object.as_deref());
        Ok(axum::Json(shape(kind, Form::of(headers), include, (document, scene))).into_response())
    };
    server.show(|| server.look(join)).await?
}

/// One document in the form that was asked for.
pub(super) fn shape(
    kind: Kind,
    form: Form,
    include: Include,
    (document, scene): (Value, &Scene<'_>),
) -> Value {
    match form {
        Form::Document => document,
        Form::Metadata => metadata_only(&document),
        Form::Table => {
            let columns = catalog::columns(kind);
            let row = table::row(columns, &document, include, scene.now);
            let metadata = json!({"resourceVersion": document["metadata"]["resourceVersion"]});
            table::table(columns, &[row], &metadata)
        }
    }
}

/// Which documents are listed or watched, and in which form.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Of this kind.
    pub kind: Kind,
    /// In this namespace, or in all.
    pub namespace: Option<String>,
    /// Those that it selects.
    pub selector: Selector,
    /// In this form.
    pub form: Form,
    /// With so much in a row.
    pub include: Include,
}

impl Listed {
    /// Reads what a request asks for.
    pub(super) fn new(
        kind: Kind,
        namespace: Option<String>,
        query: &ReadQuery,
        headers: &HeaderMap,
    ) -> Result<Listed, Refusal> {
        let (labels, fields) = (query.label_selector.as_deref(), query.field_selector.as_deref());
        let selector = Selector::parse(labels, fields, catalog::selectable(kind))?;
        let include = Include::of(query.include_object.as_deref());
        Ok(Listed { kind, namespace, selector, form: Form::of(headers), include })
    }

    /// Whether a name can be among them.
    pub(super) fn admits(&self, name: &Name) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == name.namespace)
            && self.selector.name().is_none_or(|wanted| wanted == name.name)
    }

    /// The names that can be among them, sorted.
    pub(super) fn names(&self, scene: &Scene<'_>) -> Vec<Name> {
        let mut names = catalog::names(scene, self.kind, self.namespace.as_deref());
        names.retain(|name| self.admits(name));
        names
    }

    /// A document, if it is among them.
    pub(super) fn join(&self, scene: &Scene<'_>, name: &Name) -> Option<Value> {
        catalog::join(scene, self.kind, name).filter(|document| self.selector.selects(document))
    }
}

pub(super) async fn list_or_watch(
    server: &Server,
    listed: &Listed,
    query: &ReadQuery,
) -> Result<Response, Refusal> {
    let answer = || {
        if is_set(query.watch.as_ref()) {
            watch::stream(server, listed.clone(), query)
        } else {
            list(server, listed, query)
        }
    };
    server.show(answer).await?
}

/// Where a page ended: the revision of the first page and the last name of this one. A watch that starts at
/// that revision makes up for whatever changed between the pages.
struct Token {
    revision: Revision,
    last: Name,
}

impl Token {
    fn encode(&self) -> String {
        let Name { namespace, name } = &self.last;
        URL_SAFE_NO_PAD.encode(format!("{}/{namespace}/{name}", self.revision))
    }

    fn decode(text: &str) -> Option<Token> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut words = text.splitn(3, '/');
        let (revision, namespace, name) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
        Some(Token { revision: Revision(revision), last: Name::new(namespace, name) })
    }
}

fn list(server: &Server, listed: &Listed, query: &ReadQuery) -> Result<Response, Refusal> {
    let token = match query.token.as_deref() {
        None | Some("") => None,
        Some(text) => Some(
            Token::decode(text).ok_or_else(|| Refusal::bad_request("continue: the token cannot be read"))?,
        ),
    };
    if let Some(token) = &token
        && !server.feed().remembers(token.revision)
    {
        return Err(Refusal::expired());
    }
    let limit = query.limit.filter(|limit| *limit > 0);
    let limit = limit.map_or(ALL, |limit| usize::try_from(limit).unwrap_or(ALL));
    Ok(axum::Json(page(server, listed, token.as_ref(), limit)).into_response())
}

/// One page. A long one is joined slice by slice, so that the view is never held for long; like the changes between
/// pages, those between slices are made up for by a watch that starts at the list's revision.
fn page(server: &Server, listed: &Listed, token: Option<&Token>, limit: usize) -> Value {
    let (names, now, seen) = server.look(|scene| (listed.names(scene), scene.now, scene.view.revision));
    let start = token.map_or(0, |token| names.partition_point(|name| *name <= token.last));
    let revision = token.map_or(seen, |token| token.revision);
    let mut documents = Vec::new();
    let mut taken = start;
    while taken < names.len() && documents.len() < limit {
        let slice = &names[taken..names.len().min(taken + SLICE)];
        taken += server.look(|scene| {
            let room = limit - documents.len();
            let (found, used) = join_some(scene, listed, slice, room);
            documents.extend(found);
            used
        });
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if taken < names.len() {
        let last = names[taken - 1].clone();
        metadata["continue"] = json!(Token { revision, last }.encode());
        if listed.selector.is_everything() {
            metadata["remainingItemCount"] = json!(names.len() - taken);
        }
    }
    collection(now, listed, &documents, &metadata)
}

/// At most so many documents of these names, and how many names were used up.
fn join_some(scene: &Scene<'_>, listed: &Listed, names: &[Name], room: usize) -> (Vec<Value>, usize) {
    let mut found = Vec::new();
    for (used, name) in names.iter().enumerate() {
        if found.len() == room {
            return (found, used);
        }
        found.extend(listed.join(scene, name));
    }
    (found, names.len())
}

fn collection(now: Timestamp, listed: &Listed, documents: &[Value], metadata: &Value) -> Value {
    match listed.form {
        Form::Document => json!({
            "apiVersion": listed.kind.api_version(), "kind": format!("{}List", listed.kind.words().kind),
            "metadata": metadata, "items": documents,
        }),
        Form::Metadata => json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": metadata,
            "items": documents.iter().map(metadata_only).collect::<Vec<_>>(),
        }),
        Form::Table => {
            let columns = catalog::columns(listed.kind);
            let row = |document: &Value| table::row(columns, document, listed.include, now);
            table::table(columns, &documents.iter().map(row).collect::<Vec<_>>(), metadata)
        }
    }
}
