//! What happened lately, remembered by this process alone: a ring of the last thousand events.
//!
//! Events are made from the changes that a server sees, so every server tells the same story without a write.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use schemas::key::Revision;

use super::kind::Kind;
use super::scene::Name;

/// How many events are remembered.
const CAPACITY: usize = 1000;

/// Something that happened to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// What it happened to.
    pub kind: Kind,
    /// Its namespace and name.
    pub about: Name,
    /// One word, `Placed`.
    pub reason: String,
    /// The task it is about; empty if it is about the whole.
    pub task: String,
    /// A sentence for people.
    pub message: String,
    /// Whether somebody should look.
    pub is_warning: bool,
    /// When.
    pub at: Timestamp,
    /// Who says so: a controller or a node.
    pub source: String,
    /// The revision that showed it.
    pub revision: Revision,
}

impl Event {
    /// The event's own name: derived, so that every server gives the same.
    pub(super) fn name(&self) -> Name {
        // Events of nodes live where Kubernetes keeps those of cluster-wide documents.
        let namespace =
            if self.about.namespace.is_empty() { "default" } else { self.about.namespace.as_str() };
        let task = if self.task.is_empty() { String::new() } else { format!("-{}", self.task) };
        let name = format!("{}.{}-{}{task}", self.about.name, self.revision, self.reason.to_lowercase());
        Name::new(namespace, name)
    }
}

/// The last events.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    by_name: BTreeMap<Name, Event>,
    /// Their names, oldest first, each once.
    order: VecDeque<Name>,
}

impl Events {
    /// Remembers one more, under its name; the oldest is forgotten for it.
    pub(super) fn push(&mut self, name: Name, event: Event) {
        if self.by_name.insert(name.clone(), event).is_some() {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }

    /// The names of all that are remembered, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.by_name.keys()
    }

    /// The event of that name.
    pub(super) fn get(&self, name: &Name) -> Option<&Event> {
        self.by_name.get(name)
    }
}
