//! `raw_exec` over the shared process host.

use std::{io, path::PathBuf, sync::Arc};

use crate::{
    logs::LogPlan,
    {
        Launch, config,
        contract::{Fingerprint, StartError},
        process::{
            HostOptions, ProcessDriver, ProcessHost, ProcessKind, cgroup::CgroupLimits, enter::Walls,
            wire::ProcessLaunch,
        },
        user::{HostNames, UserPolicy, admit, admit_own},
    },
};

/// Plain processes.
pub struct RawExec {
    users: UserPolicy,
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
    #[serde(deserialize_with = "config::oom_score")]
    oom_score_adj: Option<i32>,
    #[serde(deserialize_with = "config::texts")]
    denied_envvars: Vec<String>,
}

impl RawExec {
    /// Opens the driver and attaches to the tasks of its predecessors; tasks run as anybody.
    pub async fn open(options: HostOptions) -> io::Result<ProcessDriver> {
        Self::open_for(options, UserPolicy::open()).await
    }

    /// The same where tasks may not run as some.
    pub async fn open_for(options: HostOptions, users: UserPolicy) -> io::Result<ProcessDriver> {
        ProcessDriver::open(options, Arc::new(Self { users })).await
    }
}

impl ProcessKind for RawExec {
    fn walls(&self) -> Walls {
        Walls::None
    }

    fn fingerprint(&self, _host: &ProcessHost) -> Fingerprint {
        let attributes = [("driver.raw_exec".to_owned(), "1".to_owned())].into();
        Fingerprint { detected: true, healthy: true, reason: "Healthy".to_owned(), attributes }
    }

    fn plan(&self, launch: Launch, host: &ProcessHost) -> Result<ProcessLaunch, StartError> {
        let config: Config = config::read("raw_exec", &launch.config, KEYS, &[])?;
        if config.command.is_empty() {
            return Err(StartError::Fatal("raw_exec config: `command` is missing".into()));
        }
        let user = match &launch.user {
            Some(name) => Some(admit(name, &HostNames, &self.users)?),
            None => admit_own(&self.users).map(|()| None)?,
        };
        let mut env = launch.env;
        env.retain(|name, _| !config.denied_envvars.iter().any(|pattern| matches(pattern, name)));
        let limits = CgroupLimits::default();
        let name = host.group_name(&launch.id);
        let cgroup = host.options().cgroups.as_ref().map(|groups| groups.group(&name, &limits));
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
            user,
            cgroup: cgroup.map(|cgroup| (cgroup, limits)),
            oom_score_adj: config.oom_score_adj,
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
        config::assert_is_all_that_may_be_said("raw_exec", KEYS);
    }
}
