//! The loop of every write: read what is stored, make what is wanted of it, commit with guards, show it.
//!
//! Who says which resourceVersion or uid they saw gets a conflict if it changed; who does not, gets the change
//! done on top of whatever is there, tried again while others write.

use plan::view::Stored;
use plan::{Guard, Write};
use schemas::codec::{self, Document};
use schemas::key::{Key, Revision};
use serde_json::Value;

use super::kind::Kind;
use super::refusal::Refusal;
use super::scene::Name;
use super::server::Server;
use crate::store::{CommitError, Entry, Txn};

/// How often a change is tried again while others write the same document.
const TRIES: usize = 8;

/// What the sender has seen of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// It must not have changed after this revision.
    pub revision: Option<Revision>,
    /// It must have this identity.
    pub uid: Option<String>,
}

impl Seen {
    /// Reads the preconditions that a document's metadata carries.
    pub(super) fn of(metadata: &Value) -> Result<Seen, Refusal> {
        let revision = match metadata["resourceVersion"].as_str() {
            None | Some("") => None,
            Some(text) => Some(Revision(text.parse().map_err(|_| {
                Refusal::bad_request(format!("metadata.resourceVersion: {text:?} is not a revision"))
            })?)),
        };
        let uid = metadata["uid"].as_str().filter(|uid| !uid.is_empty()).map(str::to_owned);
        Ok(Seen { revision, uid })
    }
}

/// What a change makes of a document.
pub(super) struct Change<D> {
    /// The document as it will be.
    pub document: D,
    /// The writes; none if nothing changes.
    pub writes: Vec<Write>,
    /// What the sender has seen.
    pub seen: Seen,
    /// Sentences for people.
    pub warnings: Vec<String>,
}

/// What a write came to.
pub(super) struct Done<D> {
    /// The document.
    pub document: D,
    /// Whether it is new.
    pub is_new: bool,
    /// Sentences for people.
    pub warnings: Vec<String>,
}

/// Which document is changed, and whether for real.
pub(super) struct Target<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: &'a Name,
    /// Where it lives.
    pub key: &'a Key,
    /// Do everything but the write.
    pub is_dry: bool,
}

/// Changes a document: `make` is asked again with what is there as long as somebody else was faster.
pub(super) async fn change<D: Document + Clone + Send + Sync>(
    server: &Server,
    target: &Target<'_>,
    cached: Option<Stored<D>>,
    make: impl Fn(Option<&Stored<D>>) -> Result<Change<D>, Refusal> + Sync,
) -> Result<Done<D>, Refusal> {
    let Target { kind, name, key, is_dry } = *target;
    let mut stored = cached;
    for _ in 0..TRIES {
        let Change { document, writes, seen, warnings } = server.think(|| make(stored.as_ref())).await??;
        let is_new = stored.is_none();
        let outdated = check(server, target, stored.as_ref(), &seen);
        if let Err(refusal) = outdated {
            // The picture of this server may lag behind what the sender has seen elsewhere.
            let latest = fresh(server, key).await?;
            if revision(latest.as_ref()) == revision(stored.as_ref()) {
                return Err(refusal);
            }
            stored = latest;
            continue;
        }
        if is_dry || writes.is_empty() {
            return Ok(Done { document, is_new, warnings });
        }
        let guard = match &stored {
            Some(stored) => Guard::At(key.clone(), stored.modified),
            None => Guard::Absent(key.clone()),
        };
        match server.commit(Txn { guards: vec![guard], writes }).await {
            Ok(revision) => {
                server.shown(revision).await;
                return Ok(Done { document, is_new, warnings });
            }
            Err(CommitError::Conflict) => stored = fresh(server, key).await?,
            Err(error) => return Err(Refusal::of_commit(error, kind, &name.name)),
        }
    }
    Err(Refusal::of_commit(CommitError::Conflict, kind, &name.name))
}

fn revision<D>(stored: Option<&Stored<D>>) -> Option<Revision> {
    stored.map(|stored| stored.modified)
}

/// Whether what is stored is still what the sender has seen.
fn check<D>(
    server: &Server,
    target: &Target<'_>,
    stored: Option<&Stored<D>>,
    seen: &Seen,
) -> Result<(), Refusal> {
    let Some(stored) = stored else { return Ok(()) };
    let conflict = |why: &str| Err(Refusal::conflict(target.kind, &target.name.name, why));
    if let Some(wanted) = &seen.uid {
        let uid = server.look(|scene| scene.uid(target.key, stored.created));
        if *wanted != uid {
            return conflict(&format!(
                "Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}"
            ));
        }
    }
    if seen.revision.is_some_and(|revision| stored.modified > revision) {
        return conflict(
            "the object has been modified; please apply your changes to the latest version and try again",
        );
    }
    Ok(())
}

/// A document as the store has it now.
pub(super) async fn fresh<D: Document>(server: &Server, key: &Key) -> Result<Option<Stored<D>>, Refusal> {
    let Some(entry) = server.fresh(key).await? else { return Ok(None) };
    let Entry { key: _, value, created, modified, version } = entry;
    let value = codec::decode(&value).map_err(|error| Refusal::unavailable(error.to_string()))?;
    Ok(Some(Stored { value, created, modified, version }))
}
