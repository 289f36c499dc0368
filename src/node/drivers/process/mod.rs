//! What `raw_exec` and `exec` share: each task has a small supervisor process of its own, which outlives the agent.
//!
//! The supervisor is this binary started anew. It holds the task's output, waits for it, writes down how it ended,
//! and takes orders on a Unix socket; the agent is told by the same socket and never polls.

pub mod cgroup;
mod connection;
pub mod enter;
mod host;
mod orders;
mod orphan;
pub mod procfs;
pub mod record;
mod session;
mod survey;
pub mod wire;

pub use host::{HostOptions, ProcessHost};
