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
use store::{CommitError, Entry, Txn};

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
    /// What it is to a store that is full.
    pub weight: Weight,
}

/// What a change is to a store that is full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It makes something new or larger: refused before the store's reserve is touched.
    Growth,
    /// It ends something: written as long as anything can be.
    Relief,
    /// It ends something, and where not even that can be written these deletes do as well.
    Deletes(Vec<Key>),
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
    let unreadable =
        server.look(|scene| scene.view.unreadable.counters(key)).map(|counters| counters.modified);
    let (mut stored, mut unreadable) = (cached, unreadable);
    for _ in 0..TRIES {
        let made = server.think(|| make(stored.as_ref())).await??;
        let Change { document, writes, seen, mut warnings, weight } = made;
        let is_new = stored.is_none() && unreadable.is_none();
        let outdated = check(server, target, stored.as_ref(), &seen);
        if let Err(refusal) = outdated {
            // The picture of this server may lag behind what the sender has seen elsewhere.
            let (latest, _) = fresh(server, key).await?;
            if revision(latest.as_ref()) == revision(stored.as_ref()) {
                return Err(refusal);
            }
            stored = latest;
            continue;
        }
        if is_dry || writes.is_empty() {
            return Ok(Done { document, is_new, warnings });
        }
        // What cannot be read is replaced: it is as if nothing were there, but for the guard.
        let guard = match revision(stored.as_ref()).or(unreadable) {
            Some(revision) => Guard::At(key.clone(), revision),
            None => Guard::Absent(key.clone()),
        };
        if weight == Weight::Growth {
            let bytes = Txn { guards: Vec::new(), writes: writes.clone() }.size() as u64;
            server.room().admit(bytes).await.map_err(|why| Refusal::no_room(&why))?;
        }
        let guards = vec![guard];
        let mut answer = server.commit(Txn { guards: guards.clone(), writes }).await;
        if answer == Err(CommitError::Full)
            && let Weight::Deletes(keys) = weight
        {
            let writes = keys.into_iter().map(|key| Write::Delete { key }).collect();
            answer = server.commit(Txn { guards, writes }).await;
            warnings
                .push("the store is full: it is gone at once, and what runs ends once there is room".into());
        }
        match answer {
            Ok(revision) => {
                server.shown(revision).await;
                return Ok(Done { document, is_new, warnings });
            }
            Err(CommitError::Conflict) => (stored, unreadable) = fresh(server, key).await?,
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

/// A document as the store has it now; of one that cannot be read, the revision.
async fn fresh<D: Document>(
    server: &Server,
    key: &Key,
) -> Result<(Option<Stored<D>>, Option<Revision>), Refusal> {
    let Some(entry) = server.fresh(key).await? else { return Ok((None, None)) };
    let Entry { key: _, value, created, modified, version } = entry;
    Ok(match codec::decode(&value) {
        Ok(value) => (Some(Stored { value, created, modified, version }), None),
        Err(_) => (None, Some(modified)),
    })
}
