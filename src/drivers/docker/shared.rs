//! What the driver and its listeners have in common: the operator's word, the way to the daemon, the news.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use bollard::{API_DEFAULT_VERSION, Docker as Daemon, models::ContainerInspectResponse};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    answer::{Known, Life, is_missing, life, unavailable},
    body,
};
use crate::{TaskId, contract::SignalFailure, events::Events, turns::Turns, user::UserPolicy};

/// What one answer of the daemon may take: long enough for a busy disk, short enough to call it gone.
const ANSWER_SECONDS: u64 = 60;
/// The daemon's own default set of capabilities, less raw sockets.
const USUAL_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Above what a large database or application server has, and far below the 32,768 process ids that a kernel has by
/// default for all.
const USUAL_PIDS: i64 = 4096;

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct DockerOptions {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// Whose containers these are: agents that share a daemon keep to their own.
    pub node: String,
    /// The id of that node, under whatever name.
    pub node_id: String,
    /// Where the driver remembers how much output it has copied.
    pub state_root: PathBuf,
    /// Jobs may mount any folder of the host and docker volumes.
    pub allow_volumes: bool,
    /// Jobs may switch walls off: `privileged`, host namespaces, security options.
    pub allow_privileged: bool,
    /// Jobs may join the network of the machine: `network_mode = "host"`.
    pub allow_host_network: bool,
    /// How many processes and threads a container may have at most, and has where its job says nothing; nothing for no
    /// limit.
    pub pids_limit: Option<i64>,
    /// Capabilities that jobs may add.
    pub allowed_capabilities: Vec<String>,
    /// Whom no job may name. Images whose own user is root are run all the same.
    pub users: UserPolicy,
}

impl DockerOptions {
    /// What is safe: neither volumes nor privileges.
    pub fn new(node: &str, state_root: PathBuf) -> Self {
        Self {
            socket: "/var/run/docker.sock".into(),
            node: node.to_owned(),
            node_id: String::new(),
            state_root,
            allow_volumes: false,
            allow_privileged: false,
            allow_host_network: true,
            pids_limit: Some(USUAL_PIDS),
            allowed_capabilities: USUAL_CAPABILITIES.map(str::to_owned).to_vec(),
            users: UserPolicy::open(),
        }
    }
}

/// What the driver and its listeners share; nothing here decides what runs.
pub(super) struct Shared {
    /// Made when the socket is first there: the client refuses one that does not exist yet.
    client: OnceLock<Daemon>,
    pub(super) options: DockerOptions,
    pub(super) events: Events,
    /// Containers between their making and their start: not an end that nobody saw.
    starting: Mutex<BTreeSet<TaskId>>,
    pub(super) turns: Turns,
    followed: Mutex<HashMap<String, watch::Receiver<()>>>,
    pub(super) stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Shared {
    pub(super) fn new(options: DockerOptions) -> Self {
        let stop = CancellationToken::new();
        Self {
            client: OnceLock::new(),
            options,
            events: Events::new(),
            starting: Mutex::default(),
            turns: Turns::default(),
            followed: Mutex::default(),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        }
    }

    /// The way to the daemon.
    pub(super) fn docker(&self) -> Result<&Daemon, bollard::errors::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let socket = self.options.socket.to_string_lossy();
        let client = Daemon::connect_with_unix(&socket, ANSWER_SECONDS, API_DEFAULT_VERSION)?;
        Ok(self.client.get_or_init(|| client))
    }

    pub(super) fn followed(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<()>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn starting(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container of a task, whatever its state.
    pub(super) async fn find(&self, id: &TaskId) -> Result<Option<Found>, bollard::errors::Error> {
        let name = body::name_of(&self.options.node, id);
        match self.docker()?.inspect_container(&name, None).await {
            Ok(found) => Ok(Some(Found { known: Known::inspected(&found, &self.options.node), found })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The live container of a task.
    pub(super) async fn find_running(&self, id: &TaskId) -> Result<String, SignalFailure> {
        let found = self.find(id).await.map_err(|error| unavailable(&error))?;
        let found = found.filter(|found| life(found.found.state.as_ref()) == Life::Running);
        found.and_then(|found| found.known).map(|known| known.container).ok_or(SignalFailure::NotRunning)
    }
}

/// A container with a task's name; foreign if it carries no labels of ours.
pub(super) struct Found {
    pub(super) known: Option<Known>,
    pub(super) found: ContainerInspectResponse,
}
