//! Runtimes behind one contract. A driver knows tasks, never jobs; the runtime itself is the record of what runs.

pub mod contract;
pub mod signal;
pub mod task_id;

pub use contract::{Driver, Launch};
pub use signal::Signal;
pub use task_id::TaskId;
