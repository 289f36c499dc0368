//! How much of the disk allocations hold: measured again and again, one after the other, beside the loop.
//!
//! Tasks write what is measured, so nothing of it is trusted: no link and no mount is followed, what lies too deep for
//! a path is reached all the same, and counting ends when it is too much already. Each name costs at least what the
//! kernel keeps for it, so that counting has an end. Files that nobody sees any more but that are open are not seen
//! here either.

use std::{
    collections::HashSet,
    ffi::OsStr,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use agent::{AllocationId, DiskRoom, DiskUse, VersionFact, Wanted};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat2, statat},
    io::Errno,
};
use schemas::key::Revision;

use super::{
    alloc_dir::AllocDir,
    machine::has_moved,
    run::Agent,
    works::{self, Measured, Pause},
};
use store::Store;

/// From one measurement to the next: at a gigabyte a second a disk of usual size is not full by then.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// Measuring takes at most one part in so many of one processor's time.
const REST_FACTOR: u32 = 10;
/// One allocation takes no longer; what was counted until then is less than there is.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the kernel keeps for a file at least, as far as the common filesystems go.
const LEAST_BYTES: u64 = 512;
/// The longest path that is opened in one go; the kernel takes twice as much with a name at its end.
const LONGEST_PATH: usize = 2048;
/// Folders that are held open because paths to them would be too long: 64 KiB of path on most disks.
const MOST_OPEN: usize = 32;

impl<S: Store> Agent<S> {
    /// Measures after a while.
    pub(super) fn measure_later(&mut self, rest: Duration) {
        self.pause(MEASURE_EVERY.max(rest), Pause::Measure);
    }

    /// Measures what allocations hold of which something runs.
    pub(super) fn measure(&mut self) {
        let tasks = &self.local.tasks;
        let runs = |id: &AllocationId| {
            tasks.get(id).is_some_and(|tasks| tasks.values().any(|seen| seen.fact.is_alive()))
        };
        let alive = self.local.wishes.iter().filter(|(id, _)| runs(id));
        let asked: Vec<_> = alive.filter_map(|(id, wanted)| ask(id, wanted)).collect();
        self.pauses.spawn(works::measure(self.world.disk.clone(), asked));
    }

    /// Allocations were measured: one that holds too much is decided about.
    pub(super) fn on_measured(&mut self, measured: Vec<Measured>, took: Duration) {
        self.local.disk.clear();
        let mut held_bytes: u64 = 0;
        for Measured { id, created, room, held } in measured {
            // Meanwhile another may have been placed under its name.
            if self.local.wishes.get(&id).is_none_or(|wanted| wanted.created != created) {
                continue;
            }
            let counted = room.counted_bytes(held);
            held_bytes = held_bytes.saturating_add(counted.min(room.size_bytes()));
            if counted > room.size_bytes() {
                self.dirty.insert(id.clone());
            }
            self.local.disk.insert(id, held);
        }
        let held_mb = held_bytes >> 20;
        self.held.send_if_modified(|told| {
            // The next look takes the newest; what matters at once asks for one.
            let is_urgent = has_moved(*told, held_mb);
            *told = held_mb;
            is_urgent
        });
        self.measure_later(took.saturating_mul(REST_FACTOR));
    }
}

fn ask(id: &AllocationId, wanted: &Wanted) -> Option<(AllocationId, Revision, DiskRoom)> {
    let VersionFact::Known(job) = &wanted.job else { return None };
    let group = job.group(&wanted.placement.group)?;
    Some((id.clone(), wanted.created, DiskRoom::of(group)))
}

/// Measures the folders of an allocation, as far as `enough`. None is fine.
pub(super) fn measure(allocation: &AllocDir, enough: u64) -> io::Result<DiskUse> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = match open(allocation.path(), flags, Mode::empty()) {
        Ok(top) => Arc::new(top),
        Err(Errno::NOENT) => return Ok(DiskUse::default()),
        Err(error) => return Err(error.into()),
    };
    let mut walk = Walk {
        device: fstat(&*top)?.st_dev,
        enough,
        until: Instant::now() + PATIENCE,
        bytes: 0,
        linked: HashSet::new(),
        pending: Vec::new(),
        most_open: MOST_OPEN,
        apart: None,
    };
    let logs = PathBuf::from("alloc/logs");
    walk.apart = statat(&*top, &logs, AtFlags::SYMLINK_NOFOLLOW).ok().map(|stat| stat.st_ino);
    walk.count_below(Place { base: top.clone(), path: logs })?;
    let logs_bytes = std::mem::take(&mut walk.bytes);
    walk.enough = enough.saturating_sub(logs_bytes);
    walk.count_below(Place { base: top, path: PathBuf::new() })?;
    Ok(DiskUse { logs_bytes, other_bytes: walk.bytes })
}

/// A folder, by a path from one that is open.
struct Place {
    base: Arc<OwnedFd>,
    path: PathBuf,
}

/// One counting.
struct Walk {
    device: u64,
    enough: u64,
    until: Instant,
    bytes: u64,
    /// Files with several names that were counted already.
    linked: HashSet<u64>,
    pending: Vec<Place>,
    /// How many more folders may be held open.
    most_open: usize,
    /// The folder that is counted by itself.
    apart: Option<u64>,
}

impl Walk {
    fn count_below(&mut self, top: Place) -> io::Result<()> {
        self.pending = vec![top];
        while let Some(place) = self.pending.pop() {
            if self.bytes > self.enough || Instant::now() > self.until {
                return Ok(());
            }
            self.count(place)?;
        }
        Ok(())
    }

    fn count(&mut self, Place { base, path }: Place) -> io::Result<()> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let name = if path.as_os_str().is_empty() { OsStr::new(".") } else { path.as_os_str() };
        let folder = match openat2(&*base, name, flags, Mode::empty(), resolve) {
            Ok(folder) => Arc::new(folder),
            // It went away, is something else now, or another disk is mounted there.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let is_far = path.as_os_str().len() > LONGEST_PATH;
        if is_far {
            self.most_open = self
                .most_open
                .checked_sub(1)
                .ok_or_else(|| io::Error::other("its folders lie too deep in each other"))?;
        }
        let (base, path) = if is_far { (folder.clone(), PathBuf::new()) } else { (base, path) };
        for entry in Dir::read_from(&*folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let Ok(stat) = statat(&*folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let is_folder = FileType::from_raw_mode(stat.st_mode).is_dir();
            if stat.st_dev != self.device || (is_folder && self.apart == Some(stat.st_ino)) {
                continue;
            }
            self.bytes = self.bytes.saturating_add(self.bytes_of(&stat, is_folder));
            if is_folder {
                self.pending.push(Place { base: base.clone(), path: path.join(name) });
            }
            if self.bytes > self.enough {
                break;
            }
        }
        Ok(())
    }

    /// What a file takes on the disk; one with several names counts once.
    fn bytes_of(&mut self, stat: &Stat, is_folder: bool) -> u64 {
        if !is_folder && stat.st_nlink > 1 && !self.linked.insert(stat.st_ino) {
            return 0;
        }
        // The unit of this field is 512 bytes whatever the disk's blocks are.
        u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512).max(LEAST_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    const MB: u64 = 1 << 20;

    fn folders() -> (tempfile::TempDir, AllocDir) {
        let root = tempfile::tempdir().unwrap();
        let folders = AllocDir::new(root.path(), "default", "web.api.0-v0.0");
        folders.create().unwrap();
        (root, folders)
    }

    fn measured_mb(folders: &AllocDir) -> (u64, u64) {
        let DiskUse { logs_bytes, other_bytes } = measure(folders, u64::MAX).unwrap();
        (logs_bytes / MB, other_bytes / MB)
    }

    #[test]
    fn what_lies_on_the_disk_is_counted_once_and_logs_apart() {
        let (_root, folders) = folders();
        assert_eq!(measured_mb(&folders), (0, 0));
        let megabytes = |count: usize| vec![7; count << 20];
        fs::write(folders.logs().join("server.stdout.0"), megabytes(2)).unwrap();
        let data = folders.shared().join("data");
        fs::write(data.join("real"), megabytes(3)).unwrap();
        fs::hard_link(data.join("real"), data.join("again")).unwrap();
        symlink("/usr", data.join("elsewhere")).unwrap();
        fs::File::create(data.join("sparse")).unwrap().set_len(MB << 20).unwrap();
        assert_eq!(measured_mb(&folders), (2, 3));
        fs::remove_dir_all(folders.path()).unwrap();
        assert_eq!(measured_mb(&folders), (0, 0));
    }

    #[test]
    fn secrets_in_memory_are_not_on_the_disk() {
        let (_root, folders) = folders();
        let secrets = folders.create_task("server", 4).unwrap().secrets;
        let is_in_memory =
            fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&*secrets.to_string_lossy());
        fs::write(secrets.join("large"), vec![7; 3 << 20]).unwrap();
        let (_, other_mb) = measured_mb(&folders);
        folders.remove().unwrap();
        assert_eq!(other_mb, if is_in_memory { 0 } else { 3 });
    }

    #[test]
    fn nothing_is_hidden_by_depth() {
        let (_root, folders) = folders();
        let name = "n".repeat(200);
        let mut deepest = open(folders.shared().join("data"), OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..100 {
            rustix::fs::mkdirat(&deepest, &name, Mode::RWXU).unwrap();
            deepest = rustix::fs::openat(&deepest, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let hidden = rustix::fs::openat(&deepest, "hidden", flags, Mode::RWXU).unwrap();
        io::Write::write_all(&mut fs::File::from(hidden), &vec![7; 5 << 20]).unwrap();
        assert_eq!(measured_mb(&folders).1, 5);
    }

    #[test]
    fn counting_ends_when_it_is_too_much() {
        let (_root, folders) = folders();
        for number in 0..1000 {
            fs::write(folders.shared().join(format!("data/{number}")), [7; 5000]).unwrap();
        }
        let DiskUse { logs_bytes, other_bytes } = measure(&folders, MB).unwrap();
        assert_eq!(logs_bytes, 0);
        assert!((MB..MB + (64 << 10)).contains(&other_bytes), "{other_bytes}");
        let whole = measure(&folders, u64::MAX).unwrap().other_bytes;
        assert!(whole > 5_000_000, "{whole}");
    }
}
