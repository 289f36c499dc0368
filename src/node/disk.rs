//! The agent's own files: folders of allocations and the memory between decisions. A simulation has none.

use std::io;
use std::path::{Path, PathBuf};

use agent::{DiskRoom, DiskUse};
use futures::future::{BoxFuture, FutureExt};

use super::alloc_dir::{AllocDir, take_off};
use super::disk_use;
use drivers::TaskId;
use drivers::contract::TaskDirs;

/// What the agent asks of a disk.
pub trait Disk: Send + Sync + 'static {
    /// Makes the folders of a task, with so much room for secrets, and of its allocation. Making them twice is fine.
    fn prepare<'a>(&'a self, task: &'a TaskId, secrets_mb: u64) -> BoxFuture<'a, io::Result<TaskDirs>>;
    /// Takes the secrets of an allocation that has ended out of memory; none is fine.
    fn take_off_secrets<'a>(
        &'a self,
        namespace: &'a str,
        allocation: &'a str,
    ) -> BoxFuture<'a, io::Result<()>>;
    /// Removes all folders of an allocation; none is fine.
    fn remove<'a>(&'a self, namespace: &'a str, allocation: &'a str) -> BoxFuture<'a, io::Result<()>>;
    /// Measures what an allocation holds. It need not count further than what is too much, nor for ever: then less is
    /// told than there is.
    fn measure<'a>(
        &'a self,
        namespace: &'a str,
        allocation: &'a str,
        room: DiskRoom,
    ) -> BoxFuture<'a, io::Result<DiskUse>>;
    /// The memory as it was last saved; nothing if it was never.
    fn load(&self) -> BoxFuture<'_, io::Result<Option<Vec<u8>>>>;
    /// Saves the memory: after a crash of the agent either the old or the new one is there. Not synced: after a crash
    /// of the machine no task runs that it could speak of.
    fn save(&self, memory: Vec<u8>) -> BoxFuture<'_, io::Result<()>>;
}

/// The real thing.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Under the agent's data directory.
    pub fn new(root: impl Into<PathBuf>) -> DataDir {
        DataDir { root: root.into() }
    }
    /// Where the folders of all allocations lie.
    pub fn allocations(&self) -> PathBuf {
        self.root.join("alloc")
    }
    /// Takes the secrets of all tasks off, so that the folders can be removed: for an agent whose tasks have all
    /// ended and that will not come back. The next one makes them anew.
    pub async fn take_off_all_secrets(&self) -> io::Result<()> {
        let allocations = self.allocations();
        off_the_loop(move || take_off(&allocations)).await
    }
    fn own_folder(&self) -> PathBuf {
        self.root.join("agent")
    }
    fn memory(&self) -> PathBuf {
        self.own_folder().join("memory.json")
    }
}

impl Disk for DataDir {
    fn prepare<'a>(&'a self, task: &'a TaskId, secrets_mb: u64) -> BoxFuture<'a, io::Result<TaskDirs>> {
        let allocation = AllocDir::new(&self.allocations(), task.namespace(), task.allocation());
        let task = task.task().to_owned();
        off_the_loop(move || {
            allocation.create()?;
            allocation.create_task(&task, secrets_mb)
        })
    }

    fn take_off_secrets<'a>(
        &'a self,
        namespace: &'a str,
        allocation: &'a str,
    ) -> BoxFuture<'a, io::Result<()>> {
        let allocation = AllocDir::new(&self.allocations(), namespace, allocation);
        off_the_loop(move || take_off(allocation.path()))
    }

    fn remove<'a>(&'a self, namespace: &'a str, allocation: &'a str) -> BoxFuture<'a, io::Result<()>> {
        let allocation = AllocDir::new(&self.allocations(), namespace, allocation);
        off_the_loop(move || allocation.remove())
    }

    fn measure<'a>(
        &'a self,
        namespace: &'a str,
        allocation: &'a str,
        room: DiskRoom,
    ) -> BoxFuture<'a, io::Result<DiskUse>> {
        let allocation = AllocDir::new(&self.allocations(), namespace, allocation);
        off_the_loop(move || disk_use::measure(&allocation, room.most_bytes()))
    }

    fn load(&self) -> BoxFuture<'_, io::Result<Option<Vec<u8>>>> {
        let path = self.memory();
        off_the_loop(move || match std::fs::read(path) {
            Ok(memory) => Ok(Some(memory)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn save(&self, memory: Vec<u8>) -> BoxFuture<'_, io::Result<()>> {
        let (folder, path) = (self.own_folder(), self.memory());
        off_the_loop(move || {
            make_private(&folder)?;
            let fresh = path.with_extension("new");
            std::fs::write(&fresh, memory)?;
            std::fs::rename(fresh, path)
        })
    }
}

/// A folder that nobody else may look into.
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Runs blocking work where it blocks nobody.
fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> BoxFuture<'static, io::Result<T>> {
    async move { tokio::task::spawn_blocking(work).await.map_err(io::Error::other)? }.boxed()
}

/// No disk: what is saved is kept in memory, folders are names only. For simulations.
#[derive(Debug, Default)]
pub struct NoDisk {
    saved: std::sync::Mutex<Option<Vec<u8>>>,
}

impl Disk for NoDisk {
    fn prepare<'a>(&'a self, task: &'a TaskId, _secrets_mb: u64) -> BoxFuture<'a, io::Result<TaskDirs>> {
        let root = Path::new("/none").join(task.as_str());
        let dirs = TaskDirs {
            shared: root.join("alloc"),
            local: root.join("local"),
            secrets: root.join("secrets"),
            logs: root.join("logs"),
            root,
        };
        std::future::ready(Ok(dirs)).boxed()
    }
    fn take_off_secrets<'a>(
        &'a self,
        _namespace: &'a str,
        _allocation: &'a str,
    ) -> BoxFuture<'a, io::Result<()>> {
        std::future::ready(Ok(())).boxed()
    }
    fn remove<'a>(&'a self, _namespace: &'a str, _allocation: &'a str) -> BoxFuture<'a, io::Result<()>> {
        std::future::ready(Ok(())).boxed()
    }
    fn measure<'a>(
        &'a self,
        _namespace: &'a str,
        _allocation: &'a str,
        _room: DiskRoom,
    ) -> BoxFuture<'a, io::Result<DiskUse>> {
        std::future::ready(Ok(DiskUse::default())).boxed()
    }
    fn load(&self) -> BoxFuture<'_, io::Result<Option<Vec<u8>>>> {
        let saved =
            self.saved.lock().map_err(|_| io::Error::other("a saver panicked")).map(|saved| saved.clone());
        std::future::ready(saved).boxed()
    }
    fn save(&self, memory: Vec<u8>) -> BoxFuture<'_, io::Result<()>> {
        let saved = self.saved.lock().map(|mut saved| *saved = Some(memory));
        std::future::ready(saved.map_err(|_| io::Error::other("a saver panicked"))).boxed()
    }
}
