//! `exec` over the shared process host.

use std::{io, path::PathBuf, time::Duration};

use futures::{FutureExt as _, future::BoxFuture, stream::BoxStream};

use super::jail::{Bind, Jail};
use crate::node::{
    drivers::{
        Driver, Launch, Signal, TaskId, config,
        contract::{
            self, Event, ExecCommand, ExecSession, Fingerprint, RunningTask, SignalFailure, StartError,
            Started, Stats, Unavailable, Usage,
        },
        process::{HostOptions, ProcessHost, cgroup::CgroupLimits, wire::ProcessLaunch},
    },
    logs::LogPlan,
};

/// A fork bomb stops here.
const MOST_PROCESSES: u64 = 1024;
/// What a task runs as unless its job says otherwise.
const USUAL_USER: &str = "nobody";

/// The driver.
#[derive(Clone)]
pub struct Exec {
    host: ProcessHost,
    options: ExecOptions,
}

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct ExecOptions {
    /// What tasks see of the host.
    pub binds: Vec<Bind>,
    /// Capabilities that a job may ask for with `cap_add`; none is given unasked.
    pub allowed_capabilities: Vec<String>,
    /// Users that no job may name.
    pub denied_users: Vec<String>,
}

impl Default for ExecOptions {
    fn default() -> Self {
        let allowed_capabilities = vec!["NET_BIND_SERVICE".to_owned()];
        Self {
            binds: Bind::usual(),
            allowed_capabilities,
            denied_users: vec!["root".to_owned(), "0".to_owned()],
        }
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
    #[serde(deserialize_with = "config::number")]
    oom_score_adj: Option<i64>,
}

impl Exec {
    /// Opens the driver and attaches to the tasks of its predecessors.
    pub async fn open(host: HostOptions, options: ExecOptions) -> io::Result<Self> {
        Ok(Self { host: ProcessHost::open(host).await?, options })
    }

    fn plan(&self, launch: Launch) -> Result<ProcessLaunch, StartError> {
        let config: Config = config::read("exec", &launch.config, KEYS, &[])?;
        self.check(&config, launch.user.as_deref())?;
        let limits = CgroupLimits {
            cpu_shares: (launch.limits.cpu_mhz > 0).then_some(launch.limits.cpu_mhz),
            cores: launch.limits.cores.clone(),
            memory_bytes: Some(launch.limits.memory_limit_bytes()).filter(|bytes| *bytes > 0),
            memory_promised_bytes: launch.limits.memory_max_mb.map(|_| launch.limits.memory_mb << 20),
            processes: Some(MOST_PROCESSES),
        };
        let cgroups = self.host.options().cgroups.as_ref();
        let cgroups = cgroups.ok_or_else(|| fatal("this node has no control groups to limit tasks with"))?;
        let cgroup = cgroups.group(&self.host.group_name(&launch.id), &limits);
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
            user: Some(launch.user.unwrap_or_else(|| USUAL_USER.to_owned())),
            cgroup: Some((cgroup, limits)),
            oom_score_adj: config.oom_score_adj.and_then(|score| i32::try_from(score).ok()),
            jail: Some(jail),
        })
    }

    fn check(&self, config: &Config, user: Option<&str>) -> Result<(), StartError> {
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
        match user {
            Some(name) if self.options.denied_users.iter().any(|denied| denied == name) => {
                Err(StartError::Fatal(format!("exec: this node does not allow the user {name:?}")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn is_among(capability: &str, list: &[String]) -> bool {
    let plain = |name: &str| name.to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    list.iter().any(|name| plain(name) == plain(capability) || name.eq_ignore_ascii_case("all"))
}

fn fatal(text: &str) -> StartError {
    StartError::Fatal(text.to_owned())
}

impl Driver for Exec {
    fn fingerprint(&self) -> BoxFuture<'_, Fingerprint> {
        let is_root = nix::unistd::Uid::effective().is_root();
        let missing = match (is_root, self.host.options().cgroups.is_some()) {
            (true, true) => None,
            (false, _) => Some("needs to run as root"),
            (true, false) => Some("needs control groups"),
        };
        let mut attributes = std::collections::BTreeMap::new();
        if missing.is_none() {
            attributes.insert("driver.exec".to_owned(), "1".to_owned());
        }
        let reason = missing.unwrap_or("Healthy").to_owned();
        let is_fine = missing.is_none();
        async move { Fingerprint { detected: is_fine, healthy: is_fine, reason, attributes } }.boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<Vec<RunningTask>, Unavailable>> {
        self.host.running().boxed()
    }

    fn start(&self, launch: Launch) -> BoxFuture<'_, Result<Started, StartError>> {
        async { self.host.start(self.plan(launch)?).await }.boxed()
    }

    fn signal<'a>(&'a self, id: &'a TaskId, signal: Signal) -> BoxFuture<'a, Result<(), SignalFailure>> {
        self.host.signal(id, signal).boxed()
    }

    fn stop<'a>(
        &'a self,
        id: &'a TaskId,
        signal: Signal,
        grace: Duration,
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        self.host.stop(id, signal, grace).boxed()
    }

    fn forget<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<(), Unavailable>> {
        self.host.forget(id).boxed()
    }

    fn events(&self) -> BoxStream<'static, Event> {
        self.host.events()
    }

    fn as_exec(&self) -> Option<&dyn contract::Exec> {
        Some(self)
    }

    fn as_stats(&self) -> Option<&dyn Stats> {
        Some(self)
    }
}

impl contract::Exec for Exec {
    fn exec<'a>(
        &'a self,
        id: &'a TaskId,
        command: ExecCommand,
    ) -> BoxFuture<'a, Result<ExecSession, SignalFailure>> {
        async { self.host.exec(id, command, true) }.boxed()
    }
}

impl Stats for Exec {
    fn stats<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<Usage, SignalFailure>> {
        async { self.host.stats(id) }.boxed()
    }
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
        let unbuilt = schemas::support::UNBUILT_KEYS.iter().filter(|(driver, _)| *driver == "exec");
        let unbuilt: Vec<&str> = unbuilt.flat_map(|(_, keys)| keys.iter().copied()).collect();
        let said = schemas::validate::driver_keys("exec").unwrap();
        let lost: Vec<&&str> =
            said.iter().filter(|key| !KEYS.contains(key) && !unbuilt.contains(*key)).collect();
        assert!(lost.is_empty(), "accepted and then not understood: {lost:?}");
    }
}
