//! The scheduler as the control loop knows it.

use jiff::Timestamp;
use plan::{Controller, Plan, View, Write};
use schemas::key::Key;

use crate::decide;

/// Writes placements. Its one root is everything that is open: a node's room is shared by all jobs, so what
/// waits is placed together, in one order, by one plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scheduler;

/// The one root.
fn root() -> Key {
    Key::new("/rosters").expect("one segment is a key")
}

impl Controller for Scheduler {
    type Effect = Write;

    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn roots(&self, _view: &View, changed: &Key) -> Vec<Key> {
        match changed.kind() {
            "jobs" | "versions" | "rosters" | "placements" | "reports" | "fingerprints" | "nodes"
            | "health" | "tombstones" | "epoch" => {
                vec![root()]
            }
            _ => Vec::new(),
        }
    }

    fn all_roots(&self, _view: &View) -> Vec<Key> {
        vec![root()]
    }

    fn plan(&self, view: &View, _root: &Key, now: Timestamp) -> Plan<Write> {
        decide::decide(view, now)
    }
}
