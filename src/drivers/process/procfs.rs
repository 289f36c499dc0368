//! Processes by (pid, start time): a pid alone may belong to somebody else by the time it is used.

use std::{fs, io};

use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::Signal;

/// One process of this boot, for ever distinct from later ones with its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRef {
    /// The pid on the host.
    pub pid: i32,
    /// When it began, in clock ticks since boot.
    pub start_ticks: u64,
}

impl ProcessRef {
    /// The process that has this pid now.
    pub fn of(pid: i32) -> Option<Self> {
        Stat::read(pid).map(|stat| Self { pid, start_ticks: stat.start_ticks })
    }

    /// It exists and is more than a zombie.
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.start_ticks == self.start_ticks && stat.state != 'Z')
    }

    /// It is alive and not on its way out: what it holds open it still holds.
    pub fn is_at_work(self) -> bool {
        Stat::read(self.pid)
            .is_some_and(|stat| stat.start_ticks == self.start_ticks && stat.state != 'Z' && !stat.is_exiting)
    }

    /// Signals exactly this process; `false` if it is gone. The descriptor pins the process between check and signal.
    pub fn signal(self, signal: Signal) -> io::Result<bool> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(false) };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if Self::of(self.pid) != Some(self) {
            return Ok(false);
        }
        match pidfd_send_signal(&pidfd, rustix_signal(signal)?) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn rustix_signal(signal: Signal) -> io::Result<rustix::process::Signal> {
    rustix::process::Signal::from_named_raw(signal.number()).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// The few fields of `/proc/<pid>/stat` that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    state: char,
    parent: i32,
    group: i32,
    start_ticks: u64,
    /// It lets go of what it holds, before it becomes a zombie.
    is_exiting: bool,
}

/// The kernel's mark on such a process (`PF_EXITING`).
const EXITING: u64 = 0x4;

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name in parentheses may itself contain spaces and parentheses: fields are counted from the last one.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            start_ticks: fields.get(19)?.parse().ok()?,
            is_exiting: fields.get(6)?.parse::<u64>().ok()? & EXITING != 0,
        })
    }
}

/// Every live process below `ancestor`, and every one in its process group, `ancestor` itself excluded.
pub fn descendants(ancestor: i32) -> Vec<ProcessRef> {
    let everyone: Vec<(i32, Stat)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Stat::read(pid).map(|stat| (pid, stat)))
        .collect();
    let mut family = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        for (pid, stat) in &everyone {
            let is_child = stat.parent == parent || (next == 0 && stat.group == ancestor);
            if is_child && !family.contains(pid) {
                family.push(*pid);
            }
        }
        next += 1;
    }
    let alive = |pid: &i32| everyone.iter().find(|(other, stat)| other == pid && stat.state != 'Z');
    let found = family.iter().skip(1).filter_map(alive);
    found.map(|(pid, stat)| ProcessRef { pid: *pid, start_ticks: stat.start_ticks }).collect()
}

/// Names this boot of the machine: nothing recorded in another one can be alive.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let tail = "S 7 9 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let stat = Stat::parse(&format!("42 (a) b (c) {tail}")).unwrap();
        let expected = Stat { state: 'S', parent: 7, group: 9, start_ticks: 12345, is_exiting: false };
        assert_eq!(stat, expected);
        let dying = Stat::parse(&format!("42 (a) {}", tail.replace("4194560", "4194564"))).unwrap();
        assert!(dying.is_exiting);
        assert_eq!(Stat::parse("42 (cut"), None);
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let own = ProcessRef::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.is_alive());
        let former = ProcessRef { start_ticks: own.start_ticks - 1, ..own };
        assert!(!former.is_alive());
        assert!(!former.signal(Signal::KILL).unwrap(), "the signal would have ended this test");
    }
}
