//! The configuration file: the common keys of a Nomad agent file, in HCL or YAML.
//!
//! One file serves servers and agents. An unknown key is an error with its line and the nearest name; what
//! flags say wins over the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use schemas::duration::Duration;
use schemas::node::{Amount, HostVolume, PortRange};
use schemas::text;
use serde::Deserialize;

use super::foreign::FOREIGN;
use super::options;
use crate::error::StartError;
use crate::host::talk;
use node::AgentConfig;

/// All of a file. Missing keys mean the defaults.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileConfig {
    /// Of the node and the server.
    pub(super) name: Option<String>,
    region: Option<String>,
    datacenter: Option<String>,
    pub(super) data_dir: Option<PathBuf>,
    /// The address for everything that `addresses` does not name.
    bind_addr: Option<String>,
    log_level: Option<String>,
    addresses: Addresses,
    advertise: Addresses,
    ports: Ports,
    pub(super) limits: LimitsSection,
    pub(super) server: ServerSection,
    client: ClientSection,
}

/// One address per listener; there is one listener.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Addresses {
    http: Option<String>,
}

/// One port per listener.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Ports {
    http: Option<u16>,
}

/// How much a server answers at once.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LimitsSection {
    /// How many connections one address may have; 0 for no limit. Many agents behind one address need more.
    #[serde(rename = "http_max_conns_per_client")]
    pub(super) per_address: Option<usize>,
}

/// What only servers read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServerSection {
    pub(super) enabled: Option<bool>,
    /// Understood and without a meaning: the store decides who leads.
    pub(super) bootstrap_expect: Option<u32>,
    /// embedded:PATH or etcd://…; the rest is for etcd alone.
    pub(super) store: Option<String>,
    pub(super) store_root: Option<String>,
    pub(super) store_ca: Option<PathBuf>,
    pub(super) store_cert: Option<PathBuf>,
    pub(super) store_key: Option<PathBuf>,
    pub(super) store_user: Option<String>,
    pub(super) store_password_file: Option<PathBuf>,
    pub(super) store_history: Option<Duration>,
    /// Bytes.
    pub(super) store_quota: Option<u64>,
}

/// What only agents read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ClientSection {
    enabled: Option<bool>,
    servers: Vec<String>,
    node_class: Option<String>,
    node_pool: Option<String>,
    meta: BTreeMap<String, String>,
    reserved: Reserved,
    host_volume: BTreeMap<String, Volume>,
    options: BTreeMap<String, String>,
    max_kill_timeout: Option<Duration>,
    /// Let tasks grow beyond their `memory`, up to `memory_max`, in memory that others were promised.
    memory_oversubscription: Option<bool>,
    min_dynamic_port: Option<u16>,
    max_dynamic_port: Option<u16>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Reserved {
    /// MHz.
    cpu: u64,
    /// MB.
    memory: u64,
    /// MB.
    disk: u64,
    /// `22,80,8500-8600`
    #[serde(rename = "reserved_ports")]
    ports: String,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Volume {
    path: String,
    read_only: bool,
}

/// Reads one file, or none.
pub(super) fn load(file: Option<&PathBuf>) -> Result<FileConfig, StartError> {
    let Some(path) = file else { return Ok(FileConfig::default()) };
    let name = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|error| StartError::failed(format!("{name}: {error}")))?;
    let source = text::Source::new(name, text);
    let options = text::Options::default();
    let (config, warnings) = text::config(&source, &options, FOREIGN).map_err(|errors| {
        StartError::failed(format!(
            "the configuration is not valid\n{}",
            text::render(&errors, &source).trim_end()
        ))
    })?;
    if !warnings.is_empty() {
        talk(text::render(&warnings, &source).trim_end());
    }
    let config: FileConfig = config;
    for words in config.without_meaning() {
        talk(&format!("{}: {words}", source.name()));
    }
    Ok(config)
}

impl FileConfig {
    /// What is understood and changes nothing.
    fn without_meaning(&self) -> Vec<&'static str> {
        let mut words = Vec::new();
        if self.server.bootstrap_expect.is_some() {
            words.push("`bootstrap_expect` has no meaning here: the store decides who leads");
        }
        if [self.server.enabled, self.client.enabled].contains(&Some(false)) {
            words.push("`enabled = false` has no meaning here: the command says what runs");
        }
        words
    }

    /// tracing's word for Nomad's.
    pub(super) fn log_level(&self) -> String {
        self.log_level.as_deref().unwrap_or("info").to_lowercase()
    }

    /// Where the API listens.
    pub(super) fn api_bind(&self) -> Result<SocketAddr, StartError> {
        let host = self.addresses.http.as_deref().or(self.bind_addr.as_deref()).unwrap_or("127.0.0.1");
        let port = self.ports.http.unwrap_or(4646);
        let text = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        text.parse().map_err(|_| StartError::failed(format!("{host:?} is not an IP address to listen on")))
    }

    /// Puts what the file says over an agent's defaults.
    pub(super) fn over(&self, config: &mut AgentConfig) -> Result<(), StartError> {
        let set = |to: &mut String, from: &Option<String>| {
            if let Some(from) = from {
                to.clone_from(from);
            }
        };
        set(&mut config.region, &self.region);
        set(&mut config.datacenter, &self.datacenter);
        let client = &self.client;
        set(&mut config.class, &client.node_class);
        set(&mut config.pool, &client.node_pool);
        config.meta.extend(client.meta.clone());
        options::check(&client.options)?;
        config.options.extend(client.options.clone());
        config.memory_oversubscription = client.memory_oversubscription.unwrap_or(false);
        config.servers.clone_from(&client.servers);
        config.advertise.clone_from(&self.advertise.http);
        config.raw_exec |=
            client.options.get("driver.raw_exec.enable").is_some_and(|word| word == "true" || word == "1");
        config.reserved = Amount {
            cpu_mhz: client.reserved.cpu,
            memory_mb: client.reserved.memory,
            disk_mb: client.reserved.disk,
        };
        config.reserved_ports = ports(&client.reserved.ports)?;
        config.max_kill_timeout = client.max_kill_timeout.unwrap_or(config.max_kill_timeout);
        config.dynamic_ports = self.dynamic_ports(config.dynamic_ports)?;
        config.host_volumes = client
            .host_volume
            .iter()
            .map(|(name, volume)| {
                (name.clone(), HostVolume { path: volume.path.clone(), read_only: volume.read_only })
            })
            .collect();
        Ok(())
    }

    /// The ports for tasks that ask for any.
    fn dynamic_ports(&self, default: PortRange) -> Result<PortRange, StartError> {
        let first = self.client.min_dynamic_port.unwrap_or(default.first);
        let last = self.client.max_dynamic_port.unwrap_or(default.last);
        if first > last {
            let text = format!("min_dynamic_port {first} is above max_dynamic_port {last}");
            return Err(StartError::failed(text));
        }
        Ok(PortRange { first, last })
    }
}

/// `22,80,8500-8600` as numbers.
fn ports(text: &str) -> Result<Vec<u16>, StartError> {
    let wrong =
        |part: &str| StartError::failed(format!("reserved_ports: {part:?} is neither a port nor FIRST-LAST"));
    let mut ports = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |word: &str| word.trim().parse::<u16>().map_err(|_| wrong(part));
        let range = number(first)?..=number(last)?;
        if range.is_empty() {
            return Err(wrong(part));
        }
        ports.extend(range);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nomad_has_and_we_have_not_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.hcl");
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            load(Some(&path)).unwrap_err().to_string()
        };
        for key in ["acl", "consul", "plugin \"docker\"", "telemetry", "tls", "ui", "vault"] {
            let said = said(&format!("{key} {{\n}}\n"));
            assert!(said.contains("help: ") && said.contains("in `/"), "{said}");
        }
        assert!(said("ports {\n  serf = 4648\n}\n").contains("help: there is one listener"));
        assert!(said("client {\n  server_join {\n  }\n}\n").contains("help: name the servers"));
        // Every key of the table is one that nobody may give.
        let schema = schemars::schema_for!(FileConfig).to_value();
        for (of, key, _) in FOREIGN {
            let fields = schema.pointer(&format!("/$defs/{of}")).unwrap_or(&schema);
            assert!(
                fields["properties"].is_object() && fields["properties"].get(key).is_none(),
                "{of}.{key}"
            );
        }
    }

    /// A file, and what it makes of an agent's defaults.
    fn read(text: &str) -> (FileConfig, Result<AgentConfig, StartError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.hcl");
        std::fs::write(&path, text).unwrap();
        let file = load(Some(&path)).unwrap();
        let mut config = AgentConfig::new("n7".to_owned(), folder.path().to_owned());
        let outcome = file.over(&mut config);
        (file, outcome.map(|()| config))
    }

    #[test]
    fn a_file_of_nomad_is_understood() {
        let text = r#"
            datacenter = "dc7"
            bind_addr  = "127.0.0.1"
            ports {
              http = 7811
            }
            limits {
              http_max_conns_per_client = 300
            }
            server {
              bootstrap_expect = 1
            }
            client {
              node_class = "big"
              reserved {
                reserved_ports = "22,8500-8501"
              }
              host_volume "pg" {
                path      = "/srv/pg"
                read_only = true
              }
              host_volume "logs" {
                path = "/srv/logs"
              }
              options = {
                "driver.raw_exec.enable" = "1"
              }
            }
        "#;
        let (file, config) = read(text);
        let config = config.unwrap();
        assert_eq!(file.api_bind().unwrap().to_string(), "127.0.0.1:7811");
        assert_eq!(config.reserved_ports, [22, 8500, 8501]);
        assert!(
            config.raw_exec && config.host_volumes["pg"].read_only && !config.host_volumes["logs"].read_only
        );
        assert_eq!((config.class.as_str(), file.limits.per_address), ("big", Some(300)));
        assert_eq!(file.without_meaning().len(), 1, "bootstrap_expect");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |client: &str| {
            let (_, config) = read(&format!("client {{\n{client}\n}}"));
            config.unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused("reserved {\n reserved_ports = \"22,8501-8500\"\n}"),
            @r#"reserved_ports: "8501-8500" is neither a port nor FIRST-LAST"#);
        insta::assert_snapshot!(refused("min_dynamic_port = 40000"),
            @"min_dynamic_port 40000 is above max_dynamic_port 32000");
    }

    #[test]
    fn what_the_command_decides_is_said_to_have_no_meaning() {
        let (file, _) = read("server {\n enabled = true\n}\nclient {\n enabled = false\n}");
        let words = ["`enabled = false` has no meaning here: the command says what runs"];
        assert_eq!(file.without_meaning(), words);
    }
}
