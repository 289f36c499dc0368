//! `raw_exec` over the shared process host.

use std::{io, path::PathBuf, time::Duration};

use futures::{FutureExt as _, future::BoxFuture, stream::BoxStream};

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

/// The driver.
#[derive(Clone)]
pub struct RawExec {
    host: ProcessHost,
}

/// The keys of `config`.
const KEYS: &[&str] = &["command", "args", "work_dir", "oom_score_adj", "denied_envvars"];

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Config {
    command: String,
    #[serde(deserialize_with = "config::texts")]
    args: Vec<String>,
    work_dir: Option<PathBuf>,
    #[serde(deserialize_with = "config::number")]
    oom_score_adj: Option<i64>,
    #[serde(deserialize_with = "config::texts")]
    denied_envvars: Vec<String>,
}

impl RawExec {
    /// Opens the driver and attaches to the tasks of its predecessors.
    pub async fn open(options: HostOptions) -> io::Result<Self> {
        Ok(Self { host: ProcessHost::open(options).await? })
    }

    fn plan(&self, launch: Launch) -> Result<ProcessLaunch, StartError> {
        let config: Config = config::read("raw_exec", &launch.config, KEYS, &[])?;
        if config.command.is_empty() {
            return Err(StartError::Fatal("raw_exec config: `command` is missing".into()));
        }
        let mut env = launch.env;
        env.retain(|name, _| !config.denied_envvars.iter().any(|pattern| matches(pattern, name)));
        let limits = CgroupLimits::default();
        let name = self.host.group_name(&launch.id);
        let cgroup = self.host.options().cgroups.as_ref().map(|groups| groups.group(&name, &limits));
        let mut argv = vec![program(&config.command, &launch.dirs.root)];
        argv.extend(config.args);
        Ok(ProcessLaunch {
            log: LogPlan::of(&launch.dirs.logs, launch.id.task(), &launch.log),
            id: launch.id,
            incarnation: launch.incarnation,
            argv,
            env: config::with_path(env),
            work_dir: config
                .work_dir
                .map_or(launch.dirs.root.clone(), |folder| launch.dirs.root.join(folder)),
            user: launch.user,
            cgroup: cgroup.map(|cgroup| (cgroup, limits)),
            oom_score_adj: config.oom_score_adj.and_then(|score| i32::try_from(score).ok()),
            jail: None,
        })
    }
}

/// A relative path with a slash means the task's own folder, such as `local/server`; a bare name is looked up.
fn program(command: &str, root: &std::path::Path) -> String {
    if command.contains('/') && !command.starts_with('/') {
        return root.join(command).to_string_lossy().into_owned();
    }
    command.to_owned()
}

/// `AWS_*` and the like.
fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

impl Driver for RawExec {
    fn fingerprint(&self) -> BoxFuture<'_, Fingerprint> {
        let attributes = [("driver.raw_exec".to_owned(), "1".to_owned())].into();
        let reason = "Healthy".to_owned();
        async { Fingerprint { detected: true, healthy: true, reason, attributes } }.boxed()
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

impl contract::Exec for RawExec {
    fn exec<'a>(
        &'a self,
        id: &'a TaskId,
        command: ExecCommand,
    ) -> BoxFuture<'a, Result<ExecSession, SignalFailure>> {
        async { self.host.exec(id, command, false) }.boxed()
    }
}

impl Stats for RawExec {
    fn stats<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<Usage, SignalFailure>> {
        async { self.host.stats(id) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_up_as_people_expect() {
        let root = std::path::Path::new("/data/a/web");
        assert_eq!(program("sleep", root), "sleep");
        assert_eq!(program("/bin/sleep", root), "/bin/sleep");
        assert_eq!(program("local/server", root), "/data/a/web/local/server");
    }

    #[test]
    fn denied_variables_may_end_in_a_star() {
        assert!(matches("AWS_*", "AWS_KEY") && matches("HOME", "HOME"));
        assert!(!matches("AWS_*", "AW") && !matches("HOME", "HOMES"));
    }

    #[test]
    fn what_a_job_may_say_is_done_or_refused_before() {
        let unbuilt = schemas::support::UNBUILT_KEYS.iter().filter(|(driver, _)| *driver == "raw_exec");
        let unbuilt: Vec<&str> = unbuilt.flat_map(|(_, keys)| keys.iter().copied()).collect();
        let said = schemas::validate::driver_keys("raw_exec").unwrap();
        let lost: Vec<&&str> =
            said.iter().filter(|key| !KEYS.contains(key) && !unbuilt.contains(*key)).collect();
        assert!(lost.is_empty(), "accepted and then not understood: {lost:?}");
    }
}
