//! The node agent's side of the world: runtimes, folders, logs, fingerprints.
//! Everything here waits, blocks or fails; what to do is decided in `controllers/agent`.

pub mod alloc_dir;
pub mod drivers;
pub mod logs;
