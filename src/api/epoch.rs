//! The epoch of the store: which history this is, and whose word makes agents of another follow it.
//!
//! `restored` is said once after a store was restored from a backup, `accept` once where servers were given a store
//! that agents with running tasks do not know. Both write `/epoch` alone, with who said it and when: the record of it
//! is the document itself.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use plan::{Guard, View, Write};
use schemas::epoch::{Ancestor, Epoch, Reason};
use schemas::key::Key;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Sent;
use super::kind::GROUP_VERSION;
use super::refusal::Refusal;
use super::request::{Asked, WordQuery};
use super::scene::part;
use super::server::Server;
use super::word;
use store::{CommitError, Txn};

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new()
        .route("/apis/encamp.dev/v1/store", get(show))
        .route("/apis/encamp.dev/v1/store/restored", post(restored))
        .route("/apis/encamp.dev/v1/store/accept", post(accept))
}

/// Who speaks, and of which history.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Word {
    /// Who says it.
    by: String,
    /// The one history to accept; all that waiting nodes follow if absent.
    epoch: Option<String>,
}

/// A node that follows another store than this one.
pub(super) struct Abroad<'a> {
    /// Its name.
    pub(super) node: &'a str,
    /// The epoch that it follows.
    pub(super) follows: &'a str,
}

/// The nodes that take nothing from this store.
pub(super) fn abroad(view: &View) -> impl Iterator<Item = Abroad<'_>> {
    let fingerprints = view.fingerprints.iter().filter(|(_, row)| !view.is_followed_by(&row.value));
    fingerprints.map(|(key, row)| Abroad { node: key.segment(1), follows: &row.value.follows })
}

async fn show(State(server): State<Server>) -> Json<Value> {
    Json(server.look(|scene| document(scene.view, &scene.view.epoch)))
}

fn document(view: &View, epoch: &Epoch) -> Value {
    let waiting: Vec<Value> = abroad(view)
        .filter(|abroad| !epoch.continues(abroad.follows))
        .map(|abroad| json!({"node": abroad.node, "follows": abroad.follows}))
        .collect();
    json!({
        "apiVersion": GROUP_VERSION, "kind": "Store", "epoch": epoch.id, "ancestors": part(&epoch.ancestors),
        "waiting": waiting,
    })
}

/// The store was restored from a backup: it goes on under a new name, after the one that it had.
async fn restored(
    State(server): State<Server>,
    headers: HeaderMap,
    Asked(query): Asked<WordQuery>,
    sent: Sent,
) -> Result<Json<Value>, Refusal> {
    let is_dry = query.is_dry_run()?;
    let Word { by, epoch } = word::read(&sent)?;
    let by = word::speaker(&by, &headers)?;
    if epoch.is_some() {
        return Err(Refusal::bad_request("epoch: only `accept` takes one; a restored store follows its own"));
    }
    let at = server.now();
    change(
        &server,
        is_dry,
        |current| Ok(current.restored(uuid::Uuid::new_v4().to_string(), (at, by.clone()))),
    )
    .await
}

/// Nodes that follow other stores are to follow this one.
async fn accept(
    State(server): State<Server>,
    headers: HeaderMap,
    Asked(query): Asked<WordQuery>,
    sent: Sent,
) -> Result<Json<Value>, Refusal> {
    let is_dry = query.is_dry_run()?;
    let Word { by, epoch } = word::read(&sent)?;
    let by = word::speaker(&by, &headers)?;
    let accepted: BTreeSet<String> = match epoch {
        Some(epoch) if epoch.is_empty() => {
            return Err(Refusal::bad_request("epoch: the name of a history, as `waiting` shows it"));
        }
        Some(epoch) => BTreeSet::from([word::text("epoch", &epoch)?.to_owned()]),
        None => server.look(|scene| abroad(scene.view).map(|abroad| abroad.follows.to_owned()).collect()),
    };
    if accepted.is_empty() {
        return Err(Refusal::bad_request(
            "no node waits for this store to be accepted; to accept it beforehand, name the epoch that they follow",
        ));
    }
    let at = server.now();
    change(&server, is_dry, |current| {
        if current.id.is_empty() {
            return Err(Refusal::unavailable(
                "the store has no name yet; a server gives it one when it starts",
            ));
        }
        let ancestors = accepted.iter().filter(|id| **id != current.id).cloned();
        let ancestors = ancestors.map(|id| Ancestor { id, reason: Reason::Accepted, at, by: by.clone() });
        Ok(ancestors.fold(current.clone(), Epoch::with))
    })
    .await
}

/// Rewrites the epoch, if nobody else does at the same time; a dry run only tells what it would be.
async fn change(
    server: &Server,
    is_dry: bool,
    make: impl Fn(Epoch) -> Result<Epoch, Refusal>,
) -> Result<Json<Value>, Refusal> {
    let key = Key::epoch();
    let stored = server.fresh(&key).await?;
    let current = match &stored {
        Some(entry) => Epoch::read(&entry.value).unwrap_or_else(|error| {
            tracing::error!("/epoch cannot be read and is written anew: {error}");
            Epoch::default()
        }),
        None => Epoch::default(),
    };
    let next = make(current)?;
    if is_dry {
        return Ok(Json(server.look(|scene| document(scene.view, &next))));
    }
    let guard = stored.map_or(Guard::Absent(key.clone()), |entry| Guard::At(key.clone(), entry.modified));
    let txn = Txn { guards: vec![guard], writes: vec![Write::put(key, &next)] };
    match server.commit(txn).await {
        Ok(revision) => {
            tracing::warn!(epoch = next.id, ancestors = ?next.ancestors.last(), "the store's epoch was changed");
            server.shown(revision).await;
            Ok(Json(server.look(|scene| document(scene.view, &next))))
        }
        Err(CommitError::Conflict) => {
            Err(Refusal::unavailable("somebody else changed the store's epoch just now; look and try again"))
        }
        Err(error) => Err(Refusal::unavailable(format!("the store's epoch was not changed: {error}"))),
    }
}

#[cfg(test)]
mod tests;
