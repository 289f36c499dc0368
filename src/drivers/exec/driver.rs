//! `exec` over the shared process host.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use super::jail::{Bind, Jail};
use crate::{
    logs::LogPlan,
    {
        Launch, config,
        contract::{Fingerprint, StartError},
        process::{
            HostOptions, ProcessDriver, ProcessHost, ProcessKind, cgroup::CgroupLimits, enter::Walls,
            wire::ProcessLaunch,
        },
        user::{HostNames, UserPolicy, admit},
    },
};

/// A fork bomb stops here.
const MOST_PROCESSES: u64 = 1024;
/// What a task runs as unless its job says otherwise.
const USUAL_USER: &str = "nobody";

/// Jailed processes.
pub struct Exec {
    options: ExecOptions,
}

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct ExecOptions {
    /// What tasks see of the host.
    pub binds: Vec<Bind>,
    /// Capabilities that a job may ask for with `cap_add`; none is given unasked.
    pub allowed_capabilities: Vec<String>,
    /// Whom no task may run as.
    pub users: UserPolicy,
}

impl Default for ExecOptions {
    fn default() -> Self {
        let allowed_capabilities = vec!["NET_BIND_SERVICE".to_owned()];
        Self { binds: Bind::usual(), allowed_capabilities, users: UserPolicy::denying(["root"]) }
    }
}

/// The keys of `config`.
const KEYS: &[&str] =
    &["command", "args", "work_dir", "pid_mode", "ipc_mode", "cap_add", "cap_drop", "oom_score_adj"];

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Config {
    command: String,
    #[serde(deserialize_with = "config::texts")]
    args: Vec<String>,
    work_dir: Option<PathBuf>,
    pid_mode: Option<String>,
    ipc_mode: Option<String>,
    #[serde(deserialize_with = "config::texts")]
    cap_add: Vec<String>,
    #[serde(deserialize_with = "config::texts")]
    cap_drop: Vec<String>,
    #[serde(deserialize_with = "config::oom_score")]
    oom_score_adj: Option<i32>,
}

impl Exec {
    /// Opens the driver and attaches to the tasks of its predecessors.
    pub async fn open(host: HostOptions, options: ExecOptions) -> io::Result<ProcessDriver> {
        ProcessDriver::open(host, Arc::new(Self { options })).await
    }

    fn check(&self, config: &Config) -> Result<(), StartError> {
        if config.command.is_empty() {
            return Err(fatal("exec config: `command` is missing"));
        }
        for (key, mode) in [("pid_mode", &config.pid_mode), ("ipc_mode", &config.ipc_mode)] {
            if let Some(mode) = mode.as_deref().filter(|mode| *mode != "private") {
                let text = format!("exec config: `{key} = {mode:?}` is not allowed; only \"private\" is");
                return Err(StartError::Fatal(text));
            }
        }
        if let Some(name) =
            config.cap_add.iter().find(|name| !is_among(name, &self.options.allowed_capabilities))
        {
            let text = format!("exec config: this node does not allow the capability {name:?}");
            return Err(StartError::Fatal(text));
        }
        Ok(())
    }
}

impl ProcessKind for Exec {
    fn walls(&self) -> Walls {
        Walls::Jail
    }

    fn fingerprint(&self, host: &ProcessHost) -> Fingerprint {
        let is_root = nix::unistd::Uid::effective().is_root();
        let missing = match (is_root, host.options().cgroups.is_some()) {
            (true, true) => None,
            (false, _) => Some("needs to run as root"),
            (true, false) => Some("needs control groups"),
        };
        let is_fine = missing.is_none();
        let attribute = is_fine.then(|| ("driver.exec".to_owned(), "1".to_owned()));
        let attributes = BTreeMap::from_iter(attribute);
        let reason = missing.unwrap_or("Healthy").to_owned();
        Fingerprint { detected: is_fine, healthy: is_fine, reason, attributes }
    }

    fn plan(&self, launch: Launch, host: &ProcessHost) -> Result<ProcessLaunch, StartError> {
        let config: Config = config::read("exec", &launch.config, KEYS, &[])?;
        self.check(&config)?;
        let user = admit(launch.user.as_deref().unwrap_or(USUAL_USER), &HostNames, &self.options.users)?;
        let limits = CgroupLimits {
            cpu_shares: (launch.limits.cpu_mhz > 0).then_some(launch.limits.cpu_mhz),
            cores: launch.limits.cores.clone(),
            memory_bytes: Some(launch.limits.memory_limit_bytes()).filter(|bytes| *bytes > 0),
            memory_promised_bytes: launch.limits.memory_max_mb.map(|_| launch.limits.memory_mb << 20),
            processes: Some(MOST_PROCESSES),
        };
        let cgroups = host.options().cgroups.as_ref();
        let cgroups = cgroups.ok_or_else(|| fatal("this node has no control groups to limit tasks with"))?;
        let cgroup = cgroups.group(&host.group_name(&launch.id), &limits);
        let hostname: String = launch.id.allocation().chars().filter(char::is_ascii).take(63).collect();
        let mut argv = vec![config.command];
        argv.extend(config.args);
        let jail = Jail {
            dirs: launch.dirs.clone(),
            binds: self.options.binds.clone(),
            hostname: hostname.replace(['/', '.'], "-"),
            capabilities: config.cap_add.into_iter().filter(|cap| !is_among(cap, &config.cap_drop)).collect(),
        };
        Ok(ProcessLaunch {
            log: LogPlan::of(&launch.dirs.logs, launch.id.task(), &launch.log),
            id: launch.id,
            incarnation: launch.incarnation,
            argv,
            env: config::with_path(launch.env),
            work_dir: config.work_dir.unwrap_or_else(|| "/".into()),
            user: Some(user),
            cgroup: Some((cgroup, limits)),
            oom_score_adj: config.oom_score_adj,
            jail: Some(jail),
        })
    }
}

fn is_among(capability: &str, list: &[String]) -> bool {
    let plain = |name: &str| name.to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    list.iter().any(|name| plain(name) == plain(capability) || name.eq_ignore_ascii_case("all"))
}

fn fatal(text: &str) -> StartError {
    StartError::Fatal(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_compared_as_people_write_them() {
        let list = ["CAP_NET_RAW".to_owned()];
        assert!(is_among("net_raw", &list) && !is_among("sys_admin", &list));
        assert!(is_among("sys_admin", &["all".to_owned()]));
    }

    #[test]
    fn what_a_job_may_say_is_done_or_refused_before() {
        config::assert_is_all_that_may_be_said("exec", KEYS);
    }
}
