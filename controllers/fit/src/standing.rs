//! Whether a node takes new work at all.

use plan::View;
use schemas::key::Key;
use schemas::node::{Fingerprint, NodeState};

/// Whether a node takes new work at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// It is heard, and follows this store.
    pub is_ready: bool,
    /// Nobody said that nothing new may go there.
    pub is_eligible: bool,
}

impl Standing {
    /// As the view knows it.
    pub fn of(view: &View, name: &str, fingerprint: &Fingerprint) -> Standing {
        let health = view.health.get(&Key::health(name)).map(|health| health.state);
        let node = Key::node(name);
        let decided = view.nodes.get(&node);
        Standing {
            is_ready: health == Some(NodeState::Ready) && view.is_followed_by(fingerprint),
            is_eligible: decided.is_none_or(|node| node.spec.eligible) && !view.is_unreadable(&node),
        }
    }
}
