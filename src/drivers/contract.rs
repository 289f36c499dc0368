//! What every driver promises.
//!
//! **The runtime is the truth.** A driver keeps no database that decides anything: a driver object made anew finds
//! the tasks of its predecessor by itself ([`Driver::running`]) and they never notice.
//! **Idempotent by (task id, incarnation).** A repeated [`Driver::start`] starts nothing twice; a new incarnation is
//! refused while an older one lives. **Events are hints**: they make things fast, [`Driver::running`] makes them right.
//! No call waits for a task to end, and none hangs on a dead runtime for ever.

use std::{collections::BTreeMap, fmt, net::IpAddr, path::PathBuf, time::Duration};

use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{Signal, TaskId};

/// One runtime on one node. Object-safe: the agent holds `Arc<dyn Driver>` by the driver's name.
pub trait Driver: Send + Sync + 'static {
    /// Looks at the machine: is the runtime there, does it answer, what are its attributes (`driver.docker.version`).
    fn fingerprint(&self) -> BoxFuture<'_, Fingerprint>;

    /// Every task this runtime holds, alive or ended and not yet forgotten, sorted by id. An error means *not known*,
    /// never "nothing runs".
    fn running(&self) -> BoxFuture<'_, Result<Vec<RunningTask>, Unavailable>>;

    /// Makes (id, incarnation) exist. Started already, alive or ended: answers with what is known and changes nothing.
    /// An older incarnation that has ended is replaced; while it lives the answer is [`StartError::StillAlive`].
    /// After an error nothing of the task is left running.
    fn start(&self, launch: Launch) -> BoxFuture<'_, Result<Started, StartError>>;

    /// Sends a signal to the task's main process, never to a foreign one.
    fn signal<'a>(&'a self, id: &'a TaskId, signal: Signal) -> BoxFuture<'a, Result<(), SignalFailure>>;

    /// Asks the task to end with `signal`, and ends all of it by force after `grace`. Returns when the runtime has
    /// taken the order (it holds the deadline itself where it can); the end follows as an event. Calling again may
    /// only bring the end forward. Unknown or ended tasks are fine.
    fn stop<'a>(
        &'a self,
        id: &'a TaskId,
        signal: Signal,
        grace: Duration,
    ) -> BoxFuture<'a, Result<(), Unavailable>>;

    /// Removes the record of an ended task and all that the runtime keeps for it; a live task is left alone.
    /// Unknown tasks are fine.
    fn forget<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<(), Unavailable>>;

    /// What happens from now on. Starts and ends may come twice; [`Event::Resync`] says that some may be missing.
    fn events(&self) -> BoxStream<'static, Event>;

    /// Whether tasks have a root of their own, in which their folders are `/alloc`, `/local` and `/secrets`.
    fn has_own_root(&self) -> bool {
        false
    }

    /// Running commands inside a task, where the runtime can.
    fn as_exec(&self) -> Option<&dyn Exec> {
        None
    }

    /// Measuring a task, where the runtime can.
    fn as_stats(&self) -> Option<&dyn Stats> {
        None
    }
}

/// Runs further commands inside a task.
pub trait Exec: Send + Sync {
    /// Starts `command` with the task's user, root, limits and environment. Dropping the session ends the command.
    fn exec<'a>(
        &'a self,
        id: &'a TaskId,
        command: ExecCommand,
    ) -> BoxFuture<'a, Result<ExecSession, SignalFailure>>;
}

/// Measures tasks.
pub trait Stats: Send + Sync {
    /// What the task has used until now.
    fn stats<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<Usage, SignalFailure>>;
}

/// All that a driver needs to know to start a task; nothing of it is a reference to a job.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// Who it is.
    pub id: TaskId,
    /// How often the task was restarted in place before; with `id` the key of idempotency.
    pub incarnation: u32,
    /// Names for people and tools that look at the runtime (job, group, node).
    pub labels: BTreeMap<String, String>,
    /// The task's own `config`, after interpolation. Unknown keys are an error of the user.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// The whole environment, after interpolation.
    pub env: BTreeMap<String, String>,
    /// The user to run as; the driver's default if absent.
    pub user: Option<String>,
    /// The folders made for it.
    pub dirs: TaskDirs,
    /// What it may use.
    pub limits: Limits,
    /// The ports it was given.
    pub ports: Vec<PortMap>,
    /// Where its output goes.
    pub log: LogPolicy,
}

/// Folders on the host, as `alloc_dir` makes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDirs {
    /// The task's own folder.
    pub root: PathBuf,
    /// Shared by the tasks of the allocation: `/alloc` inside.
    pub shared: PathBuf,
    /// Private to the task: `/local` inside.
    pub local: PathBuf,
    /// Private, in memory: `/secrets` inside.
    pub secrets: PathBuf,
    /// Where the log files lie.
    pub logs: PathBuf,
}

/// What a task may use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Share of the processor, in MHz.
    pub cpu_mhz: u64,
    /// Cores of its own, by number; empty for none.
    pub cores: Vec<u32>,
    /// What it was promised.
    pub memory_mb: u64,
    /// What it may reach at most, if more than promised.
    pub memory_max_mb: Option<u64>,
}

impl Limits {
    /// The hard limit in bytes.
    pub fn memory_limit_bytes(&self) -> u64 {
        self.memory_max_mb.unwrap_or(0).max(self.memory_mb).saturating_mul(1024 * 1024)
    }
}

/// One port of the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMap {
    /// The port's name in the job.
    pub label: String,
    /// The address on the host.
    pub host_ip: IpAddr,
    /// The port on the host.
    pub host_port: u16,
    /// The port inside the task, where it has a network of its own.
    pub to: Option<u16>,
}

/// How much output is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPolicy {
    /// Files kept per stream, the one being written included.
    pub max_files: u32,
    /// Size at which the next file begins.
    pub max_file_size_mb: u32,
    /// Throw all output away.
    pub disabled: bool,
}

impl Default for LogPolicy {
    fn default() -> Self {
        Self { max_files: 10, max_file_size_mb: 10, disabled: false }
    }
}

/// The answer to a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// When the task began.
    pub at: Timestamp,
    /// It was there before this call.
    pub already: bool,
    /// The task's own address, where the driver gave it one.
    pub address: Option<IpAddr>,
}

/// A task as its runtime shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTask {
    /// Who it is.
    pub id: TaskId,
    /// Which start of it.
    pub incarnation: u32,
    /// When this incarnation began.
    pub started: Timestamp,
    /// The task's own address, where the driver gave it one.
    pub address: Option<IpAddr>,
    /// Alive or not.
    pub state: TaskState,
}

/// Alive or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// The main process is alive.
    Running,
    /// All of it has ended.
    Exited(Exit),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// In which way.
    pub ending: Ending,
    /// The memory limit killed a process of it.
    pub oom: bool,
    /// When.
    pub at: Timestamp,
    /// What a person should know besides.
    pub message: Option<String>,
}

/// The way in which a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// By itself, with that status.
    Code(i32),
    /// By that signal.
    Signal(i32),
    /// Nobody saw it: its supervisor or the machine went down.
    Unseen,
}

impl Exit {
    /// Ended by itself with status 0.
    pub fn is_success(&self) -> bool {
        self.ending == Ending::Code(0)
    }

    /// The status as a shell shows it: 128 + number for a signal; 255 when nobody saw it.
    pub fn code(&self) -> i32 {
        match self.ending {
            Ending::Code(code) => code,
            Ending::Signal(number) => 128 + number,
            Ending::Unseen => 255,
        }
    }
}

/// What happened in the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An incarnation began.
    Started {
        /// Whose.
        id: TaskId,
        /// Which.
        incarnation: u32,
    },
    /// An incarnation ended.
    Exited {
        /// Whose.
        id: TaskId,
        /// Which.
        incarnation: u32,
        /// How.
        exit: Exit,
    },
    /// Events may have been missed: ask [`Driver::running`].
    Resync,
}

/// What a look at the machine gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// The runtime is there.
    pub detected: bool,
    /// It can start tasks now.
    pub healthy: bool,
    /// Why not, for people.
    pub reason: String,
    /// `driver.<name>` and below.
    pub attributes: BTreeMap<String, String>,
}

/// Why a task did not start. The text is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The same launch may succeed later: try again by the restart policy.
    #[error("{0}")]
    Recoverable(String),
    /// The job must change first.
    #[error("{0}")]
    Fatal(String),
    /// Somebody else has a port of the task: another port or node would help.
    #[error("port {port} is taken by {holder}")]
    PortTaken {
        /// Which.
        port: u16,
        /// Who has it, for people.
        holder: String,
    },
    /// Another incarnation lives: nothing was tried. Look at what the runtime holds.
    #[error("{0}")]
    StillAlive(String),
}

/// The runtime does not answer: what it holds is not known; ask again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Why a running task could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalFailure {
    /// There is no such task, or it has ended.
    #[error("the task is not running")]
    NotRunning,
    /// It will not work in this way.
    #[error("{0}")]
    Refused(String),
    /// The runtime does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A command to run inside a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecCommand {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// With a terminal of that size.
    pub terminal: Option<TerminalSize>,
}

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// A running command inside a task.
#[derive(Debug)]
pub struct ExecSession {
    /// What goes in.
    pub input: mpsc::Sender<ExecInput>,
    /// What comes out; the last item is [`ExecOutput::Exit`].
    pub output: mpsc::Receiver<ExecOutput>,
}

/// What goes into a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecInput {
    /// Bytes for its standard input.
    Bytes(Bytes),
    /// No more input.
    End,
    /// The terminal changed.
    Resize(TerminalSize),
}

/// What comes out of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutput {
    /// Its standard output, or all output with a terminal.
    Stdout(Bytes),
    /// Its standard error.
    Stderr(Bytes),
    /// It ended with that status.
    Exit(i32),
}

/// What a task has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time since the start, in nanoseconds.
    pub cpu_nanoseconds: u64,
    /// Memory now.
    pub memory_bytes: u64,
    /// Most memory ever, where the kernel counts it.
    pub memory_peak_bytes: Option<u64>,
    /// Processes now, where they are counted.
    pub processes: Option<u64>,
}

impl fmt::Debug for Launch {
    /// Environment and configuration may hold secrets: their keys are enough for a log.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Launch")
            .field("id", &self.id.as_str())
            .field("incarnation", &self.incarnation)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("config", &self.config.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
