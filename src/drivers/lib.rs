//! Runtimes behind one contract. A driver knows tasks, never jobs; the runtime itself is the record of what runs.

pub mod config;
pub mod contract;
pub mod docker;
mod events;
pub mod exec;
pub mod hidden;
pub mod logs;
pub mod process;
pub mod raw_exec;
pub mod signal;
pub mod supervisor;
pub mod task_id;
mod turns;
pub mod user;

pub use contract::{Driver, Launch};
pub use signal::Signal;
pub use task_id::TaskId;
