//! How others find a group or task: services and their health checks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::connect::Connect;
use crate::duration::Duration;
use crate::identity::Identity;

/// A name under which the instances of a group or task are registered while they run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// The name in the catalog, letters, digits and `-`, at most 63. Default: `<job>-<group>` or `<job>-<group>-<task>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which catalog: `nomad` (built in) or `consul`. Default: `consul`.
    pub provider: Provider,
    /// The port, as a label of the group's network or as a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// A fixed address to register instead of the instance's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Which address is registered: `auto`, `host`, `alloc`, `alloc_ipv6` or `driver`. Default: `auto`.
    pub address_mode: AddressMode,
    /// Words by which instances are selected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The tags of canaries instead of `tags`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub canary_tags: Vec<String>,
    /// Keys and values kept with the registration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// The meta of canaries instead of `meta`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub canary_meta: BTreeMap<String, String>,
    /// Further addresses by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tagged_addresses: BTreeMap<String, String>,
    /// Whether tags changed in Consul are kept. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enable_tag_override: bool,
    /// How checks count for a rollout: `require_healthy`, `ignore_warnings` or `ignore`. Default: `require_healthy`.
    pub on_update: OnUpdate,
    /// Weights of the instance in DNS answers.
    pub weights: Weights,
    /// The task that the service belongs to, for script checks and Connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The kind of service in Consul, such as `api-gateway`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Which of the configured Consul clusters. Default: `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The identity with which the service is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Tests of the service's health.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// When failing checks restart the task; applies to every check without its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_restart: Option<CheckRestart>,
    /// Membership in the Consul service mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<Connect>,
}

/// The catalog that a service is registered in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Consul's catalog.
    #[default]
    Consul,
    /// The cluster's own catalog.
    Nomad,
}

/// Which address of an instance is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressMode {
    /// The allocation's own address if it has one, else the node's.
    #[default]
    Auto,
    /// The node's address and port.
    Host,
    /// The allocation's own address and port.
    Alloc,
    /// The allocation's own IPv6 address and port.
    AllocIpv6,
    /// The address that the driver reports.
    Driver,
}

/// How the state of a check counts while a new version rolls out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUpdate {
    /// It must pass.
    #[default]
    RequireHealthy,
    /// A warning counts as passing.
    IgnoreWarnings,
    /// It does not count.
    Ignore,
}

/// Weights of an instance in DNS answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Weights {
    /// While all checks pass. Default: 1.
    pub passing: u32,
    /// While a check warns. Default: 1.
    pub warning: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Weights { passing: 1, warning: 1 }
    }
}

/// A test that is repeated for as long as the instance runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// The check's name. Default: `service: "<service>" check`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `http`, `tcp`, `grpc` or `script`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub check_type: Option<CheckType>,
    /// Time between two tests, at least 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// How long one test may take, at least 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The path of an `http` check; needed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The method of an `http` check. Default: `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The body of an `http` check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The headers of an `http` check.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// `http` or `https`. Default: `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The port, as a label or a number. Default: the service's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Which address is tested: `host`, `alloc`, `alloc_ipv6` or `driver`. Default: `host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_mode: Option<AddressMode>,
    /// The state before the first test: `critical`, `warning` or `passing`. Default: `critical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_status: Option<String>,
    /// How many tests in a row must succeed before the check passes. Default: 0.
    pub success_before_passing: u32,
    /// How many tests in a row must fail before the check is critical. Default: 0.
    pub failures_before_critical: u32,
    /// How many tests in a row must fail before the check warns. Default: 0.
    pub failures_before_warning: u32,
    /// The server name that TLS asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
    /// Whether certificates are not checked. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tls_skip_verify: bool,
    /// The service that a `grpc` check asks about. Default: the server as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_service: Option<String>,
    /// Whether a `grpc` check uses TLS. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub grpc_use_tls: bool,
    /// The program of a `script` check; it runs inside the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The arguments of a `script` check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The task that a `script` check runs in. Default: the service's task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Whether the check's path is exposed through the Connect proxy. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expose: bool,
    /// How this check counts for a rollout. Default: the service's `onUpdate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_update: Option<OnUpdate>,
    /// A remark for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// When failures of this check restart the task. Default: the service's `checkRestart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_restart: Option<CheckRestart>,
}

/// What a check does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckType {
    /// A request whose status must be 2xx.
    Http,
    /// A connection that must be accepted.
    Tcp,
    /// A call of the gRPC health protocol.
    Grpc,
    /// A command in the task that must exit with 0 (1 warns).
    Script,
}

/// When failing checks restart a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckRestart {
    /// After how many failures in a row; 0 never. Default: 0.
    pub limit: u32,
    /// How long after a start failures do not count. Default: 1s.
    pub grace: Duration,
    /// Whether warnings do not count. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_warnings: bool,
}

impl Default for CheckRestart {
    fn default() -> Self {
        CheckRestart { limit: 0, grace: Duration::from_seconds(1), ignore_warnings: false }
    }
}
