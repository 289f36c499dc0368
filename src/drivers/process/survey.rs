//! All tasks of a driver, as the folders show them.

use std::{io, path::Path};

use super::{
    orphan,
    record::{ExitRecord, Found, Record, StateFolder},
};
use crate::contract::{RunningTask, TaskState};

/// A task that is on record.
pub(super) enum Seen {
    Alive(Record),
    Ended(ExitRecord),
}

/// Looks into every folder; what lost its supervisor is ended on the way.
pub(super) fn look_everywhere(root: &Path) -> io::Result<Vec<(StateFolder, Seen)>> {
    let mut seen = Vec::new();
    for folder in StateFolder::all(root)? {
        let found = match folder.look()? {
            Found::Orphaned(record, lock) => {
                drop(lock);
                tracing::warn!(id = %record.id, "found without supervisor");
                orphan::settle(&folder)?.map(Seen::Ended)
            }
            Found::Supervised(record) => record.map(Seen::Alive),
            Found::Ended(exit) => Some(Seen::Ended(exit)),
            Found::Copied(record) => {
                let (id, supervisor) = (record.id, record.supervisor.pid);
                tracing::warn!(%id, supervisor, "runs for the directory that this one was copied from: left alone");
                None
            }
            Found::Nothing => None,
        };
        seen.extend(found.map(|found| (folder, found)));
    }
    Ok(seen)
}

pub(super) fn alive(record: &Record) -> RunningTask {
    let Record { id, incarnation, started, .. } = record.clone();
    RunningTask { id, incarnation, started, address: None, state: TaskState::Running }
}

pub(super) fn ended(exit: ExitRecord) -> RunningTask {
    let ExitRecord { id, incarnation, started, exit } = exit;
    RunningTask { id, incarnation, started, address: None, state: TaskState::Exited(exit) }
}
