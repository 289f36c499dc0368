//! From the first order to a running task.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    os::{fd::AsFd as _, unix::net::UnixListener, unix::net::UnixStream},
    process::ExitCode,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    child::{self, TaskProcess},
    peer::Peer,
    watch::Watch,
};
use crate::{
    process::{
        procfs::{self, ProcessRef},
        record::{Found, Record, StateFolder},
        signals::Signals,
        wire::{Failure, Notice, Order, ProcessLaunch},
    },
    signal::Signal,
};

/// Between two looks for what survives a SIGKILL for a moment, and how many there are: two seconds in all.
const SWEEP_PAUSE: Duration = Duration::from_millis(2);
const MOST_SWEEPS: usize = 1000;

/// Runs one supervisor. It may be started long before there is a task, and leaves if its agent does.
pub fn main() -> ExitCode {
    close_inherited();
    let Ok((mut agent, folder, launch)) = first_order() else { return ExitCode::FAILURE };
    match prepare(&folder, &launch) {
        Ok(watch) => {
            watch.run(agent);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            agent.tell(&Notice::Failed(failure));
            ExitCode::FAILURE
        }
    }
}

/// Whatever the agent's own starter forgot to close must not reach the task.
fn close_inherited() {
    let listed = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // The listing's own descriptor is among them and is closed already.
        match nix::unistd::close(number) {
            Ok(()) | Err(_) => {}
        }
    }
}

/// The agent's end of the socket is standard input.
fn first_order() -> io::Result<(Peer, StateFolder, ProcessLaunch)> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    match serde_json::from_str(&line)? {
        Order::Launch { folder, launch } => Ok((Peer::new(stream)?, StateFolder::at(folder), *launch)),
        Order::Signal(_) | Order::Stop { .. } => Err(io::Error::other("the first order is to launch")),
    }
}

fn prepare(folder: &StateFolder, launch: &ProcessLaunch) -> Result<Watch, Failure> {
    let detached = detach(folder).map_err(|error| temporary("cannot leave the agent", &error))?;
    let lock = take_lock(folder)?;
    let mut record = Record {
        id: launch.id.clone(),
        incarnation: launch.incarnation,
        boot: procfs::boot_id(),
        started: Timestamp::now(),
        supervisor: own_process(),
        task: None,
        cgroup: launch.cgroup.as_ref().map(|(cgroup, _)| cgroup.clone()),
    };
    folder.write_record(&record).map_err(|error| temporary("cannot write the record", &error))?;
    let child = match child::spawn(launch) {
        Ok(child) => child,
        Err(failure) => return Err(withdraw(folder, &record, failure)),
    };
    match finish_record(folder, &mut record, &child) {
        Ok(listener) => Ok(Watch::new(folder.clone(), lock, record, (child, detached, listener))),
        Err(error) => {
            drop(child);
            Err(withdraw(folder, &record, temporary("cannot write the record", &error)))
        }
    }
}

fn finish_record(folder: &StateFolder, record: &mut Record, child: &TaskProcess) -> io::Result<UnixListener> {
    record.task = Some(child.process);
    folder.write_record(record)?;
    // Relative, since a socket's path may have 107 bytes only and this process stands in the folder.
    let socket = "socket";
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A session of its own, the folder as home and for last words, and signals as something to read.
fn detach(folder: &StateFolder) -> io::Result<Signals> {
    rustix::process::setsid()?;
    let words = File::options().create(true).append(true).open(folder.path().join("supervisor.log"))?;
    rustix::stdio::dup2_stderr(&words)?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    std::env::set_current_dir(folder.path())?;
    Signals::catch(&[Signal::INT, Signal::HUP])
}

/// Held locks mean a live supervisor, unless it is about to leave: then its exit is written already.
fn take_lock(folder: &StateFolder) -> Result<std::fs::File, Failure> {
    let busy =
        || Failure { text: "an earlier start of this task is still alive".into(), is_recoverable: true };
    let found = folder.look().map_err(|error| temporary("cannot read the state folder", &error))?;
    match found {
        Found::Supervised(_) | Found::Orphaned(..) | Found::Copied(_) => Err(busy()),
        Found::Ended(_) => folder.lock().map_err(|error| temporary("cannot lock the state folder", &error)),
        Found::Nothing => folder.try_lock().ok().flatten().ok_or_else(busy),
    }
}

/// The start has failed: leave nothing that runs, and no trace that looks like a task.
fn withdraw(folder: &StateFolder, record: &Record, failure: Failure) -> Failure {
    if let Some(cgroup) = &record.cgroup {
        child::sweep_group(cgroup);
    }
    // Without a group each look may find processes born since the last.
    for _ in 0..MOST_SWEEPS {
        if !child::kill_descendants(record.supervisor) {
            break;
        }
        std::thread::sleep(SWEEP_PAUSE);
    }
    for file in ["running.json", "exit.json"] {
        match std::fs::remove_file(folder.path().join(file)) {
            Ok(()) | Err(_) => {}
        }
    }
    failure
}

fn own_process() -> ProcessRef {
    let pid = i32::try_from(std::process::id()).expect("pids are positive and fit");
    ProcessRef::of(pid).expect("this process exists")
}

fn temporary(what: &str, error: &io::Error) -> Failure {
    Failure { text: format!("{what}: {error}"), is_recoverable: true }
}
