//! The `config` of a docker task.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    config::{self, number, texts},
    contract::StartError,
};

/// All keys that work.
const KEYS: &[&str] = &[
    "image",
    "command",
    "args",
    "entrypoint",
    "ports",
    "port_map",
    "network_mode",
    "network_aliases",
    "hostname",
    "extra_hosts",
    "dns_servers",
    "dns_search_domains",
    "dns_options",
    "volumes",
    "mount",
    "mounts",
    "labels",
    "privileged",
    "cap_add",
    "cap_drop",
    "readonly_rootfs",
    "security_opt",
    "ulimit",
    "sysctl",
    "shm_size",
    "pids_limit",
    "pid_mode",
    "ipc_mode",
    "uts_mode",
    "userns_mode",
    "cpuset_cpus",
    "memory_hard_limit",
    "oom_score_adj",
    "init",
    "interactive",
    "tty",
    "work_dir",
    "force_pull",
    "image_pull_timeout",
    "auth",
    "auth_soft_fail",
    "group_add",
    "logging",
];
const BLOCKS: &[&str] = &["auth", "labels", "port_map", "ulimit", "sysctl", "logging"];

/// What the user wrote.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the user's own switches, each of which stands alone"
)]
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    pub(super) image: String,
    pub(super) command: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(super) args: Vec<String>,
    #[serde(deserialize_with = "text_or_texts")]
    pub(super) entrypoint: Vec<String>,
    pub(super) ports: Vec<String>,
    pub(super) port_map: BTreeMap<String, Value>,
    pub(super) network_mode: Option<String>,
    pub(super) network_aliases: Vec<String>,
    pub(super) hostname: Option<String>,
    pub(super) extra_hosts: Vec<String>,
    pub(super) dns_servers: Vec<String>,
    pub(super) dns_search_domains: Vec<String>,
    pub(super) dns_options: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) mount: Vec<MountConfig>,
    pub(super) mounts: Vec<MountConfig>,
    #[serde(deserialize_with = "pairs")]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) privileged: bool,
    pub(super) cap_add: Vec<String>,
    pub(super) cap_drop: Vec<String>,
    pub(super) readonly_rootfs: bool,
    pub(super) security_opt: Vec<String>,
    #[serde(deserialize_with = "pairs")]
    pub(super) ulimit: BTreeMap<String, String>,
    #[serde(deserialize_with = "pairs")]
    pub(super) sysctl: BTreeMap<String, String>,
    #[serde(deserialize_with = "number")]
    pub(super) shm_size: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) pids_limit: Option<i64>,
    pub(super) pid_mode: Option<String>,
    pub(super) ipc_mode: Option<String>,
    pub(super) uts_mode: Option<String>,
    pub(super) userns_mode: Option<String>,
    pub(super) cpuset_cpus: Option<String>,
    #[serde(deserialize_with = "number")]
    pub(super) memory_hard_limit: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) oom_score_adj: Option<i64>,
    pub(super) init: bool,
    pub(super) interactive: bool,
    pub(super) tty: bool,
    pub(super) work_dir: Option<String>,
    pub(super) force_pull: bool,
    pub(super) image_pull_timeout: Option<schemas::duration::Duration>,
    pub(super) auth: Option<Auth>,
    /// An image that is not given to whom `auth` names is asked for without a name.
    pub(super) auth_soft_fail: bool,
    #[serde(deserialize_with = "texts")]
    pub(super) group_add: Vec<String>,
    pub(super) logging: Option<Logging>,
}

/// How to sign in at a registry.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Auth {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) email: Option<String>,
    pub(super) server_address: Option<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Auth").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where the daemon keeps output; only kinds that can be read back.
#[derive(Debug, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Logging {
    #[serde(alias = "driver")]
    pub(super) r#type: Option<String>,
    #[serde(deserialize_with = "pairs")]
    pub(super) config: BTreeMap<String, String>,
}

/// One entry of `mount`.
#[derive(Debug, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MountConfig {
    pub(super) r#type: Option<String>,
    pub(super) target: String,
    pub(super) source: Option<String>,
    pub(super) readonly: bool,
    #[serde(deserialize_with = "one_or_none")]
    pub(super) tmpfs_options: Option<TmpfsOptions>,
}

/// The size of a mount in memory.
#[derive(Debug, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TmpfsOptions {
    #[serde(deserialize_with = "number")]
    pub(super) size: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) mode: Option<i64>,
}

impl Config {
    /// Reads and checks what needs no look at the node.
    pub(super) fn read(map: &serde_json::Map<String, Value>) -> Result<Self, StartError> {
        let config: Self = config::read("docker", map, KEYS, BLOCKS)?;
        if config.image.is_empty() {
            return Err(fatal("`image` is missing"));
        }
        Ok(config)
    }
}

/// An error that names the driver.
pub(super) fn fatal(text: &str) -> StartError {
    StartError::Fatal(format!("docker config: {text}"))
}

/// `entrypoint = "/start"` or `["/start", "-x"]`.
fn text_or_texts<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(vec![text]),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            texts(other).map_err(serde::de::Error::custom)
        }
    }
}

/// A map of texts, or a list of such maps.
fn pairs<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let maps = match Value::deserialize(deserializer)? {
        Value::Null => Vec::new(),
        Value::Array(list) => list,
        other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => vec![other],
    };
    let mut all = BTreeMap::new();
    for map in maps {
        let Value::Object(map) = map else { return Err(serde::de::Error::custom("expected a map of texts")) };
        for (key, value) in map {
            let text = config::text_of(value)
                .ok_or_else(|| serde::de::Error::custom(format!("{key}: not a text")))?;
            all.insert(key, text);
        }
    }
    Ok(all)
}

/// A block that arrives as itself or as a list with one.
fn one_or_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let mut value = Value::deserialize(deserializer)?;
    if let Some([only]) = value.as_array_mut().map(Vec::as_mut_slice) {
        value = only.take();
    }
    serde_json::from_value(value).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Config, String> {
        Config::read(&serde_json::from_str(json).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn blocks_and_lists_are_taken_as_job_files_write_them() {
        let config = read(
            r#"{"image":"redis:7","entrypoint":"/x","args":[1,"b"],"labels":[{"a":"1"},{"b":2}],
                "port_map":[{"http":80}],"auth":[{"username":"u","password":"p"}],
                "mount":[{"type":"tmpfs","target":"/t","tmpfs_options":[{"size":"1000"}]}]}"#,
        )
        .unwrap();
        assert_eq!(
            (config.entrypoint, config.args),
            (vec!["/x".to_owned()], vec!["1".to_owned(), "b".to_owned()])
        );
        assert_eq!(config.labels.len(), 2);
        assert_eq!(config.mount[0].tmpfs_options.as_ref().unwrap().size, Some(1000));
        assert!(!format!("{:?}", config.auth).contains("password"));
    }

    #[test]
    fn mistakes_are_explained() {
        let table = [
            ("{}", "docker config: `image` is missing"),
            (r#"{"image":"a","imag":"b"}"#, "docker config: unknown key `imag`, did you mean `image`?"),
            (
                r#"{"image":"a","dns_server":[]}"#,
                "docker config: unknown key `dns_server`, did you mean `dns_servers`?",
            ),
        ];
        for (json, expected) in table {
            assert_eq!(read(json).unwrap_err(), expected);
        }
    }

    #[test]
    fn what_a_job_may_say_is_done_or_refused_before() {
        config::assert_is_all_that_may_be_said("docker", KEYS);
    }
}
