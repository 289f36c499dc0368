//! The loop of a supervisor: output, orders, children, deadlines.

use std::{
    fs::File,
    io,
    os::{fd::AsFd as _, unix::net::UnixListener},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use nix::{
    errno::Errno,
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::Pid,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    child::{self, TaskProcess},
    output::Output,
    peer::Peer,
};
use crate::{
    contract::{Ending, Exit},
    process::{
        cgroup::Cgroup,
        record::{ExitRecord, Record, StateFolder},
        signals::Signals,
        wire::{Notice, Order},
    },
    signal::Signal,
};

/// Between two attempts to end what survives a SIGKILL (uninterruptible waits, or children born meanwhile).
const SWEEP_PAUSE: Duration = Duration::from_millis(20);
/// Between two attempts to write an exit on a full disk.
const SAVE_PAUSE: Duration = Duration::from_secs(1);
/// What the machine's own shutdown leaves a task.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// Reads of output after the end: a pipe holds far less, and one that was given away must not hold up the end.
const MOST_LEFTOVERS: usize = 256;
/// Agents connected at once; there is one, or two while one replaces the other.
const MOST_PEERS: usize = 16;

/// A supervisor with its task.
pub(super) struct Watch {
    folder: StateFolder,
    /// Held until the process ends: it is the proof of life.
    _lock: File,
    record: Record,
    task: TaskProcess,
    signals: Signals,
    listener: UnixListener,
    peers: Vec<Peer>,
    kill_at: Option<Instant>,
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// The main process lives.
    Running,
    /// It has ended; others of the task may live.
    Sweeping(Ending),
    /// None lives, but the exit is not on disk.
    Unsaved(ExitRecord),
    /// All is done.
    Over,
}

/// Which descriptors have something to say.
struct Ready {
    listener: bool,
    outputs: Vec<bool>,
    peers: Vec<bool>,
}

impl Watch {
    pub(super) fn new(
        folder: StateFolder,
        lock: File,
        record: Record,
        (task, signals, listener): (TaskProcess, Signals, UnixListener),
    ) -> Self {
        let (peers, phase) = (Vec::new(), Phase::Running);
        Self { folder, _lock: lock, record, task, signals, listener, peers, kill_at: None, phase }
    }

    /// Watches until the task is gone and its exit told.
    pub(super) fn run(mut self, agent: Peer) {
        self.welcome(agent);
        while self.phase != Phase::Over {
            let Ok(ready) = self.wait(self.patience()) else { continue };
            self.pump(&ready);
            self.obey(&ready);
            if ready.listener {
                self.accept();
            }
            self.heed_signals();
            let is_childless = self.reap();
            self.advance(is_childless);
        }
    }

    fn welcome(&mut self, mut peer: Peer) {
        match &self.phase {
            Phase::Running | Phase::Sweeping(_) => peer.tell(&Notice::Running(self.record.clone())),
            Phase::Unsaved(exit) => peer.tell(&Notice::Exited(exit.clone())),
            Phase::Over => {}
        }
        self.peers.push(peer);
    }

    fn patience(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Running => self.kill_at.map(|at| at.saturating_duration_since(Instant::now())),
            Phase::Sweeping(_) => Some(SWEEP_PAUSE),
            Phase::Unsaved(_) => Some(SAVE_PAUSE),
            Phase::Over => Some(Duration::ZERO),
        }
    }

    fn wait(&self, patience: Option<Duration>) -> io::Result<Ready> {
        let outputs: Vec<_> = self.task.outputs.iter().map(Output::as_open_fd).collect();
        let mut fds = vec![PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN)];
        fds.push(PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN));
        fds.extend(outputs.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
        fds.extend(self.peers.iter().map(|peer| PollFd::from_borrowed_fd(peer.as_fd(), PollFlags::IN)));
        let timeout = patience.map(|patience| Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(patience.subsec_nanos()),
        });
        poll(&mut fds, timeout.as_ref())?;
        let mut answers = fds.iter().skip(1).map(|fd| !fd.revents().is_empty());
        let listener = answers.next().unwrap_or(false);
        let outputs = outputs.iter().map(|fd| fd.is_some() && answers.next().unwrap_or(false)).collect();
        Ok(Ready { listener, outputs, peers: answers.collect() })
    }

    fn pump(&mut self, ready: &Ready) {
        for (output, _) in self.task.outputs.iter_mut().zip(&ready.outputs).filter(|(_, is_ready)| **is_ready)
        {
            output.pump();
        }
    }

    fn obey(&mut self, ready: &Ready) {
        for (at, _) in ready.peers.iter().enumerate().filter(|(_, is_ready)| **is_ready) {
            for order in self.peers[at].orders() {
                let failure = self.carry_out(&order).err().map(|error| error.to_string());
                self.peers[at].tell(&Notice::Done(failure));
            }
        }
        self.peers.retain(Peer::is_open);
    }

    fn carry_out(&mut self, order: &Order) -> io::Result<()> {
        match order {
            Order::Launch { .. } => Err(io::Error::other("one supervisor has one task")),
            Order::Signal(number) => {
                let signal = Signal::from_number(*number).ok_or(io::ErrorKind::InvalidInput)?;
                self.if_running(|task| task.signal(signal))
            }
            Order::Stop { signal, grace_ms } => {
                let signal = Signal::from_number(*signal).unwrap_or(Signal::TERM);
                self.stop(signal, Duration::from_millis(*grace_ms))
            }
        }
    }

    fn if_running(&mut self, act: impl FnOnce(&mut TaskProcess) -> io::Result<()>) -> io::Result<()> {
        if self.phase == Phase::Running { act(&mut self.task) } else { Ok(()) }
    }

    fn stop(&mut self, signal: Signal, grace: Duration) -> io::Result<()> {
        let at = Instant::now().checked_add(grace);
        let at = at.unwrap_or_else(|| Instant::now() + Duration::from_hours(24 * 365));
        self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
        if grace.is_zero() { Ok(()) } else { self.if_running(|task| task.signal(signal)) }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if let (true, Ok(peer)) = (self.peers.len() < MOST_PEERS, Peer::new(stream)) {
                self.welcome(peer);
            }
        }
    }

    /// The machine's shutdown asks everybody to end; a terminal that hangs up concerns nobody here.
    fn heed_signals(&mut self) {
        if self.signals.heed() {
            match self.stop(Signal::TERM, SHUTDOWN_GRACE) {
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Collects the dead; `true` if no child is left at all.
    fn reap(&mut self) -> bool {
        loop {
            match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => return false,
                Ok(status) => self.note(status),
                Err(Errno::EINTR) => {}
                Err(_) => return true,
            }
        }
    }

    fn note(&mut self, status: WaitStatus) {
        if status.pid() != Some(self.task.pid()) || self.phase != Phase::Running {
            return;
        }
        let seen = match status {
            WaitStatus::Exited(_, code) => Ending::Code(code),
            WaitStatus::Signaled(_, signal, _) => Ending::Signal(signal as i32),
            WaitStatus::Stopped(..)
            | WaitStatus::PtraceEvent(..)
            | WaitStatus::PtraceSyscall(_)
            | WaitStatus::Continued(_)
            | WaitStatus::StillAlive => return,
        };
        self.phase = Phase::Sweeping(self.task.told_ending().unwrap_or(seen));
    }

    fn advance(&mut self, is_childless: bool) {
        match self.phase.clone() {
            Phase::Running if self.kill_at.is_some_and(|at| at <= Instant::now()) => {
                self.kill_all();
                self.kill_at = Some(Instant::now() + SWEEP_PAUSE);
            }
            Phase::Running | Phase::Over => {}
            Phase::Sweeping(ending) if is_childless && self.group_is_empty() => self.conclude(ending),
            Phase::Sweeping(_) => self.kill_all(),
            Phase::Unsaved(exit) => self.save(exit),
        }
    }

    fn group_is_empty(&self) -> bool {
        self.record.cgroup.as_ref().is_none_or(|cgroup| cgroup.processes().is_empty())
    }

    /// The group first; then whatever left it but still descends from here, for orphans come to this process.
    fn kill_all(&self) {
        if let Some(Err(error)) = self.record.cgroup.as_ref().map(Cgroup::kill) {
            tracing::debug!(%error, "the control group could not be killed");
        }
        child::kill_descendants(self.record.supervisor);
    }

    fn conclude(&mut self, ending: Ending) {
        self.drain();
        let oom = self.record.cgroup.as_ref().is_some_and(|cgroup| cgroup.oom_kills() > 0);
        let exit = Exit { ending, oom, at: Timestamp::now(), message: None };
        let Record { id, incarnation, started, .. } = self.record.clone();
        let record = ExitRecord { id, incarnation, started, exit };
        self.save(record);
    }

    /// Nobody writes any more, unless the pipe was given away: what is there now is all.
    fn drain(&mut self) {
        for _ in 0..MOST_LEFTOVERS {
            match self.wait(Some(Duration::ZERO)) {
                Ok(ready) if ready.outputs.contains(&true) => self.pump(&ready),
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn save(&mut self, exit: ExitRecord) {
        let is_new = !matches!(self.phase, Phase::Unsaved(_));
        let saved = self.folder.write_exit(&exit);
        if is_new {
            self.peers.iter_mut().for_each(|peer| peer.tell(&Notice::Exited(exit.clone())));
        }
        // A folder that was taken away is nobody's to read: there is nothing to wait for.
        if saved.is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            self.phase = Phase::Unsaved(exit);
            return;
        }
        if let Some(cgroup) = &self.record.cgroup {
            child::sweep_group(cgroup);
        }
        self.phase = Phase::Over;
    }
}
