//! Silence to node health: ready, down, and when to look again.
//!
//! A node is heard by the server that its link names. It is silent if that server says so, or if that server is silent
//! itself and the node has linked nowhere else within its grace. Who becomes ready is decided for each node by itself;
//! who is given up, for all nodes together: when many fall silent at once, a brake holds. Writes follow transitions,
//! never the number of nodes.
//!
//! Assumption (the agent's duty): a beat says that all is told only after the node's reports are written, so that
//! whoever sees it ready sees the truth about its allocations too.

mod brake;
mod decide;
#[cfg(test)]
mod scene;
mod survey;

pub use decide::Heartbeat;
