//! A further command inside a task: the hidden command `__enter <plan>`.
//!
//! It becomes like the task — same control group, namespaces, user, capabilities and environment, all read from the
//! live process — starts the command on its own standard streams, and ends as it does. A SIGTERM ends the command.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::{
        ffi::OsStringExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::PathBuf,
    process::{Child, Command, ExitCode},
};

use nix::{
    sched::{CloneFlags, setns},
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    thread::CapabilitySet,
};
use serde::{Deserialize, Serialize};

use super::{cgroup::Cgroup, procfs::ProcessRef, signals::Signals};
use crate::{exec, user::TaskUser};

/// Shells say so when a command cannot be run.
const CANNOT_RUN: u8 = 126;

/// What to run, and inside of whom.
#[derive(Debug, Serialize, Deserialize)]
pub struct EnterPlan {
    /// A process of the task.
    pub target: ProcessRef,
    /// The task's group.
    pub cgroup: Option<Cgroup>,
    /// What stands around the task.
    pub walls: Walls,
    /// The streams are a terminal, to be controlled by the command.
    pub is_terminal: bool,
    /// Program and arguments.
    pub argv: Vec<String>,
}

/// What stands around a task, and so around every further command in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Walls {
    /// Nothing: it is a process like any other.
    None,
    /// Namespaces and a root of its own, and no rights but those that it was left.
    Jail,
}

/// What is read from the live process.
struct Likeness {
    env: BTreeMap<OsString, OsString>,
    user: TaskUser,
    capabilities: CapabilitySet,
    work_dir: PathBuf,
}

/// Runs the command; the only argument is the plan.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let plan = arguments.next().and_then(|text| serde_json::from_slice::<EnterPlan>(&text.into_vec()).ok());
    let Some(plan) = plan else { return ExitCode::from(CANNOT_RUN) };
    match run(&plan) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // The streams belong to whoever asked: this is the one place where a word to them is right.
            match io::Write::write_all(
                &mut io::stderr(),
                format!("cannot run the command: {error}\n").as_bytes(),
            ) {
                Ok(()) | Err(_) => {}
            }
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn run(plan: &EnterPlan) -> io::Result<u8> {
    let likeness = Likeness::of(plan)?;
    if plan.is_terminal {
        rustix::process::setsid()?;
        rustix::process::ioctl_tiocsctty(io::stdin())?;
    }
    let signals = Signals::catch(&[])?;
    let spaces = match plan.walls {
        Walls::None => Vec::new(),
        Walls::Jail => open_spaces(plan.target.pid)?,
    };
    // It stays there: whatever ends the task ends this as well.
    if let Some(cgroup) = &plan.cgroup {
        cgroup.enter()?.stay();
    }
    for (space, kind) in spaces {
        setns(space, kind)?;
    }
    match plan.walls {
        Walls::None => exec::switch_user(&likeness.user)?,
        Walls::Jail => exec::become_user(&likeness.user, likeness.capabilities)?,
    }
    let (program, arguments) = plan.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&likeness.env).current_dir(&likeness.work_dir);
    if !plan.is_terminal {
        command.process_group(0);
    }
    wait(command.spawn()?, signals)
}

fn wait(mut child: Child, mut signals: Signals) -> io::Result<u8> {
    let group = Pid::from_raw(i32::try_from(child.id()).expect("pids fit"));
    loop {
        if let Some(status) = child.try_wait()? {
            let code = status.code().or_else(|| status.signal().map(|number| 128 + number)).unwrap_or(255);
            return Ok(u8::try_from(code).unwrap_or(255));
        }
        match poll(&mut [PollFd::new(&signals, PollFlags::IN)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if signals.heed() {
            // With a terminal the child has no group of its own; the terminal's end hangs up on it.
            match killpg(group, Signal::SIGKILL) {
                Ok(()) => {}
                Err(_) => child.kill()?,
            }
        }
    }
}

/// Opened before any is joined: afterwards `/proc` is another.
fn open_spaces(pid: i32) -> io::Result<Vec<(File, CloneFlags)>> {
    let kinds = [
        ("cgroup", CloneFlags::CLONE_NEWCGROUP),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    kinds.into_iter().map(|(name, kind)| Ok((File::open(format!("/proc/{pid}/ns/{name}"))?, kind))).collect()
}

impl Likeness {
    fn of(plan: &EnterPlan) -> io::Result<Self> {
        let folder = PathBuf::from(format!("/proc/{}", plan.target.pid));
        let status = fs::read_to_string(folder.join("status"))?;
        let work_dir = match plan.walls {
            Walls::None => fs::read_link(folder.join("cwd"))?,
            Walls::Jail => PathBuf::from("/"),
        };
        let found = Self {
            env: environment(&fs::read(folder.join("environ"))?),
            user: user(&status).ok_or(io::ErrorKind::InvalidData)?,
            capabilities: capabilities(&status),
            work_dir,
        };
        // Read from a process that is still the same at the end: all of it was of that one.
        if plan.target.is_alive() { Ok(found) } else { Err(io::Error::other("the task has ended")) }
    }
}

fn environment(bytes: &[u8]) -> BTreeMap<OsString, OsString> {
    let pairs = bytes.split(|byte| *byte == 0).filter_map(|pair| {
        let middle = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at(middle);
        Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value[1..].to_vec())))
    });
    pairs.collect()
}

fn numbers(status: &str, name: &str) -> Vec<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// The effective user and group, and all other groups.
fn user(status: &str) -> Option<TaskUser> {
    let uid = *numbers(status, "Uid:").get(1)?;
    let gid = *numbers(status, "Gid:").get(1)?;
    Some(TaskUser { uid, gid, groups: numbers(status, "Groups:") })
}

fn capabilities(status: &str) -> CapabilitySet {
    let line = status.lines().find_map(|line| line.strip_prefix("CapPrm:")).unwrap_or_default();
    CapabilitySet::from_bits_retain(u64::from_str_radix(line.trim(), 16).unwrap_or(0))
}

/// The process of a task whose likeness to take: in a jail the first child of its first process.
pub fn representative(main: ProcessRef, walls: Walls) -> Option<ProcessRef> {
    match walls {
        Walls::None => Some(main),
        Walls::Jail => first_child(main),
    }
}

fn first_child(main: ProcessRef) -> Option<ProcessRef> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", main.pid));
    let first = children.ok().and_then(|list| list.split_ascii_whitespace().next()?.parse().ok());
    first.and_then(ProcessRef::of).or_else(|| {
        super::procfs::descendants(main.pid)
            .into_iter()
            .min_by_key(|process| (process.start_ticks, process.pid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_who_runs() {
        let status =
            "Name:\tsh\nUid:\t0\t65534\t0\t0\nGid:\t1\t2\t3\t4\nGroups:\t5 6 \nCapPrm:\t0000000000000400\n";
        assert_eq!(user(status), Some(TaskUser { uid: 65534, gid: 2, groups: vec![5, 6] }));
        assert_eq!(capabilities(status), CapabilitySet::NET_BIND_SERVICE);
        assert_eq!(user(""), None);
    }

    #[test]
    fn an_environment_is_read_as_the_kernel_keeps_it() {
        let found = environment(b"A=1\0B=x=y\0\0broken\0C=\0");
        let shown: Vec<_> =
            found.iter().map(|(name, value)| format!("{}:{}", name.display(), value.display())).collect();
        assert_eq!(shown, ["A:1", "B:x=y", "C:"]);
    }
}
