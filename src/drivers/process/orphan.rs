//! What is left when a supervisor was killed: the task is ended, and its end is told as unseen.

use std::{io, time::Duration};

use jiff::Timestamp;

use super::{
    procfs::{self, ProcessRef},
    record::{ExitRecord, Found, Record, StateFolder},
};
use crate::{
    contract::{Ending, Exit},
    signal::Signal,
};

/// What a killed process may need to disappear.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends what an orphaned record names and writes its exit. Returns the exit on record, be it new or old.
pub(super) fn settle(folder: &StateFolder) -> io::Result<Option<ExitRecord>> {
    match folder.look()? {
        Found::Nothing | Found::Supervised(_) | Found::Copied(_) => Ok(None),
        Found::Ended(exit) => Ok(Some(exit)),
        Found::Orphaned(record, _lock) => {
            let exit = bury(&record)?;
            folder.write_exit(&exit)?;
            Ok(Some(exit))
        }
    }
}

fn bury(record: &Record) -> io::Result<ExitRecord> {
    let is_same_boot = record.boot == procfs::boot_id();
    if is_same_boot {
        end_processes(record)?;
    }
    let message = match (is_same_boot, record.task) {
        (true, Some(_)) => "the task's supervisor was killed, the task was ended with it",
        (true, None) => "the task's supervisor was killed while it started the task",
        (false, _) => "the machine was restarted",
    };
    let exit =
        Exit { ending: Ending::Unseen, oom: false, at: Timestamp::now(), message: Some(message.into()) };
    let Record { id, incarnation, started, .. } = record.clone();
    Ok(ExitRecord { id, incarnation, started, exit })
}

/// By group if there is one; else the recorded process, verified, with its process group and children.
fn end_processes(record: &Record) -> io::Result<()> {
    if let Some(cgroup) = &record.cgroup {
        cgroup.kill_and_remove(PATIENCE)?;
    }
    let Some(task) = record.task else { return Ok(()) };
    let pause = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    // Group members are only looked for while the recorded process pins its pid, hence the group's number.
    let mut family: Vec<ProcessRef> =
        if task.is_alive() { procfs::descendants(task.pid) } else { Vec::new() };
    family.push(task);
    while family.iter().any(|process| process.is_alive()) {
        for process in &family {
            process.signal(Signal::KILL)?;
        }
        if waited > PATIENCE {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "processes survive SIGKILL"));
        }
        std::thread::sleep(pause);
        waited += pause;
    }
    Ok(())
}
