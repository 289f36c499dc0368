//! The node agent's side of the world: runtimes, folders, logs, fingerprints, and the loop around them.
//! Everything here waits, blocks or fails; what to do is decided in `controllers/agent`.

pub mod alloc_dir;
mod allowed_drivers;
mod checks;
pub mod config;
pub mod data_lock;
mod details;
pub mod disk;
mod disk_use;
mod drain;
pub mod environment;
mod feed;
mod fingerprint;
mod hear;
pub mod http;
pub mod identity;
pub mod interpolate;
mod launch;
pub mod lifeline;
pub mod machine;
pub mod ports;
pub mod probe;
mod reality;
mod registration;
mod reports;
mod run;
mod saved;
mod settle;
mod standing;
mod timers;
mod versions;
mod works;

pub use allowed_drivers::{docker_options, open_all, open_process_drivers};
pub use config::AgentConfig;
pub use drain::drain_all;
pub use run::{World, run};
