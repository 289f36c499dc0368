//! What happened lately, remembered by this process alone: a ring of the last thousand events.
//!
//! Events are made from the changes that a server sees, so every server tells the same story without a write.

use std::collections::VecDeque;

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

/// The last events, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    ring: VecDeque<Event>,
}

impl Events {
    /// Remembers one more; gives back the one that is forgotten for it.
    pub(super) fn push(&mut self, event: Event) -> Option<Event> {
        self.ring.push_back(event);
        if self.ring.len() > CAPACITY { self.ring.pop_front() } else { None }
    }

    /// All that are remembered, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.ring.iter()
    }

    /// The newest of that name.
    pub(super) fn get(&self, name: &Name) -> Option<&Event> {
        self.ring.iter().rev().find(|event| event.name() == *name)
    }
}
