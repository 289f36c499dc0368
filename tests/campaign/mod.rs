//! Long runs against real processes, and what they share: see `run.rs`.

pub mod chaos;
pub mod client;
pub mod judge;
pub mod keep;
pub mod liveness;
pub mod recorder;
pub mod schedule;
pub mod stand;
pub mod wanted;
pub mod workload;
