//! What the machine is: asked by the agent when it registers. A simulation answers what it likes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use futures::future::BoxFuture;
use schemas::node::Amount;

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
