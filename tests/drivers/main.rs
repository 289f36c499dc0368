//! One contract, every driver, real processes. A driver that this machine cannot run is skipped with a loud line.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests may fail loudly and say what they skip")]

#[path = "../common/docker.rs"]
mod docker_daemon;
#[path = "../common/mounts.rs"]
mod mounts;

/// What test programs share.
mod common {
    pub(crate) use crate::docker_daemon as docker;
}

mod bed;
mod contract;
mod docker;
mod processes;
mod walls;
mod walls_as_root;
