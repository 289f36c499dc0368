//! What the machine is: asked by the agent when it registers. A simulation answers what it likes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use futures::future::BoxFuture;
use schemas::node::Amount;

use super::config::AgentConfig;
use super::fingerprint;

/// What a look at the machine gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineFacts {
    /// Facts under Nomad's names.
    pub attributes: BTreeMap<String, String>,
    /// All that the machine has.
    pub capacity: Amount,
}

/// The machine that the agent runs on.
pub trait Machine: Send + Sync + 'static {
    /// Looks at it.
    fn observe(&self) -> BoxFuture<'_, MachineFacts>;
    /// The address that tasks are reached at.
    fn host_ip(&self) -> IpAddr;
}

/// A machine that is what it is said to be.
#[derive(Clone, Debug)]
pub struct FixedMachine {
    /// What it is.
    pub facts: MachineFacts,
    /// Its address.
    pub ip: IpAddr,
}

impl Machine for FixedMachine {
    fn observe(&self) -> BoxFuture<'_, MachineFacts> {
        Box::pin(std::future::ready(self.facts.clone()))
    }
    fn host_ip(&self) -> IpAddr {
        self.ip
    }
}

/// The machine that this process runs on.
#[derive(Clone, Debug)]
pub struct ThisMachine {
    folder: PathBuf,
    capacity: Option<Amount>,
    ip: IpAddr,
}

impl ThisMachine {
    /// As an agent's configuration has it: where allocations lie, and what it says over what is measured.
    pub fn new(config: &AgentConfig) -> ThisMachine {
        let found = || fingerprint::machine(&config.data_dir).host_ip;
        let ip = config.host_ip.or_else(found).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        ThisMachine { folder: config.data_dir.clone(), capacity: config.capacity, ip }
    }
}

impl Machine for ThisMachine {
    fn observe(&self) -> BoxFuture<'_, MachineFacts> {
        Box::pin(async {
            let folder = self.folder.clone();
            let looked = tokio::task::spawn_blocking(move || fingerprint::machine(&folder)).await;
            let found = looked.unwrap_or_default();
            let measured =
                Amount { cpu_mhz: found.cpu_mhz, memory_mb: found.memory_mb, disk_mb: found.disk_mb };
            MachineFacts { attributes: found.attributes, capacity: self.capacity.unwrap_or(measured) }
        })
    }
    fn host_ip(&self) -> IpAddr {
        self.ip
    }
}
