//! The network a group runs in: its mode, its ports, its name resolution.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The network of a group; all its tasks share it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// `host` (the node's own network), `bridge` (own addresses behind the node), `none` (loopback only) or
    /// `cni/<name>`. Default: `host`.
    pub mode: String,
    /// The host name inside the allocation; needs mode `bridge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Name servers for the allocation instead of the node's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// Arguments for the network plugin; needs mode `bridge` or `cni/<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cni: Option<Cni>,
    /// The ports that the group listens on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
}

impl Default for Network {
    fn default() -> Self {
        Network { mode: "host".to_owned(), hostname: None, dns: None, cni: None, ports: Vec::new() }
    }
}

/// One port under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    /// The name under which tasks, services and checks find the port.
    pub label: String,
    /// A fixed port on the node. Default: a free port between 20000 and 32000 is chosen.
    #[serde(rename = "static", skip_serializing_if = "Option::is_none")]
    pub static_port: Option<u16>,
    /// The port inside the allocation's own network; -1 means the same as on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i32>,
    /// The node's named network whose address is used. Default: `default`.
    pub host_network: String,
    /// Lets several allocations of one node listen on the same static port (they must set `SO_REUSEPORT`). Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_collision: bool,
}

impl Default for Port {
    fn default() -> Self {
        Port {
            label: String::new(),
            static_port: None,
            to: None,
            host_network: "default".to_owned(),
            ignore_collision: false,
        }
    }
}

/// Name resolution inside the allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// Addresses of name servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// Search domains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub searches: Vec<String>,
    /// Resolver options, such as `ndots:2`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// Arguments for a CNI network plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Cni {
    /// Keys and values passed as `CNI_ARGS`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
}
