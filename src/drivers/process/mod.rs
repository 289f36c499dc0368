//! What `raw_exec` and `exec` share: each task has a small supervisor process of its own, which outlives the agent.
//!
//! The supervisor is this binary started anew. It holds the task's output, waits for it, writes down how it ended,
//! and takes orders on a Unix socket; the agent is told by the same socket and never polls. One supervisor more than
//! there are tasks waits for the next, so that a task starts without waiting for its supervisor to start.

pub mod cgroup;
mod connection;
mod driver;
pub mod enter;
mod host;
mod orders;
mod orphan;
pub mod procfs;
pub mod record;
mod session;
pub(super) mod signals;
mod survey;
pub mod wire;

pub use driver::{ProcessDriver, ProcessKind};
pub use host::{HostOptions, ProcessHost};
