//! Which rooms run in a process: a server, an agent, or both.
//!
//! Wiring only: configuration in, rooms started, one stop token through all of them.

mod agent;
mod beat;
mod config;
mod control_plane;
mod dev;
mod foreign;
mod host;
mod lanes;
mod server;
mod storage;
#[cfg(feature = "etcd")]
mod upkeep;
mod watchdog;

pub use agent::{AgentArgs, agent};
pub use control_plane::{Identity, control_plane, controllers};
pub use dev::{DevArgs, dev};
pub use lanes::Lanes;
pub use server::{ServerArgs, server};
pub use storage::StoreArgs;
