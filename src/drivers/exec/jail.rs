//! The walls around a task, as words: decided by the driver, built by the task's first process.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{contract::TaskDirs, process::wire::Failure};

/// What a jailed task sees and may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jail {
    /// The folders that become `/alloc`, `/local` and `/secrets`; `tmp` of the task's own becomes `/tmp`.
    pub dirs: TaskDirs,
    /// What else of the host is seen.
    pub binds: Vec<Bind>,
    /// The name of the machine inside.
    pub hostname: String,
    /// Names of the capabilities it keeps, such as `NET_BIND_SERVICE`.
    pub capabilities: Vec<String>,
}

/// One folder or file of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// On the host.
    pub source: PathBuf,
    /// Inside, absolute.
    pub target: PathBuf,
    /// Whether the task may write there.
    pub is_writable: bool,
}

/// Programs and libraries, and of `/etc` only what programs need to find names, certificates and libraries.
const SEEN: &[&str] = &[
    "/bin",
    "/sbin",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/java-17-openjdk",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
];

impl Bind {
    /// What every task sees of the host unless the operator says otherwise.
    pub fn usual() -> Vec<Self> {
        let bind = |path: &&str| Self { source: path.into(), target: path.into(), is_writable: false };
        SEEN.iter().map(bind).collect()
    }
}

/// What the first process is told, and what it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToInit {
    /// Build the walls and start this behind them.
    Run(Box<Inmate>),
    /// Send the task a signal.
    Signal(i32),
}

/// What the first process says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FromInit {
    /// The task runs.
    Started,
    /// It does not; the first process leaves.
    Failed(Failure),
    /// The task's main process ended; the first process leaves, and the kernel ends all others with it.
    Ended(crate::contract::Ending),
}

/// The task as its first process needs it.
#[derive(Serialize, Deserialize)]
pub(super) struct Inmate {
    pub(super) argv: Vec<String>,
    pub(super) env: std::collections::BTreeMap<String, String>,
    /// Inside.
    pub(super) work_dir: PathBuf,
    pub(super) user: crate::user::TaskUser,
    pub(super) jail: Jail,
}

impl std::fmt::Debug for Inmate {
    /// Arguments and environment may hold secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Inmate").field("user", &self.user).field("jail", &self.jail).finish_non_exhaustive()
    }
}
