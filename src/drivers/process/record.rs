//! The state folder of one supervised task: who supervises it, what runs, how it ended.
//!
//! The lock is held by the live supervisor for all its life, so "locked" is proof of life and never a stale pid.
//! An exit is written only after every process of the task is gone.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    cgroup::Cgroup,
    procfs::{self, ProcessRef},
};
use crate::{TaskId, contract::Exit};

/// What is known of a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Whose.
    pub id: TaskId,
    /// Which start of it.
    pub incarnation: u32,
    /// In which boot of the machine.
    pub boot: String,
    /// When.
    pub started: Timestamp,
    /// The process that watches over it.
    pub supervisor: ProcessRef,
    /// The main process, once there is one.
    pub task: Option<ProcessRef>,
    /// The group of all its processes.
    pub cgroup: Option<Cgroup>,
}

impl Record {
    /// Whether its supervisor is at work, hence holds its lock: that of this folder, or of the one it was copied from.
    fn is_supervised(&self) -> bool {
        self.boot == procfs::boot_id() && self.supervisor.is_at_work()
    }
}

/// How an incarnation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Whose.
    pub id: TaskId,
    /// Which start of it.
    pub incarnation: u32,
    /// When it had begun.
    pub started: Timestamp,
    /// How it ended.
    pub exit: Exit,
}

/// What a look into the folder shows.
#[derive(Debug)]
pub enum Found {
    /// Nothing was started here.
    Nothing,
    /// A supervisor lives; before its first record, none can be shown.
    Supervised(Option<Record>),
    /// It ended.
    Ended(ExitRecord),
    /// The supervisor died before it could tell. The lock keeps others away while this is cleaned up.
    Orphaned(Box<Record>, File),
    /// This folder is a copy: nobody holds its lock, and yet the supervisor on record is at work. It belongs to the
    /// folder that this one was copied from, and so does the task.
    Copied(Box<Record>),
}

/// The folder.
#[derive(Debug, Clone)]
pub struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// The folder of a task below `root`.
    pub fn of(root: &Path, id: &TaskId) -> Self {
        Self { path: root.join(id.digest()) }
    }

    /// An existing folder.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Every folder below `root`, sorted; none if somebody removed `root` itself.
    pub fn all(root: &Path) -> io::Result<Vec<Self>> {
        let entries = match fs::read_dir(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let folders = entries.map(|entry| Ok(Self { path: entry?.path() }));
        let mut folders = folders.collect::<io::Result<Vec<Self>>>()?;
        folders.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(folders)
    }

    /// Makes it, for the owner only.
    pub fn create(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock, if nobody holds it.
    pub fn try_lock(&self) -> io::Result<Option<File>> {
        let file = self.open_lock()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The lock, waiting for a supervisor that is about to leave.
    pub fn lock(&self) -> io::Result<File> {
        let file = self.open_lock()?;
        file.lock()?;
        Ok(file)
    }

    fn open_lock(&self) -> io::Result<File> {
        File::options().create(true).truncate(false).write(true).mode(0o600).open(self.path.join("lock"))
    }

    /// The record of the last start.
    pub fn record(&self) -> Option<Record> {
        read(&self.path.join("running.json"))
    }

    /// The exit, if it is that of the last start.
    pub fn exit(&self) -> Option<ExitRecord> {
        let exit: ExitRecord = read(&self.path.join("exit.json"))?;
        let is_last = self.record().is_none_or(|record| record.incarnation == exit.incarnation);
        is_last.then_some(exit)
    }

    /// Replaces the record. Not synced: after a crash of the machine the task is gone, whatever the record says.
    pub fn write_record(&self, record: &Record) -> io::Result<()> {
        replace(&self.path, "running.json", record, Durability::Cached)
    }

    /// Replaces the exit, durably.
    pub fn write_exit(&self, exit: &ExitRecord) -> io::Result<()> {
        replace(&self.path, "exit.json", exit, Durability::Synced)
    }

    /// Says what is there, as far as files and the lock can tell.
    pub fn look(&self) -> io::Result<Found> {
        if let Some(exit) = self.exit() {
            return Ok(Found::Ended(exit));
        }
        if !self.path.exists() {
            return Ok(Found::Nothing);
        }
        let Some(lock) = self.try_lock()? else { return Ok(Found::Supervised(self.record())) };
        // The supervisor may have left between the two looks; with the lock in hand nothing changes any more.
        Ok(match (self.exit(), self.record()) {
            (Some(exit), _) => Found::Ended(exit),
            (None, Some(record)) if record.is_supervised() => Found::Copied(Box::new(record)),
            (None, Some(record)) => Found::Orphaned(Box::new(record), lock),
            (None, None) => Found::Nothing,
        })
    }

    /// Removes the folder and all that is known.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    Cached,
    Synced,
}

/// A torn or foreign file reads as absent: the lock and the processes decide then.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn replace<T: Serialize>(folder: &Path, name: &str, value: &T, durability: Durability) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    if durability == Durability::Synced {
        file.sync_data()?;
    }
    fs::rename(&draft, folder.join(name))?;
    if durability == Durability::Synced {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Ending;

    fn record(incarnation: u32) -> Record {
        let own = ProcessRef::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        let former = ProcessRef { start_ticks: own.start_ticks - 1, ..own };
        Record {
            id: TaskId::new("default", "web.api.0-v1.0", "server").unwrap(),
            incarnation,
            boot: String::new(),
            started: Timestamp::UNIX_EPOCH,
            supervisor: former,
            task: None,
            cgroup: None,
        }
    }

    fn exit(incarnation: u32) -> ExitRecord {
        let exit = Exit { ending: Ending::Code(0), oom: false, at: Timestamp::UNIX_EPOCH, message: None };
        ExitRecord { id: record(0).id, incarnation, started: Timestamp::UNIX_EPOCH, exit }
    }

    #[test]
    fn the_folder_tells_the_life_of_a_task() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateFolder::of(root.path(), &record(0).id);
        assert!(matches!(folder.look().unwrap(), Found::Nothing));
        folder.create().unwrap();
        let lock = folder.try_lock().unwrap().expect("free");
        assert!(matches!(folder.look().unwrap(), Found::Supervised(None)));
        folder.write_record(&record(0)).unwrap();
        assert!(matches!(folder.look().unwrap(), Found::Supervised(Some(_))));
        drop(lock);
        assert!(matches!(folder.look().unwrap(), Found::Orphaned(..)));
        folder.write_exit(&exit(0)).unwrap();
        assert!(matches!(folder.look().unwrap(), Found::Ended(_)));
        folder.write_record(&record(1)).unwrap();
        assert!(
            matches!(folder.look().unwrap(), Found::Orphaned(..)),
            "the older exit says nothing about it"
        );
        folder.remove().unwrap();
        assert!(matches!(folder.look().unwrap(), Found::Nothing));
    }

    #[test]
    fn a_copy_is_no_orphan() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateFolder::of(root.path(), &record(0).id);
        folder.create().unwrap();
        let own = ProcessRef::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        let alive = Record { boot: procfs::boot_id(), supervisor: own, ..record(0) };
        folder.write_record(&alive).unwrap();
        assert!(matches!(folder.look().unwrap(), Found::Copied(_)), "its supervisor holds another lock");
        folder.write_record(&Record { boot: "another".into(), ..alive }).unwrap();
        assert!(matches!(folder.look().unwrap(), Found::Orphaned(..)), "that was another boot's process");
    }

    #[test]
    fn torn_files_read_as_absent() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateFolder::of(root.path(), &record(0).id);
        folder.create().unwrap();
        for torn in ["", "{", "{\"id\":\"a/b/c\"}", "\0\0\0"] {
            fs::write(folder.path().join("running.json"), torn).unwrap();
            fs::write(folder.path().join("exit.json"), torn).unwrap();
            assert!(matches!(folder.look().unwrap(), Found::Nothing), "{torn:?}");
        }
    }
}
