//! What an agent and a supervisor say to each other: one JSON document a line, over a Unix socket.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    cgroup::{Cgroup, CgroupLimits},
    record::{ExitRecord, Record},
};
use crate::{
    logs::LogPlan,
    {TaskId, exec::Jail, user::TaskUser},
};

/// From the agent. Each is answered by one [`Notice`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The first and only one of a new supervisor.
    Launch {
        /// The state folder of the task.
        folder: PathBuf,
        /// The task.
        launch: Box<ProcessLaunch>,
    },
    /// Send the main process a signal.
    Signal(i32),
    /// Ask it to end, and end all of it later.
    Stop {
        /// The asking.
        signal: i32,
        /// The patience.
        grace_ms: u64,
    },
}

/// From the supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// This runs: said first on every connection.
    Running(Record),
    /// Nothing runs, nothing will: the supervisor leaves.
    Failed(Failure),
    /// All of the task is gone: the supervisor leaves as soon as the exit is on disk.
    Exited(ExitRecord),
    /// The order was carried out, or why it was not.
    Done(Option<String>),
}

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// For the user.
    pub text: String,
    /// The same launch may succeed later.
    pub is_recoverable: bool,
}

/// A task reduced to what the kernel needs.
#[derive(Serialize, Deserialize)]
pub struct ProcessLaunch {
    /// Who it is.
    pub id: TaskId,
    /// Which start of it.
    pub incarnation: u32,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Where it begins.
    pub work_dir: PathBuf,
    /// As whom; as the agent's user if absent.
    pub user: Option<TaskUser>,
    /// Where output goes; nowhere if absent.
    pub log: Option<LogPlan>,
    /// The group to make for it.
    pub cgroup: Option<(Cgroup, CgroupLimits)>,
    /// How readily the kernel kills it when memory is short.
    pub oom_score_adj: Option<i32>,
    /// The walls around it; none for a plain process.
    pub jail: Option<Jail>,
}

impl std::fmt::Debug for ProcessLaunch {
    /// Arguments and environment may hold secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ProcessLaunch")
            .field("id", &self.id.as_str())
            .field("incarnation", &self.incarnation)
            .field("work_dir", &self.work_dir)
            .finish_non_exhaustive()
    }
}
