//! What an agent is told about itself and its machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemas::duration::Duration;
use schemas::node::{Amount, HostVolume, PortRange};

/// The whole configuration of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConfig {
    /// The node's name: unique in the cluster, one segment of a key.
    pub name: String,
    /// Where the machine stands.
    pub datacenter: String,
    /// The region of the cluster.
    pub region: String,
    /// The pool that jobs choose.
    pub pool: String,
    /// A free word for machines that are alike.
    pub class: String,
    /// Words that jobs match with `${meta.x}`.
    pub meta: BTreeMap<String, String>,
    /// Where allocations, logs and the agent's memory lie.
    pub data_dir: PathBuf,
    /// The servers that are told of this node's life, in order of preference.
    pub servers: Vec<String>,
    /// What tasks may not use.
    pub reserved: Amount,
    /// Ports that tasks may not use.
    pub reserved_ports: Vec<u16>,
    /// Ports for tasks that ask for any.
    pub dynamic_ports: PortRange,
    /// What the machine has, where it should not be measured.
    pub capacity: Option<Amount>,
    /// Directories that groups may mount.
    pub host_volumes: BTreeMap<String, HostVolume>,
    /// Whether memory may be promised to several: tasks count with their `memory` and may grow beyond it.
    pub memory_oversubscription: bool,
    /// Settings of drivers, under Nomad's `options` names.
    pub options: BTreeMap<String, String>,
    /// Whether `raw_exec` may be used: its tasks have all rights of the agent.
    pub raw_exec: bool,
    /// Where the agent answers for logs.
    pub bind: SocketAddr,
    /// The address under which servers reach it, if it is not the one it listens on.
    pub advertise: Option<String>,
    /// The address at which tasks are reached; the machine's own if absent.
    pub host_ip: Option<std::net::IpAddr>,
    /// The longest time that a task may take to end.
    pub max_kill_timeout: Duration,
}

impl AgentConfig {
    /// An agent with the defaults of Nomad's client.
    pub fn new(name: impl Into<String>, data_dir: impl Into<PathBuf>) -> AgentConfig {
        AgentConfig {
            name: name.into(),
            datacenter: "dc1".to_owned(),
            region: "global".to_owned(),
            pool: "default".to_owned(),
            class: String::new(),
            meta: BTreeMap::new(),
            data_dir: data_dir.into(),
            servers: Vec::new(),
            reserved: Amount::default(),
            reserved_ports: Vec::new(),
            dynamic_ports: PortRange::default(),
            capacity: None,
            host_volumes: BTreeMap::new(),
            memory_oversubscription: false,
            options: BTreeMap::new(),
            raw_exec: false,
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertise: None,
            host_ip: None,
            max_kill_timeout: Duration::from_seconds(30),
        }
    }
}
