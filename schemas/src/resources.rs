//! What a task asks of a node, and what its group asks in total.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::placement_rules::{Affinity, Constraint};

/// CPU shares in MHz when a task asks for nothing.
pub const DEFAULT_CPU_MHZ: u64 = 100;

/// What a task asks of its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// CPU in MHz. Default: 100 when `cores` is not set; excludes `cores`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u64>,
    /// Whole CPU cores that no other task may use; excludes `cpu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Memory in MB, at least 10. Default: 300.
    pub memory: u64,
    /// Memory in MB up to which the task may grow; -1 is unlimited. A node whose agent allows `memory_oversubscription`
    /// counts `memory` alone; any other counts all of it, and takes no unlimited task. Default: `memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<i64>,
    /// Size in MB of the in-memory directory for secrets. Default: 1 MB, not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<u64>,
    /// Devices such as GPUs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Whether cores and devices should belong to one NUMA node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numa: Option<Numa>,
}

impl Default for Resources {
    fn default() -> Self {
        Resources {
            cpu: None,
            cores: None,
            memory: 300,
            memory_max: None,
            secrets: None,
            devices: Vec::new(),
            numa: None,
        }
    }
}

impl Resources {
    /// The CPU ask in MHz; 0 when the task asks for whole cores instead.
    pub fn cpu_mhz(&self) -> u64 {
        match (self.cpu, self.cores) {
            (Some(mhz), _) => mhz,
            (None, Some(cores)) if cores > 0 => 0,
            (None, _) => DEFAULT_CPU_MHZ,
        }
    }

    /// The memory in MB at which the task is stopped; nothing means no limit.
    pub fn memory_limit_mb(&self) -> Option<u64> {
        match self.memory_max {
            None | Some(0) => Some(self.memory),
            Some(mb) => u64::try_from(mb).ok(),
        }
    }
}

/// A number of devices of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Device {
    /// `type`, `vendor/type` or `vendor/type/model`, such as `gpu` or `nvidia/gpu`.
    pub name: String,
    /// How many. Default: 1.
    pub count: u32,
    /// Conditions on device attributes, such as `${device.attr.memory} >= 8 GiB`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Preferences on device attributes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affinities: Vec<Affinity>,
}

impl Default for Device {
    fn default() -> Self {
        Device { name: String::new(), count: 1, constraints: Vec::new(), affinities: Vec::new() }
    }
}

/// Whether cores and devices should belong to one NUMA node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Numa {
    /// `none`, `prefer` or `require`. Default: `none`.
    pub affinity: NumaAffinity,
    /// Names of the devices that must share the NUMA node of the cores.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
}

/// How strongly one NUMA node is wished for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumaAffinity {
    /// Any cores will do.
    #[default]
    None,
    /// One NUMA node if possible.
    Prefer,
    /// One NUMA node or no placement.
    Require,
}
