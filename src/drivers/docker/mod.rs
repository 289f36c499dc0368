//! The `docker` driver: tasks as containers of a Docker daemon on the same machine.
//!
//! The daemon is the only record. A container carries the task's id and incarnation as labels and has a name derived
//! from the id, so a second creation collides instead of doubling. Containers of other nodes or other tools are
//! never touched. Output is copied from the daemon into the same rotated files as that of any other task.

mod answer;
mod body;
mod config;
mod driver;
mod exec;
mod image;
mod leftover;
mod mounts;
mod output;
mod shared;
mod watch;

pub use driver::Docker;
pub use leftover::remove_all_of;
pub use shared::DockerOptions;
