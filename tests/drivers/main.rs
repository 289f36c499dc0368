//! One contract, every driver, real processes. A driver that this machine cannot run is skipped with a loud line.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests may fail loudly and say what they skip")]

mod bed;
mod contract;
mod processes;
mod walls;
