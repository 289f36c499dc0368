//! Membership of a service in the Consul mesh. Parsed and kept; proxies are configured by free-form maps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::duration::Duration;
use crate::resources::Resources;
use crate::task::{Logs, VolumeMount};

/// Membership in the mesh: natively, through a sidecar proxy, or as a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Connect {
    /// Whether the task speaks the mesh's protocol itself. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub native: bool,
    /// The service of the proxy that runs beside the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecar_service: Option<SidecarService>,
    /// Changes to the task that runs the proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecar_task: Option<SidecarTask>,
    /// Makes the service a gateway of the mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
}

/// The service of a sidecar proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SidecarService {
    /// Tags of the proxy's own registration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The port, as a label or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Keys and values of the proxy's own registration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// Whether the usual check of the proxy's port is left out. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_default_tcp_check: bool,
    /// What the proxy does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
}

/// What a sidecar proxy does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxy {
    /// The address of the local service. Default: `127.0.0.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_service_address: Option<String>,
    /// The port of the local service. Default: the service's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_service_port: Option<u16>,
    /// Services that the group reaches through the proxy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<Upstream>,
    /// Paths that are reachable without the mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expose: Option<Expose>,
    /// Sends all traffic of the group through the proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transparent_proxy: Option<TransparentProxy>,
    /// Further settings of the proxy, kept as they are.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
}

/// A service that the group reaches through its proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstream {
    /// The service's name.
    pub destination_name: String,
    /// Its Consul namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_namespace: Option<String>,
    /// Its peer cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_peer: Option<String>,
    /// Its admin partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_partition: Option<String>,
    /// `service` or `prepared_query`. Default: `service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_type: Option<String>,
    /// The local port under which it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_bind_port: Option<u16>,
    /// The local address under which it is reached. Default: `127.0.0.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_bind_address: Option<String>,
    /// The local socket under which it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_bind_socket_path: Option<String>,
    /// The mode of that socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_bind_socket_mode: Option<String>,
    /// The datacenter it is looked for in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<String>,
    /// How traffic finds gateways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mesh_gateway: Option<MeshGateway>,
    /// Further settings, kept as they are.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
}

/// How traffic finds mesh gateways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct MeshGateway {
    /// `none`, `local` or `remote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Paths of a service that are reachable without the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Expose {
    /// The paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<ExposePath>,
}

/// One path that is reachable without the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ExposePath {
    /// The path.
    pub path: String,
    /// `http` or `grpc`. Default: `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The port of the local service.
    pub local_path_port: u16,
    /// The label of the port that listens.
    pub listener_port: String,
}

/// Sends all traffic of the group through the proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TransparentProxy {
    /// The user id of the proxy, whose traffic is left alone. Default: 101.
    pub uid: String,
    /// The proxy's port for outbound traffic. Default: 15001.
    pub outbound_port: u16,
    /// Inbound ports that are left alone, as labels or numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_inbound_ports: Vec<String>,
    /// Outbound ports that are left alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_outbound_ports: Vec<u16>,
    /// Outbound networks that are left alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "excludeOutboundCIDRs")]
    pub exclude_outbound_cidrs: Vec<String>,
    /// Users whose traffic is left alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "excludeUIDs")]
    pub exclude_uids: Vec<String>,
    /// Whether name resolution is not sent through Consul. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "noDNS")]
    pub no_dns: bool,
}

impl Default for TransparentProxy {
    fn default() -> Self {
        TransparentProxy {
            uid: "101".to_owned(),
            outbound_port: 15001,
            exclude_inbound_ports: Vec::new(),
            exclude_outbound_ports: Vec::new(),
            exclude_outbound_cidrs: Vec::new(),
            exclude_uids: Vec::new(),
            no_dns: false,
        }
    }
}

/// Changes to the task that runs a sidecar proxy; what is missing stays as the cluster sets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct SidecarTask {
    /// The task's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the driver is told.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// Environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What it asks of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Keys and values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// How much of its output is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Logs>,
    /// How long it may take to end after the stop signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_timeout: Option<Duration>,
    /// The stop signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_signal: Option<String>,
    /// How long to wait before it is stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_delay: Option<Duration>,
    /// The group's volumes that it sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
}

/// Makes a service a gateway of the mesh; exactly one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Gateway {
    /// Settings of the gateway's proxy, kept as they are.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub proxy: Map<String, Value>,
    /// Lets traffic into the mesh; kept as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Map<String, Value>>,
    /// Lets traffic out of the mesh; kept as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating: Option<Map<String, Value>>,
    /// Connects meshes; kept as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mesh: Option<Map<String, Value>>,
}
