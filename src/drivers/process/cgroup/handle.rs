//! The layout-independent face of control groups.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{v1, v2};
use crate::{contract::Usage, process::procfs::ProcessRef, signal::Signal};

/// Which of the kernel's two layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Layout {
    /// One tree per controller.
    V1,
    /// One tree.
    V2,
}

/// The part of the machine's control groups in which tasks get theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroups {
    layout: Layout,
    root: PathBuf,
    parent: String,
}

/// The control group of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    within: Cgroups,
    name: String,
    /// The trees it stands in; only the older layout has several.
    controllers: Vec<String>,
}

/// What the kernel is to enforce; absent means free.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CgroupLimits {
    /// Relative share of the processor under contention.
    pub cpu_shares: Option<u64>,
    /// The only cores it may use.
    pub cores: Vec<u32>,
    /// Hard limit of memory; swap is off with it.
    pub memory_bytes: Option<u64>,
    /// What is left to it longest when memory is short.
    pub memory_promised_bytes: Option<u64>,
    /// Most processes and threads.
    pub processes: Option<u64>,
}

impl Cgroups {
    /// Finds the layout and tries to make the parent group: `None` if this process may not.
    pub fn detect(root: &Path, parent: &str) -> Option<Self> {
        let layout = if root.join("cgroup.controllers").exists() { Layout::V2 } else { Layout::V1 };
        let groups = Self { layout, root: root.to_owned(), parent: parent.to_owned() };
        let made = match layout {
            Layout::V1 => fs::create_dir_all(root.join("freezer").join(parent)),
            Layout::V2 => v2::make_parent(root, parent),
        };
        let can_end_groups = layout == Layout::V2 || root.join("freezer/tasks").exists();
        (can_end_groups && made.is_ok()).then_some(groups)
    }

    /// Names the group of a task; nothing is made yet.
    pub fn group(&self, name: &str, limits: &CgroupLimits) -> Cgroup {
        let controllers = match self.layout {
            Layout::V1 => v1::controllers(&self.root, limits),
            Layout::V2 => Vec::new(),
        };
        Cgroup { within: self.clone(), name: name.to_owned(), controllers }
    }
}

impl Cgroup {
    /// Its folder in the one tree, or in that of a controller.
    fn folder(&self, controller: &str) -> PathBuf {
        match self.within.layout {
            Layout::V1 => self.within.root.join(controller).join(self.path()),
            Layout::V2 => self.within.root.join(self.path()),
        }
    }

    /// Makes the group and writes its limits.
    pub fn create(&self, limits: &CgroupLimits) -> io::Result<()> {
        match self.within.layout {
            Layout::V1 => v1::create(&self.controllers, |controller| self.folder(controller), limits),
            Layout::V2 => v2::create(&self.folder(""), limits),
        }
    }

    /// Puts the calling process, which must have one thread, into the group, so that its next child is born there.
    /// The answer brings it back.
    pub fn enter(&self) -> io::Result<Homeward> {
        let home = fs::read_to_string("/proc/self/cgroup")?;
        let (back, forth): (Vec<PathBuf>, Vec<PathBuf>) = match self.within.layout {
            Layout::V1 => self.controllers.iter().map(|name| self.v1_ways(name, &home)).unzip(),
            Layout::V2 => {
                let own = home.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
                let back = self.within.root.join(own).join("cgroup.procs");
                (vec![back], vec![self.folder("").join("cgroup.procs")])
            }
        };
        let homeward = Homeward(back);
        for path in forth {
            fs::write(path, "0")?;
        }
        Ok(homeward)
    }

    /// `tasks` rather than `cgroup.procs`: a thread moving itself needs no global lock, which costs 16 ms when cold.
    fn v1_ways(&self, controller: &str, home: &str) -> (PathBuf, PathBuf) {
        let own = home.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let controllers = parts.next()?;
            controllers.split(',').any(|name| name == controller).then(|| parts.next())?
        });
        let own = own.unwrap_or("/").trim_start_matches('/');
        let back = self.within.root.join(controller).join(own).join("tasks");
        (back, self.folder(controller).join("tasks"))
    }

    /// Every process in the group, and in those that a task with the rights for it has made inside.
    pub fn processes(&self) -> Vec<i32> {
        let lists = tree(&self.folder("freezer")).into_iter();
        let lists = lists.filter_map(|folder| fs::read_to_string(folder.join("cgroup.procs")).ok());
        lists.flat_map(|list| list.lines().filter_map(|line| line.parse().ok()).collect::<Vec<_>>()).collect()
    }

    /// Kills every process in the group and below it; forks cannot outrun it, and who was frozen is thawed to die.
    pub fn kill(&self) -> io::Result<()> {
        let folder = self.folder("freezer");
        if !folder.exists() {
            return Ok(());
        }
        match self.within.layout {
            Layout::V1 => v1::kill(&tree(&folder), || self.signal_all()),
            Layout::V2 => v2::kill(&tree(&folder), || self.signal_all()),
        }
    }

    /// Only called while the group is frozen: a frozen process keeps its pid.
    fn signal_all(&self) -> io::Result<()> {
        for process in self.processes().into_iter().filter_map(ProcessRef::of) {
            process.signal(Signal::KILL)?;
        }
        Ok(())
    }

    /// Kills, waits until the group is empty (at most `patience`), and removes it.
    pub fn kill_and_remove(&self, patience: Duration) -> io::Result<()> {
        let pause = Duration::from_millis(2);
        let mut waited = Duration::ZERO;
        self.kill()?;
        while !self.processes().is_empty() {
            if waited >= patience {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "processes survive SIGKILL"));
            }
            std::thread::sleep(pause);
            waited += pause;
            self.kill()?;
        }
        self.remove()
    }

    /// Removes the empty group and the empty ones inside.
    pub fn remove(&self) -> io::Result<()> {
        let folders: Vec<PathBuf> = match self.within.layout {
            Layout::V1 => self.controllers.iter().map(|name| self.folder(name)).collect(),
            Layout::V2 => vec![self.folder("")],
        };
        for folder in folders.iter().flat_map(|folder| tree(folder).into_iter().rev()) {
            match fs::remove_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// How many of its processes died by its memory limit.
    pub fn oom_kills(&self) -> u64 {
        let folder = self.folder("memory");
        let file = match self.within.layout {
            Layout::V1 => "memory.oom_control",
            Layout::V2 => "memory.events",
        };
        fs::read_to_string(folder.join(file)).ok().and_then(|text| counter(&text, "oom_kill")).unwrap_or(0)
    }

    /// What the group has used.
    pub fn usage(&self) -> Usage {
        match self.within.layout {
            Layout::V1 => v1::usage(|controller| self.folder(controller)),
            Layout::V2 => v2::usage(&self.folder("")),
        }
    }

    /// Where the group lies below the root of all, the same in every tree.
    pub fn path(&self) -> String {
        format!("{}/{}", self.within.parent, self.name)
    }
}

/// The way back of a process that entered a group; taken on drop, too.
#[derive(Debug)]
pub struct Homeward(Vec<PathBuf>);

impl Homeward {
    /// Returns to where the process was.
    pub fn go(mut self) -> io::Result<()> {
        self.leave()
    }

    /// Stays for good.
    pub fn stay(mut self) {
        self.0.clear();
    }

    fn leave(&mut self) -> io::Result<()> {
        std::mem::take(&mut self.0).into_iter().try_for_each(|path| fs::write(path, "0"))
    }
}

impl Drop for Homeward {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "could not leave a task's control group");
        }
    }
}

/// A group and all groups below it, those above before those inside. What vanishes meanwhile is left out.
fn tree(top: &Path) -> Vec<PathBuf> {
    let mut all = vec![top.to_owned()];
    let mut next = 0;
    while let Some(folder) = all.get(next) {
        let inside = fs::read_dir(folder).into_iter().flatten().flatten();
        let inside = inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let inside: Vec<PathBuf> = inside.map(|entry| entry.path()).collect();
        all.extend(inside);
        next += 1;
    }
    all
}

/// Writes a word into a file of each group; one that was removed meanwhile needs none.
pub(super) fn write_each(groups: &[PathBuf], file: &str, word: &str) -> io::Result<()> {
    for group in groups {
        match fs::write(group.join(file), word) {
            Err(error) if group.exists() => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// The number behind a name in the kernel's `name number` lists.
pub(super) fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

pub(super) fn number_in(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_their_whole_name() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(counter(text, "oom_kill"), Some(3));
        assert_eq!(counter(text, "oom"), None);
    }
}
