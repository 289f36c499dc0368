//! Who a task is and what it may read: secrets, Vault tokens, signed identities, Consul settings.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::duration::Duration;
use crate::template::ChangeMode;

/// A secret that is read before the task starts and used as `${secret.<name>.<KEY>}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Secret {
    /// The name under which the task refers to it.
    pub name: String,
    /// Where it is read: `nomad` (the cluster's own variables), `vault` or the name of a plugin.
    pub provider: String,
    /// The path inside the provider.
    pub path: String,
    /// Options of the provider.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// Environment of the plugin.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// A Vault token for the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Vault {
    /// The Vault role. Default: the role that the cluster names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Vault policies of the token (older way; prefer `role`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// The Vault namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Which of the configured Vault clusters. Default: `default`.
    pub cluster: String,
    /// Whether `VAULT_TOKEN` is set for the task. Default: true.
    pub env: bool,
    /// Whether the token is not written into the secrets directory. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_file: bool,
    /// What happens when the token changes: `noop`, `restart` or `signal`. Default: `restart`.
    pub change_mode: ChangeMode,
    /// The signal of change mode `signal`. Default: `SIGHUP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_signal: Option<String>,
    /// Whether the token may expire instead of being renewed. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_token_expiration: bool,
}

impl Default for Vault {
    fn default() -> Self {
        Vault {
            role: None,
            policies: Vec::new(),
            namespace: None,
            cluster: "default".to_owned(),
            env: true,
            disable_file: false,
            change_mode: ChangeMode::Restart,
            change_signal: None,
            allow_token_expiration: false,
        }
    }
}

/// A signed token (JWT) that says which workload this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The identity's name; `default` is the one every task has. Default: `default`.
    pub name: String,
    /// For whom the token is meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aud: Vec<String>,
    /// Whether the token is put into the environment. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub env: bool,
    /// Whether the token is written into the secrets directory. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub file: bool,
    /// Where the token is written, relative to the task's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filepath: Option<String>,
    /// How long the token is valid; it is renewed at about half of it. Default: as long as the allocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// What happens when the token changes: `noop`, `restart` or `signal`. Default: `noop`.
    pub change_mode: ChangeMode,
    /// The signal of change mode `signal`. Default: `SIGHUP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_signal: Option<String>,
    /// The service this identity speaks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Further claims that are put into the token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_claims: Vec<String>,
}

impl Default for Identity {
    fn default() -> Self {
        Identity {
            name: "default".to_owned(),
            aud: Vec::new(),
            env: false,
            file: false,
            filepath: None,
            ttl: None,
            change_mode: ChangeMode::Noop,
            change_signal: None,
            service_name: None,
            extra_claims: Vec::new(),
        }
    }
}

/// Which Consul a group or task talks to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Consul {
    /// The Consul namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Which of the configured Consul clusters. Default: `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The Consul admin partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
}
