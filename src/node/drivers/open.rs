//! The drivers of this machine, as the agent's configuration allows them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::contract::Driver;
use super::docker::{Docker, DockerOptions};
use super::exec::{Exec, ExecOptions};
use super::process::HostOptions;
use super::process::cgroup::Cgroups;
use super::raw_exec::RawExec;
use crate::node::AgentConfig;

/// Below this control group all tasks of all agents of the machine live.
const CGROUP_PARENT: &str = "encamp";

/// Opens every driver that is allowed; each finds the tasks of its predecessors. One that cannot be opened is
/// logged and left out: the node has no such driver then.
pub async fn open_all(config: &AgentConfig) -> BTreeMap<String, Arc<dyn Driver>> {
    let mut drivers: BTreeMap<String, Arc<dyn Driver>> = BTreeMap::new();
    let mut keep = |name: &str, opened: io::Result<Arc<dyn Driver>>| match opened {
        Ok(driver) => drop(drivers.insert(name.to_owned(), driver)),
        Err(error) => tracing::warn!(driver = name, "not available: {error}"),
    };
    if config.raw_exec {
        keep("raw_exec", raw_exec(config).await);
    }
    keep("exec", exec(config).await);
    keep("docker", docker(config));
    drivers
}

async fn raw_exec(config: &AgentConfig) -> io::Result<Arc<dyn Driver>> {
    Ok(Arc::new(RawExec::open(host(config, "raw_exec")?).await?))
}

async fn exec(config: &AgentConfig) -> io::Result<Arc<dyn Driver>> {
    Ok(Arc::new(Exec::open(host(config, "exec")?, ExecOptions::default()).await?))
}

/// Nomad's option names decide what jobs may ask of the daemon.
fn docker(config: &AgentConfig) -> io::Result<Arc<dyn Driver>> {
    let mut options = DockerOptions::new(&config.name, config.data_dir.join("drivers").join("docker"));
    let is_on = |name: &str| config.options.get(name).is_some_and(|word| word == "true" || word == "1");
    options.allow_volumes = is_on("docker.volumes.enabled");
    options.allow_privileged = is_on("docker.privileged.enabled");
    let named = config.options.get("docker.endpoint").cloned().or_else(|| std::env::var("DOCKER_HOST").ok());
    if let Some(socket) = named.as_deref().and_then(|address| address.strip_prefix("unix://")) {
        options.socket = socket.into();
    }
    Ok(Arc::new(Docker::open(options)?))
}

fn host(config: &AgentConfig, driver: &str) -> io::Result<HostOptions> {
    Ok(HostOptions {
        state_root: config.data_dir.join("drivers").join(driver),
        program: std::env::current_exe()?,
        cgroups: Cgroups::detect(Path::new("/sys/fs/cgroup"), CGROUP_PARENT),
    })
}
