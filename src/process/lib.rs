//! Which rooms run in a process: a server, an agent, or both.
//!
//! Wiring only: configuration in, rooms started, one stop token through all of them.

mod agent;
mod beat;
mod brake_watch;
mod config;
mod control_plane;
mod dev;
mod epoch;
mod error;
mod foreign;
mod host;
mod lanes;
mod leftovers;
mod opening;
mod options;
mod ownership;
mod server;
mod storage;
mod stray_watch;
mod throwaway;
#[cfg(feature = "etcd")]
mod upkeep;
mod watchdog;

pub use agent::{AgentArgs, agent};
pub use control_plane::{ControlPlane, Identity, Part, controllers};
pub use dev::{DevArgs, dev};
pub use error::StartError;
pub use host::talk;
pub use lanes::Lane;
pub use server::{ServerArgs, server};
pub use storage::StoreArgs;
