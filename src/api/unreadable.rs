//! Documents that are there and cannot be read: whom each concerns, the condition `Unreadable` of those, and the list
//! of all for `encamp status`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use plan::view::Unreadable;
use schemas::key::{Key, Revision, Shape};
use schemas::meta::Condition;
use schemas::roster::readings_of_name;
use serde_json::{Value, json};

use super::kind::Kind;
use super::scene::{Name, Scene};
use super::server::Server;

/// How many documents a list or a condition names.
const NAMED: (usize, usize) = (100, 3);

/// The route of the list.
pub(super) fn router() -> Router<Server> {
    Router::new().route("/apis/encamp.dev/v1/unreadable", get(list))
}

async fn list(State(server): State<Server>) -> Json<Value> {
    Json(server.look(|scene| {
        let rows = scene.view.unreadable.iter().take(NAMED.0).map(|(key, why)| {
            let Unreadable { owner, meanwhile, mended } = Unreadable::of(key);
            json!({
                "key": key, "revision": why.modified.0, "why": why.value, "owner": owner,
                "meanwhile": meanwhile, "mended": mended,
            })
        });
        json!({
            "revision": scene.view.revision.0, "count": scene.view.unreadable.len(), "unknown": scene.view.unknown.len(),
            "items": rows.collect::<Vec<_>>(),
        })
    }))
}

/// The keys under these segments that are those of documents and cannot be read.
pub(super) fn keys<'a>(scene: &Scene<'a>, segments: &[&str]) -> impl Iterator<Item = &'a Key> + use<'a> {
    let under = scene.view.unreadable.under(segments);
    under.map(|(key, _)| key).filter(|key| key.shape() == Shape::Known)
}

/// Whom a document concerns.
pub(super) fn concerned(key: &Key) -> Option<(Kind, Name)> {
    match key.kind() {
        _ if key.shape() != Shape::Known => None,
        "jobs" | "versions" | "rosters" | "deployments" => {
            Some((Kind::Job, Name::new(key.segment(1), key.segment(2))))
        }
        "placements" | "details" => Some((Kind::Allocation, Name::new(key.segment(2), key.segment(3)))),
        "reports" | "fingerprints" | "nodes" | "links" | "health" => {
            Some((Kind::Node, Name::new("", key.segment(1))))
        }
        _ => None,
    }
}

/// The condition of a job.
pub(super) fn of_job(scene: &Scene<'_>, name: &Name) -> Option<Condition> {
    if scene.view.unreadable.is_empty() {
        return None;
    }
    let (namespace, job) = (name.namespace.as_str(), name.name.as_str());
    let own = Key::job(namespace, job);
    let own = scene.view.unreadable.iter().map(|(key, _)| key).filter(move |key| **key == own);
    let kinds = ["versions", "rosters", "deployments"].into_iter();
    let parts = kinds.flat_map(|kind| keys(scene, &[kind, namespace, job]));
    let is_of_job = |key: &&Key| {
        key.segment(2) == namespace && readings_of_name(key.segment(3)).iter().any(|named| named.job == job)
    };
    condition(scene, own.chain(parts).chain(keys(scene, &["placements"]).filter(is_of_job)))
}

/// The condition of a node.
pub(super) fn of_node(scene: &Scene<'_>, node: &str) -> Option<Condition> {
    condition(scene, keys_of_node(scene, node))
}

/// When something of a node that cannot be read was written last.
pub(super) fn written_for_node(scene: &Scene<'_>, node: &str) -> Option<Revision> {
    keys_of_node(scene, node).filter_map(|key| Some(scene.view.counters(key)?.modified)).max()
}

fn keys_of_node<'a>(scene: &Scene<'a>, node: &str) -> impl Iterator<Item = &'a Key> + use<'a> {
    let own = ["fingerprints", "nodes", "links", "health"].map(|kind| format!("/{kind}/{node}"));
    let unreadable = &scene.view.unreadable;
    let all =
        unreadable.iter().map(|(key, _)| key).filter(move |key| own.iter().any(|own| own == key.as_str()));
    all.chain(keys(scene, &["reports", node]))
}

/// The condition of an allocation.
pub(super) fn of_allocation(scene: &Scene<'_>, name: &Name) -> Option<Condition> {
    if scene.view.unreadable.is_empty() {
        return None;
    }
    let of_kinds = ["placements", "details"].into_iter().flat_map(|kind| keys(scene, &[kind]));
    let is_its =
        |key: &&Key| (key.segment(2), key.segment(3)) == (name.namespace.as_str(), name.name.as_str());
    condition(scene, of_kinds.filter(is_its))
}

fn condition<'a>(scene: &Scene<'_>, keys: impl Iterator<Item = &'a Key>) -> Option<Condition> {
    let told: Vec<String> = keys.filter_map(|key| told(scene, key)).collect();
    let more = told.len().saturating_sub(NAMED.1);
    let mut message = told.iter().take(NAMED.1).cloned().collect::<Vec<_>>().join("; ");
    if more > 0 {
        message += &format!("; and {more} more");
    }
    (!told.is_empty()).then(|| Condition {
        kind: "Unreadable".to_owned(),
        status: "True".to_owned(),
        reason: "CannotBeRead".to_owned(),
        message,
        ..Condition::default()
    })
}

/// A sentence about one document.
pub(super) fn told(scene: &Scene<'_>, key: &Key) -> Option<String> {
    let why = scene.view.unreadable.get(key)?;
    let Unreadable { owner: _, meanwhile, mended } = Unreadable::of(key);
    Some(format!("{key}: {why}; {meanwhile}; {mended}"))
}
