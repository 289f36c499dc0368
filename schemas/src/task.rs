//! A task: one program that a driver runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::duration::Duration;
pub use crate::identity::{Consul, Identity, Secret, Vault};
use crate::placement_rules::{Affinity, Constraint};
use crate::policy::Restart;
pub use crate::resources::{Device, Numa, NumaAffinity, Resources};
use crate::service::Service;
pub use crate::template::{Artifact, ArtifactMode, ChangeMode, ChangeScript, Template, Wait};
pub use crate::volume::{CsiPlugin, CsiPluginType, PropagationMode, VolumeMount};

/// One program that a driver runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Task {
    /// The task's name, unique in the group.
    pub name: String,
    /// What runs it: `docker`, `exec`, `raw_exec`, `java` or `qemu`.
    pub driver: String,
    /// What the driver is told; its keys depend on the driver.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// The user it runs as. Default: `nobody` for exec and java, else the driver's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether the other tasks are stopped when this one ends; at most one in a group. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leader: bool,
    /// How long it may take to end after the stop signal. Default: 5s.
    pub kill_timeout: Duration,
    /// The stop signal. Default: `SIGINT`; docker: `SIGTERM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_signal: Option<String>,
    /// How long to wait between taking its services out of the catalog and stopping it. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_delay: Option<Duration>,
    /// Environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Keys and values for the task, over those of the group and the job.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// What it asks of the node.
    pub resources: Resources,
    /// When it runs in the life of its group. Default: it is a main task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// How much of its output is kept.
    pub logs: Logs,
    /// Files that are fetched before it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// Files that are rendered before it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Template>,
    /// Secrets that are read before it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// A Vault token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<Vault>,
    /// Which Consul it talks to. Default: the group's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consul: Option<Consul>,
    /// Signed tokens that say who it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
    /// Services of this task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// The group's volumes that it sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Makes it a storage plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csi_plugin: Option<CsiPlugin>,
    /// Commands that people may run in it by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// The hours in which it runs. Default: always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Conditions that a node must meet, besides those of the group and the job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Preferences for nodes, besides those of the group and the job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affinities: Vec<Affinity>,
    /// How often it is started again. Default: the group's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// Where the payload of a dispatch is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_payload: Option<DispatchPayload>,
    /// What the task is to the system, such as a Connect proxy; not for job files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Between which sizes its CPU and memory may be scaled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scalings: Vec<ResourceScaling>,
}

impl Default for Task {
    fn default() -> Self {
        Task {
            name: String::new(),
            driver: String::new(),
            config: Map::new(),
            user: None,
            leader: false,
            kill_timeout: Duration::from_seconds(5),
            kill_signal: None,
            shutdown_delay: None,
            env: BTreeMap::new(),
            meta: BTreeMap::new(),
            resources: Resources::default(),
            lifecycle: None,
            logs: Logs::default(),
            artifacts: Vec::new(),
            templates: Vec::new(),
            secrets: Vec::new(),
            vault: None,
            consul: None,
            identities: Vec::new(),
            services: Vec::new(),
            volume_mounts: Vec::new(),
            csi_plugin: None,
            actions: Vec::new(),
            schedule: None,
            constraints: Vec::new(),
            affinities: Vec::new(),
            restart: None,
            dispatch_payload: None,
            kind: None,
            scalings: Vec::new(),
        }
    }
}

impl Task {
    /// When the task runs; nothing for a main task.
    pub fn hook(&self) -> Option<Hook> {
        self.lifecycle.as_ref().and_then(|lifecycle| lifecycle.hook)
    }

    /// Whether it is one of the group's main tasks.
    pub fn is_main(&self) -> bool {
        self.hook().is_none()
    }

    /// Whether it keeps running beside the main tasks.
    pub fn is_sidecar(&self) -> bool {
        self.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.hook.is_some() && lifecycle.sidecar)
    }

    /// The memory in MB that it may reach; nothing means no limit. A limit of its driver's own goes before the task's.
    pub fn memory_reach_mb(&self) -> Option<u64> {
        hard_limit_mb(&self.driver, &self.config).or_else(|| self.resources.memory_limit_mb())
    }

    /// The signal that asks it to end.
    pub fn stop_signal(&self) -> &str {
        let otherwise = if self.driver == "docker" { "SIGTERM" } else { "SIGINT" };
        self.kill_signal.as_deref().unwrap_or(otherwise)
    }
}

/// The hard limit of memory in MB that a docker task's `config` says, if it says one that is a number; 0 is none.
pub fn hard_limit_mb(driver: &str, config: &Map<String, Value>) -> Option<u64> {
    let said = config.get("memory_hard_limit").filter(|_| driver == "docker")?;
    let number = said.as_u64().or_else(|| said.as_str()?.trim().parse().ok());
    number.filter(|mb| *mb > 0)
}

/// When a task runs in the life of its group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    /// `prestart` (before the main tasks), `poststart` (after they started) or `poststop` (after they ended).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<Hook>,
    /// Whether it keeps running beside the main tasks and is restarted like them. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sidecar: bool,
}

/// The moment at which a lifecycle task starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// Before the main tasks; without `sidecar` it must end well first.
    Prestart,
    /// After the main tasks started.
    Poststart,
    /// After the main tasks ended.
    Poststop,
}

/// How much of a task's output is kept on its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Logs {
    /// Files per stream. Default: 10.
    pub max_files: u32,
    /// Size of one file in MB. Default: 10.
    pub max_file_size: u32,
    /// Whether nothing is kept. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

impl Default for Logs {
    fn default() -> Self {
        Logs { max_files: 10, max_file_size: 10, disabled: false }
    }
}

/// A command that people may run in the task by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Action {
    /// The action's name, unique in the task.
    pub name: String,
    /// The program.
    pub command: String,
    /// Its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
}

/// The hours in which a task runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// The hours, by calendar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<ScheduleCron>,
}

/// Hours by calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleCron {
    /// A calendar expression for the start.
    pub start: String,
    /// Minute and hour of the end, as in a calendar expression.
    pub end: String,
    /// The time zone. Default: `UTC`.
    pub timezone: String,
}

impl Default for ScheduleCron {
    fn default() -> Self {
        ScheduleCron { start: String::new(), end: String::new(), timezone: "UTC".to_owned() }
    }
}

/// Where the payload of a dispatch is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct DispatchPayload {
    /// The file, relative to the task's `local/` directory.
    pub file: String,
}

/// Between which sizes a resource of a task may be scaled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceScaling {
    /// `cpu` or `mem`.
    pub name: String,
    /// Whether scaling is on. Default: true.
    pub enabled: bool,
    /// The least size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// The greatest size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// What an autoscaler reads; kept as it is.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub policy: Map<String, Value>,
}

impl Default for ResourceScaling {
    fn default() -> Self {
        ResourceScaling { name: String::new(), enabled: true, min: None, max: None, policy: Map::new() }
    }
}
