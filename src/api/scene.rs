//! What documents are joined from: the view, the recent events and the time, borrowed together.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use plan::View;
use plan::view::Stored;
use schemas::key::{Key, Revision};
use schemas::meta::{ObjectMeta, OwnerReference};
use schemas::natural;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::events::Events;
use super::kind::{GROUP_VERSION, Kind};

/// A document of a kind, by namespace (empty where the kind has none) and name. Names are in their natural order, and
/// so is every list: version 2 comes before version 10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Name {
    /// A name in a namespace.
    pub(super) fn new(namespace: impl Into<String>, name: impl Into<String>) -> Name {
        Name { namespace: namespace.into(), name: name.into() }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        let Name { namespace, name } = self;
        natural::compare(namespace, &other.namespace).then_with(|| natural::compare(name, &other.name))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One look at everything that documents are joined from.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// The cluster.
    pub view: &'a View,
    /// What happened lately.
    pub events: &'a Events,
    /// Whether it is worth asking every node why something waits: for one document, not for a list.
    pub explains: bool,
    /// The time, for ages and phases.
    pub now: Timestamp,
}

impl Scene<'_> {
    /// The identity of a document: the same as long as it is not deleted and made again.
    pub(super) fn uid(&self, key: &Key, created: Revision) -> String {
        // The epoch is another after a restore, when revisions begin anew.
        let seed = format!("{}/{key}@{created}", self.view.epoch.id);
        Uuid::new_v5(&Uuid::NAMESPACE_URL, seed.as_bytes()).to_string()
    }

    /// The owner entry of what belongs to a job.
    pub(super) fn owner(&self, namespace: &str, job: &str) -> Vec<OwnerReference> {
        let key = Key::job(namespace, job);
        let owner = self.view.jobs.stored(&key).map(|stored| OwnerReference {
            api_version: GROUP_VERSION.to_owned(),
            kind: Kind::Job.words().kind.to_owned(),
            name: job.to_owned(),
            uid: self.uid(&key, stored.created),
            controller: Some(true),
            block_owner_deletion: None,
        });
        owner.into_iter().collect()
    }
}

/// The greatest revision of the halves of a document.
pub(super) fn newest<const N: usize>(halves: [Option<Revision>; N]) -> Revision {
    halves.into_iter().flatten().max().unwrap_or_default()
}

/// When a half was written last.
pub(super) fn written<T>(half: Option<&Stored<T>>) -> Option<Revision> {
    half.map(|half| half.modified)
}

/// The labels by which what belongs to a job is selected.
pub(super) fn job_labels(job: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("encamp.dev/job".to_owned(), job.to_owned())])
}

/// A whole document.
pub(super) fn document(kind: Kind, metadata: &ObjectMeta, parts: &[(&str, Value)]) -> Value {
    let mut document = json!({
        "apiVersion": kind.api_version(), "kind": kind.words().kind, "metadata": metadata,
    });
    for (name, part) in parts {
        document[*name] = part.clone();
    }
    document
}

/// A part of a document as JSON.
pub(super) fn part<T: Serialize>(part: &T) -> Value {
    serde_json::to_value(part).expect("documents have string keys only")
}
