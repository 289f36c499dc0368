//! A data directory is used by one process, and an agent knows who it is before it touches anything in it.

use std::path::{Path, PathBuf};

use crate::error::StartError;
use node::AgentConfig;
use node::data_lock::DataLock;
use node::identity::Identity;

/// The data directory of an agent, for as long as this is held.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) identity: Identity,
    _lock: DataLock,
}

/// Takes the lock of a directory; one that is in use is refused with who uses it.
pub(super) async fn lock(folder: &Path) -> Result<DataLock, StartError> {
    let folder = folder.to_owned();
    off_the_loop(move || DataLock::take(&folder).map_err(|error| StartError::Conflict(error.to_string())))
        .await
}

/// Takes the directory of an agent and says who the agent is; with `reset` it is somebody new from now on.
pub(super) async fn own(config: &AgentConfig, reset: Reset) -> Result<Owned, StartError> {
    let (folder, node): (PathBuf, String) = (config.data_dir.clone(), config.name.clone());
    off_the_loop(move || {
        let conflict = |error: &dyn std::fmt::Display| StartError::Conflict(error.to_string());
        let lock = DataLock::take(&folder).map_err(|error| conflict(&error))?;
        if reset == Reset::NewId {
            Identity::reset(&folder).map_err(|error| {
                StartError::failed(format!("the id in {} stays: {error}", folder.display()))
            })?;
        }
        let identity = Identity::open(&folder, &node).map_err(|error| conflict(&error))?;
        Ok(Owned { identity, _lock: lock })
    })
    .await
}

/// Whether an agent keeps its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    /// It does.
    KeepId,
    /// Its directory is a copy that is to be a node of its own.
    NewId,
}

async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StartError::failed(error.to_string()))?
}
