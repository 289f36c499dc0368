//! What the machine is: asked by the agent when it registers. A simulation answers what it likes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use futures::future::BoxFuture;
use schemas::node::Amount;

use super::config::AgentConfig;
use super::fingerprint;
use super::ports::{self, PortAsk, Taken};

/// What a look at the machine gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineFacts {
    /// Facts for constraints, under Nomad's names: `cpu.arch`, `kernel.name` …
    pub attributes: BTreeMap<String, String>,
    /// All that the machine has; of the disk, what is free where allocations lie.
    pub capacity: Amount,
}

/// The machine that the agent runs on.
pub trait Machine: Send + Sync + 'static {
    /// Looks at it.
    fn observe(&self) -> BoxFuture<'_, MachineFacts>;
    /// The address that tasks are reached at.
    fn host_ip(&self) -> IpAddr;
    /// The first of these ports that somebody has. A machine that is made up has nobody else.
    fn taken(&self, asks: Vec<PortAsk>) -> BoxFuture<'static, Option<Taken>> {
        drop(asks);
        Box::pin(std::future::ready(None))
    }
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
    ip: IpAddr,
}

impl ThisMachine {
    /// With the folder for allocations and the address of an agent's configuration.
    pub fn new(config: &AgentConfig) -> ThisMachine {
        let ip = config.host_ip.or_else(fingerprint::outward_address);
        ThisMachine { folder: config.data_dir.clone(), ip: ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)) }
    }
}

impl Machine for ThisMachine {
    fn observe(&self) -> BoxFuture<'_, MachineFacts> {
        Box::pin(async {
            let folder = self.folder.clone();
            let looked = tokio::task::spawn_blocking(move || fingerprint::observe(&folder)).await;
            looked.expect("nothing there panics: what cannot be read is left out")
        })
    }
    fn host_ip(&self) -> IpAddr {
        self.ip
    }
    fn taken(&self, asks: Vec<PortAsk>) -> BoxFuture<'static, Option<Taken>> {
        Box::pin(async move {
            let looked = tokio::task::spawn_blocking(move || ports::taken(&asks)).await;
            looked.expect("nothing there panics: what cannot be read is left out")
        })
    }
}
