//! A machine that runs tasks, in five halves with five writers.
//!
//! `Fingerprint` is what the agent found, `Node` what people decided, `Link` the server the agent is
//! connected to, `Beat` a server's own sign of life, and `Health` what the heartbeat controller makes
//! of the last two.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::Document;
use crate::duration::Duration;
use crate::meta::ObjectMeta;

mod agent_beat;
pub use agent_beat::{AgentBeat, BeatAnswer, FORMER_SESSIONS};

/// What the agent found on its machine and was told by its configuration (`/fingerprints/<node>`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Fingerprint {
    /// Where the machine stands. Default: `dc1`.
    pub datacenter: String,
    /// Default: `global`.
    pub region: String,
    /// The pool that jobs choose with `nodePool`. Default: `default`.
    pub pool: String,
    /// A free word for machines that are alike.
    pub class: String,
    /// Where the agent answers for logs and statistics, `host:port`.
    pub address: String,
    /// The address that tasks are reached at.
    pub host_ip: String,
    /// Version of the agent.
    pub agent_version: String,
    /// The node's own id, made once and kept by its agent; the name is a label. Nothing from an older agent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The life of the agent that wrote this.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// Facts, under Nomad's names: `cpu.arch`, `kernel.name`, `driver.docker.version`.
    pub attributes: BTreeMap<String, String>,
    /// Words of the configuration, matched by `${meta.x}`.
    pub meta: BTreeMap<String, String>,
    /// Which drivers there are, and whether they work.
    pub drivers: BTreeMap<String, DriverHealth>,
    /// All that the machine has.
    pub capacity: Amount,
    /// What tasks may not use.
    pub reserved: Amount,
    /// Ports that tasks may not use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reserved_ports: Vec<u16>,
    /// The first and last port given out for dynamic ports. Default: 20000–32000.
    pub dynamic_ports: PortRange,
    /// Whether memory may be promised to several: tasks count with their `memory` and may grow beyond it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub memory_oversubscription: bool,
    /// Directories of the machine that groups may mount.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub host_volumes: BTreeMap<String, HostVolume>,
    /// The epoch of the store that the agent follows: it takes nothing from one that does not continue it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub follows: String,
}
impl Document for Fingerprint {}

impl Fingerprint {
    /// What tasks may use in all.
    pub fn usable(&self) -> Amount {
        self.capacity.without(self.reserved)
    }
}

/// A directory of the machine that groups may mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HostVolume {
    /// The directory.
    pub path: String,
    /// Whether nobody may write to it.
    pub read_only: bool,
}

/// Whether a driver is there and works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DriverHealth {
    /// Its runtime was found.
    pub detected: bool,
    /// It can start tasks now.
    pub healthy: bool,
    /// Why not, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// An amount of what machines have and tasks ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Amount {
    /// MHz.
    #[serde(rename = "cpu", alias = "c")]
    pub cpu_mhz: u64,
    /// MB.
    #[serde(rename = "memory", alias = "m")]
    pub memory_mb: u64,
    /// MB.
    #[serde(rename = "disk", alias = "d")]
    pub disk_mb: u64,
}

impl Amount {
    /// Both together.
    pub fn plus(self, other: Amount) -> Amount {
        Amount {
            cpu_mhz: self.cpu_mhz.saturating_add(other.cpu_mhz),
            memory_mb: self.memory_mb.saturating_add(other.memory_mb),
            disk_mb: self.disk_mb.saturating_add(other.disk_mb),
        }
    }
    /// What is left after taking `other` away; nothing is below zero.
    pub fn without(self, other: Amount) -> Amount {
        Amount {
            cpu_mhz: self.cpu_mhz.saturating_sub(other.cpu_mhz),
            memory_mb: self.memory_mb.saturating_sub(other.memory_mb),
            disk_mb: self.disk_mb.saturating_sub(other.disk_mb),
        }
    }
    /// Whether `other` has at least this much of everything.
    pub fn fits_in(self, other: Amount) -> bool {
        self.cpu_mhz <= other.cpu_mhz && self.memory_mb <= other.memory_mb && self.disk_mb <= other.disk_mb
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}
impl Default for PortRange {
    /// Nomad's `min_dynamic_port` and `max_dynamic_port`.
    fn default() -> PortRange {
        PortRange { first: 20_000, last: 32_000 }
    }
}

/// What people decided about a machine (`/nodes/<node>`). A node without this document has the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Node {
    /// Name, labels and bookkeeping.
    pub metadata: ObjectMeta,
    /// The decisions.
    pub spec: NodeSpec,
    /// When `spec.eligible` changed last; nothing if it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub eligible_since: Option<Timestamp>,
}
impl Document for Node {}

/// The decisions about a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NodeSpec {
    /// Whether new allocations may be placed here. Default: true.
    pub eligible: bool,
    /// How long the node may be silent before it is called down, from 4s to 24h. Default: the cluster's grace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_grace: Option<Duration>,
}
impl Default for NodeSpec {
    fn default() -> NodeSpec {
        NodeSpec { eligible: true, heartbeat_grace: None }
    }
}

/// The server an agent is connected to (`/links/<node>`), written by that server on a change only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Link {
    /// The server that hears the node.
    pub server: String,
    /// False once the node was silent for its whole grace.
    pub connected: bool,
    /// The beat that made this link came with all reports written. Default: true.
    pub told: bool,
    /// The session of that beat.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// Which beat of its session it was. 0: not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub count: u64,
}
impl Document for Link {}
impl Default for Link {
    fn default() -> Link {
        Link { server: String::new(), connected: false, told: true, session: String::new(), count: 0 }
    }
}

/// Whether a number can be left out.
fn is_zero<N: Copy + Into<u64>>(number: &N) -> bool {
    (*number).into() == 0
}

/// A server's sign of life (`/beats/<server>`), written once a second. Only its change counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Beat {
    /// Which beat this is since the server started.
    pub count: u64,
    /// Where the server's API answers.
    pub address: String,
    /// How many of the nodes that are its to judge have missed a beat or more, those that it called silent included.
    #[serde(skip_serializing_if = "is_zero")]
    pub late: u32,
}
impl Document for Beat {}

/// What the heartbeat controller makes of silence (`/health/<node>`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    /// Whether the node is up.
    pub state: NodeState,
    /// Since when, by the controller's clock.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// When the node was first heard, by the controller's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub known_since: Option<Timestamp>,
    /// Why, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
impl Document for Health {}

/// Whether a node is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Known, not yet heard.
    #[default]
    Initializing,
    /// It beats.
    Ready,
    /// Silent for too long; its allocations are lost.
    Down,
}
