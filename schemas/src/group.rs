//! A group: tasks that run together on one node, `count` times.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::duration::Duration;
use crate::identity::{Consul, Secret, Vault};
use crate::network::Network;
use crate::placement_rules::{Affinity, Constraint, Spread};
pub use crate::policy::{DelayFunction, Disconnect, Reconcile, Reschedule, Restart, RestartMode};
pub use crate::rollout::{HealthCheck, Migrate, Update};
use crate::service::Service;
use crate::task::Task;
pub use crate::volume::Volume;

/// Tasks that run together on one node, `count` times over the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// The group's name, unique in the job.
    pub name: String,
    /// How many instances run. Default: `scaling.min`, else 1; system jobs run one on every node that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Conditions that a node must meet, besides those of the job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Preferences for nodes, besides those of the job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affinities: Vec<Affinity>,
    /// How instances are distributed, besides the job's wishes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spreads: Vec<Spread>,
    /// The network that all tasks share; at most one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Volumes that tasks may mount.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// How a new version replaces the old one. Default: the job's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// How instances leave a node that is drained. Default: the job's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrate: Option<Migrate>,
    /// How often tasks are started again on the same node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// How often failed instances are placed again. Default: the job's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reschedule: Option<Reschedule>,
    /// What happens on a node that stopped answering. Default: instances are lost and replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect: Option<Disconnect>,
    /// The disk space of each instance.
    pub ephemeral_disk: EphemeralDisk,
    /// Between which counts the group may be scaled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Services of the group as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// The tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
    /// How long to wait between taking services out of the catalog and stopping tasks. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_delay: Option<Duration>,
    /// After how long an instance is stopped and counts as complete (batch and sysbatch jobs). Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_run_duration: Option<Duration>,
    /// Keys and values for tasks, over those of the job.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// Which Consul the group talks to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consul: Option<Consul>,
    /// A Vault token for every task without its own `vault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<Vault>,
    /// Secrets for every task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
}

impl Group {
    /// How many instances run.
    pub fn count(&self) -> u32 {
        self.count.or_else(|| self.scaling.as_ref().and_then(|scaling| scaling.min)).unwrap_or(1)
    }

    /// The one network of the group.
    pub fn network(&self) -> Option<&Network> {
        self.networks.first()
    }

    /// The task of that name.
    pub fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.name == name)
    }
}

/// The disk space of one instance; shared by its tasks and gone with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct EphemeralDisk {
    /// Size in MB that the scheduler reserves and the instance may fill. Default: 300.
    pub size: u64,
    /// Whether a replacement prefers the node of its predecessor and takes over its files. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
    /// Whether files are copied when the replacement lands on another node. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub migrate: bool,
}

impl Default for EphemeralDisk {
    fn default() -> Self {
        EphemeralDisk { size: 300, sticky: false, migrate: false }
    }
}

/// Between which counts a group may be scaled, and by which policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Scaling {
    /// Whether scaling is on. Default: true.
    pub enabled: bool,
    /// The least count. Default: `count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The greatest count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// What an autoscaler reads; kept as it is.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub policy: Map<String, Value>,
}

impl Default for Scaling {
    fn default() -> Self {
        Scaling { enabled: true, min: None, max: None, policy: Map::new() }
    }
}
