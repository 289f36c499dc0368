//! The drivers of this machine, as the agent's configuration allows them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use drivers::Driver;
use drivers::docker::{Docker, DockerOptions};
use drivers::exec::{Exec, ExecOptions};
use drivers::process::HostOptions;
use drivers::process::cgroup::Cgroups;
use drivers::raw_exec::RawExec;
use drivers::user::UserPolicy;

use crate::AgentConfig;

/// Below this control group all tasks of all agents of the machine live.
const CGROUP_PARENT: &str = "encamp";

/// Opens every driver that is allowed, for the node with this id; each finds the tasks of its predecessors. One that
/// cannot be opened is logged and left out: the node has no such driver then.
pub async fn open_all(config: &AgentConfig, node_id: &str) -> BTreeMap<String, Arc<dyn Driver>> {
    let mut drivers = open_process_drivers(config).await;
    keep(&mut drivers, "docker", docker(config, node_id));
    drivers
}

/// Those whose tasks lie in the data directory alone.
pub async fn open_process_drivers(config: &AgentConfig) -> BTreeMap<String, Arc<dyn Driver>> {
    let mut drivers = BTreeMap::new();
    if config.raw_exec {
        keep(&mut drivers, "raw_exec", raw_exec(config).await);
    }
    keep(&mut drivers, "exec", exec(config).await);
    drivers
}

fn keep(drivers: &mut BTreeMap<String, Arc<dyn Driver>>, name: &str, opened: io::Result<Arc<dyn Driver>>) {
    match opened {
        Ok(driver) => drop(drivers.insert(name.to_owned(), driver)),
        Err(error) => tracing::warn!(driver = name, "not available: {error}"),
    }
}

async fn raw_exec(config: &AgentConfig) -> io::Result<Arc<dyn Driver>> {
    Ok(Arc::new(RawExec::open_for(host(config, "raw_exec")?, users(config, "raw_exec")).await?))
}

async fn exec(config: &AgentConfig) -> io::Result<Arc<dyn Driver>> {
    let options = ExecOptions { users: users(config, "exec"), ..ExecOptions::default() };
    Ok(Arc::new(Exec::open(host(config, "exec")?, options).await?))
}

fn docker(config: &AgentConfig, node_id: &str) -> io::Result<Arc<dyn Driver>> {
    let options = DockerOptions { node_id: node_id.to_owned(), ..docker_options(config) };
    Ok(Arc::new(Docker::open(options)?))
}

/// The drivers whose users are judged, and whom they deny, unless the operator says otherwise: Nomad's defaults.
const CHECKED_DRIVERS: &str = "exec,java,qemu";
const DENIED_USERS: &str = "root,Administrator";

/// Nomad's options `user.checked_drivers` and `user.denylist` decide as whom tasks of a driver may not run.
fn users(config: &AgentConfig, driver: &str) -> UserPolicy {
    let words = |name: &str, usual: &str| -> Vec<String> {
        let text = config.options.get(name).map_or(usual, String::as_str);
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    if words("user.checked_drivers", CHECKED_DRIVERS).iter().any(|checked| checked == driver) {
        UserPolicy::denying(words("user.denylist", DENIED_USERS))
    } else {
        UserPolicy::open()
    }
}

/// Nomad's option names decide what jobs may ask of the daemon.
pub fn docker_options(config: &AgentConfig) -> DockerOptions {
    let mut options = DockerOptions::new(&config.name, config.data_dir.join("drivers").join("docker"));
    let word = |name: &str| config.options.get(name).map(String::as_str);
    let is_on = |name: &str| matches!(word(name), Some("true" | "1"));
    options.allow_volumes = is_on("docker.volumes.enabled");
    options.allow_privileged = is_on("docker.privileged.enabled");
    options.users = users(config, "docker");
    options.allow_host_network = !matches!(word("docker.host_network.enabled"), Some("false" | "0"));
    if let Some(most) = word("docker.pids_limit").and_then(|text| text.parse::<i64>().ok()) {
        options.pids_limit = (most > 0).then_some(most);
    }
    let named = config.options.get("docker.endpoint").cloned().or_else(|| std::env::var("DOCKER_HOST").ok());
    if let Some(socket) = named.as_deref().and_then(|address| address.strip_prefix("unix://")) {
        options.socket = socket.into();
    }
    options
}

fn host(config: &AgentConfig, driver: &str) -> io::Result<HostOptions> {
    Ok(HostOptions {
        state_root: config.data_dir.join("drivers").join(driver),
        program: std::env::current_exe()?,
        cgroups: Cgroups::detect(Path::new("/sys/fs/cgroup"), CGROUP_PARENT),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_tasks_may_not_run_as_is_said_by_options() {
        let policies = |options: &[(&str, &str)]| {
            let mut config = AgentConfig::new("n1", "/data");
            config.options = options.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
            ["exec", "raw_exec", "docker"].map(|driver| users(&config, driver))
        };
        let (open, usual) = (UserPolicy::open, || UserPolicy::denying(["root", "Administrator"]));
        assert_eq!(policies(&[]), [usual(), open(), open()]);
        assert_eq!(policies(&[("user.checked_drivers", "docker, raw_exec")]), [open(), usual(), usual()]);
        let named = || UserPolicy::denying(["postgres"]);
        assert_eq!(policies(&[("user.denylist", "postgres")]), [named(), open(), open()]);
    }
}
