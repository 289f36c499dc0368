//! Silence to node health: ready, down, and when to look again.
//!
//! A node is heard by the server that its link names. It is down if that server says so (three missed beats
//! of two seconds), or if that server is silent itself and the node has linked nowhere else within the
//! grace. Writes follow transitions, never the number of nodes: a root is one node, or one server for all
//! the nodes it hears.
//!
//! Assumption (the agent's duty): a node's reports are written before the link that says it is back, so that
//! whoever sees it ready sees the truth about its allocations too.

mod decide;

pub use decide::{GRACE, Heartbeat};
