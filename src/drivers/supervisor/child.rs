//! Starting the task's main process.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::output::{self, Output};
use crate::{
    contract::Ending,
    exec,
    process::{
        cgroup::{Cgroup, Homeward},
        procfs::{self, ProcessRef},
        wire::{Failure, ProcessLaunch},
    },
    signal::Signal,
};

/// A task that was born.
#[derive(Debug)]
pub(super) struct TaskProcess {
    /// The process to wait for: the task itself, or the first process of its own pid namespace.
    pub(super) process: ProcessRef,
    /// The way to that first process.
    pub(super) control: Option<exec::Control>,
    /// Its outputs.
    pub(super) outputs: Vec<Output>,
    child: Child,
}

impl TaskProcess {
    /// Sends the main process a signal. It is a child not yet waited for, so its pid is its own.
    pub(super) fn signal(&mut self, signal: Signal) -> io::Result<()> {
        match &mut self.control {
            Some(control) => control.signal(signal),
            None => self.process.signal(signal).map(|_| ()),
        }
    }

    /// The pid to wait for.
    pub(super) fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("pids fit"))
    }

    /// How it ended if its first process has told.
    pub(super) fn told_ending(&mut self) -> Option<Ending> {
        self.control.as_mut().and_then(exec::Control::ending)
    }
}

/// Starts the task inside its group; after an error nothing of it is left.
pub(super) fn spawn(launch: &ProcessLaunch) -> Result<TaskProcess, Failure> {
    let (outputs, stdout, stderr) = output::pipes(launch.log.as_ref())
        .map_err(|error| recoverable(format!("cannot write logs: {error}")))?;
    let homeward = enter_group(launch)?;
    let (control, mut command) = match &launch.jail {
        None => (None, plain(launch)?),
        Some(jail) => {
            let (control, command) = exec::prepare(jail)?;
            (Some(control), command)
        }
    };
    if control.is_none() {
        command.stdin(Stdio::null());
    }
    let spawned = command.stdout(stdout).stderr(stderr).spawn();
    drop(command);
    if let Some(homeward) = homeward {
        homeward.go().map_err(|error| recoverable(format!("cannot leave the control group: {error}")))?;
    }
    let child = spawned.map_err(|error| spawn_failure(launch, &error))?;
    let pid = i32::try_from(child.id()).expect("pids fit");
    let process = ProcessRef::of(pid).ok_or_else(|| recoverable("the task's process vanished".into()))?;
    adjust_oom_score(launch, pid);
    let mut task = TaskProcess { process, control, outputs, child };
    if let (Some(control), Some(jail)) = (&mut task.control, &launch.jail) {
        control.launch(launch, jail)?;
    }
    Ok(task)
}

fn enter_group(launch: &ProcessLaunch) -> Result<Option<Homeward>, Failure> {
    let Some((cgroup, limits)) = &launch.cgroup else { return Ok(None) };
    sweep_group(cgroup);
    cgroup.create(limits).and_then(|()| cgroup.enter()).map(Some).map_err(|error| {
        sweep_group(cgroup);
        recoverable(format!("cannot make control group {}: {error}", cgroup.path()))
    })
}

/// Whatever an earlier life of the task left in its group is nobody's any more.
pub(super) fn sweep_group(cgroup: &Cgroup) {
    if let Err(error) = cgroup.kill_and_remove(Duration::from_secs(2)) {
        tracing::debug!(%error, group = cgroup.path(), "control group stays behind");
    }
}

/// Kills whatever descends from this supervisor: orphans of its task do, too. Answers whether there was anything.
pub(super) fn kill_descendants(supervisor: ProcessRef) -> bool {
    let found = procfs::descendants(supervisor.pid);
    for process in &found {
        if let Err(error) = process.signal(Signal::KILL) {
            tracing::debug!(%error, pid = process.pid, "could not be killed");
        }
    }
    !found.is_empty()
}

fn plain(launch: &ProcessLaunch) -> Result<Command, Failure> {
    let (program, arguments) =
        launch.argv.split_first().ok_or_else(|| fatal("there is no command".into()))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&launch.env).current_dir(&launch.work_dir).process_group(0);
    if let Some(user) = &launch.user {
        command.uid(user.uid).gid(user.gid);
    }
    Ok(command)
}

fn spawn_failure(launch: &ProcessLaunch, error: &io::Error) -> Failure {
    let program = launch.argv.first().map_or("", String::as_str);
    let text = format!("cannot start {program:?}: {error}");
    let never = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidInput];
    if never.contains(&error.kind()) { fatal(text) } else { recoverable(text) }
}

/// Best effort: lowering the score needs a privilege that agents seldom have.
fn adjust_oom_score(launch: &ProcessLaunch, pid: i32) {
    let Some(score) = launch.oom_score_adj else { return };
    if let Err(error) = std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string()) {
        tracing::warn!(%error, score, "oom_score_adj not set");
    }
}

fn recoverable(text: String) -> Failure {
    Failure { text, is_recoverable: true }
}

fn fatal(text: String) -> Failure {
    Failure { text, is_recoverable: false }
}
