//! The folders of an allocation: `<root>/<namespace>/<allocation>/alloc/{data,logs,tmp}` shared by its tasks, and
//! `<task>/{local,secrets,private,tmp}` for each.
//!
//! Tasks write here, so nothing in these folders is trusted: no link is followed when they are made or removed, and
//! nothing is deleted through a mount.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use drivers::{contract::TaskDirs, task_id::path_component};

/// Anybody may come through, nobody may look around.
const PASSAGE: u32 = 0o711;
/// Anybody may write, nobody may remove what is another's.
const COMMON: u32 = 0o1777;

/// The folders of one allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllocDir {
    path: PathBuf,
    namespace: PathBuf,
}

impl AllocDir {
    /// Names the folders below the agent's folder for allocations; nothing is made yet.
    pub fn new(root: &Path, namespace: &str, allocation: &str) -> Self {
        let namespace = root.join(path_component(namespace));
        Self { path: namespace.join(path_component(allocation)), namespace }
    }

    /// The allocation's own folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What all its tasks share: `/alloc` inside.
    pub fn shared(&self) -> PathBuf {
        self.path.join("alloc")
    }

    /// Where the logs of all its tasks lie.
    pub fn logs(&self) -> PathBuf {
        self.shared().join("logs")
    }

    /// The folders of a task.
    pub fn task(&self, task: &str) -> TaskDirs {
        let root = self.path.join(path_component(task));
        TaskDirs {
            shared: self.shared(),
            logs: self.logs(),
            local: root.join("local"),
            secrets: root.join("secrets"),
            root,
        }
    }

    /// Makes the shared folders; those that exist stay.
    pub fn create(&self) -> io::Result<()> {
        let root = self.namespace.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(root)?;
        for passage in [&self.namespace, &self.path] {
            make(passage, PASSAGE)?;
        }
        make(&self.shared(), COMMON)?;
        make(&self.shared().join("data"), COMMON)?;
        make(&self.shared().join("tmp"), COMMON)?;
        make(&self.logs(), 0o755)
    }

    /// Makes the folders of a task; those that exist stay. Secrets lie in memory if this process may mount. Which
    /// user the task runs as is known to its driver alone, so anybody inside may write.
    pub fn create_task(&self, task: &str, secrets_mb: u64) -> io::Result<TaskDirs> {
        let dirs = self.task(task);
        make(&dirs.root, 0o755)?;
        make(&dirs.root.join("private"), 0o700)?;
        make(&dirs.local, COMMON)?;
        make(&dirs.root.join("tmp"), COMMON)?;
        make(&dirs.secrets, COMMON)?;
        if !is_mounted(&dirs.secrets)? {
            mount_memory(&dirs.secrets, secrets_mb.max(1))?;
        }
        Ok(dirs)
    }

    /// Removes everything, after taking off whatever is mounted inside. What does not exist is fine. The folder of
    /// the namespace stays: another allocation may be about to make its own in it.
    pub fn remove(&self) -> io::Result<()> {
        take_off(&self.path)?;
        if let Some(left) = mounts_below(&self.path)?.first() {
            let text = format!("{} is still mounted: nothing was removed", left.display());
            return Err(io::Error::other(text));
        }
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn make(folder: &Path, mode: u32) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    match fs::DirBuilder::new().mode(mode).create(folder) {
        // The process's mask took bits away; a folder just made by us is no link.
        Ok(()) => fs::set_permissions(folder, fs::Permissions::from_mode(mode)).map_err(named),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_folder = fs::symlink_metadata(folder).map_err(named)?.is_dir();
            if is_folder { Ok(()) } else { Err(named(io::Error::other("is no folder"))) }
        }
        Err(error) => Err(named(error)),
    }
}

/// Without the right to mount, secrets lie on disk in a folder with the same mode.
fn mount_memory(folder: &Path, size_mb: u64) -> io::Result<()> {
    let options = format!("mode={COMMON:o},size={size_mb}m");
    let options = std::ffi::CString::new(options).expect("numbers hold no NUL");
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    match mount("tmpfs", folder, "tmpfs", flags, options.as_c_str()) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::PERM) => {
            tracing::debug!(folder = %folder.display(), "secrets lie on disk: mounting is not permitted");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes off whatever is mounted at or below a folder: secrets in memory, for which no task is left.
pub(super) fn take_off(folder: &Path) -> io::Result<()> {
    for point in mounts_below(folder)?.iter().rev() {
        match unmount(point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            // Somebody else took it off meanwhile.
            Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether something is mounted at a folder. The kernel names mounts by their real path, which the agent's data
/// directory need not be.
fn is_mounted(folder: &Path) -> io::Result<bool> {
    Ok(mounts_below(folder)?.contains(&folder.canonicalize()?))
}

/// Where something is mounted at or below a folder, outermost first, by real paths.
fn mounts_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = match folder.canonicalize() {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(points_below(&fs::read_to_string("/proc/self/mountinfo")?, &folder))
}

fn points_below(mountinfo: &str, folder: &Path) -> Vec<PathBuf> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape).map(PathBuf::from);
    points.filter(|point| point.starts_with(folder)).collect()
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        if let Some(byte) = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            plain.push(char::from(byte));
            rest = &after[3..];
        } else {
            plain.push('\\');
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> String {
        format!("{:o}", fs::metadata(path).unwrap().permissions().mode() & 0o7777)
    }

    #[test]
    fn folders_are_made_once_and_removed_whole() {
        let root = tempfile::tempdir().unwrap();
        let folders = AllocDir::new(root.path(), "default", "web/x.api.0-v1.0");
        for _ in 0..2 {
            folders.create().unwrap();
            folders.create_task("server", 1).unwrap();
        }
        assert_eq!(
            folders.path().strip_prefix(root.path()).unwrap(),
            Path::new("default/web%2Fx.api.0-v1.0")
        );
        let dirs = folders.task("server");
        fs::write(dirs.secrets.join("token"), "t").unwrap();
        let modes = [&dirs.shared, &dirs.logs, &dirs.root, &dirs.local, &dirs.secrets].map(|path| mode(path));
        assert_eq!(modes, ["1777", "755", "755", "1777", "1777"]);
        folders.remove().unwrap();
        assert_eq!(fs::read_dir(root.path().join("default")).unwrap().count(), 0);
        folders.remove().unwrap();
    }

    #[test]
    fn secrets_stay_over_starts_although_a_link_leads_to_the_folders() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("disk")).unwrap();
        symlink(root.path().join("disk"), root.path().join("data")).unwrap();
        let folders = AllocDir::new(&root.path().join("data"), "default", "a");
        folders.create().unwrap();
        let secrets = folders.create_task("server", 1).unwrap().secrets;
        fs::write(secrets.join("token"), "t").unwrap();
        folders.create_task("server", 1).unwrap();
        let token = fs::read_to_string(secrets.join("token"));
        folders.remove().unwrap();
        assert_eq!(token.unwrap(), "t");
    }

    #[test]
    fn removal_follows_no_link() {
        let root = tempfile::tempdir().unwrap();
        let precious = root.path().join("precious");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "mine").unwrap();
        let folders = AllocDir::new(&root.path().join("allocs"), "default", "a");
        folders.create().unwrap();
        symlink(&precious, folders.shared().join("data/link")).unwrap();
        folders.remove().unwrap();
        assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "mine");
    }

    #[test]
    fn a_link_in_the_place_of_a_folder_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folders = AllocDir::new(root.path(), "default", "a");
        folders.create().unwrap();
        fs::create_dir(folders.path().join("server")).unwrap();
        symlink("/etc", folders.path().join("server/local")).unwrap();
        let refused = folders.create_task("server", 1).unwrap_err();
        assert!(refused.to_string().contains("is no folder"), "{refused}");
        folders.remove().unwrap();
    }

    #[test]
    fn mount_points_are_read_as_the_kernel_writes_them() {
        let text = "1 0 8:1 / / rw - ext4\n2 1 0:5 / /a/b\\040c rw - tmpfs\n3 1 0:5 / /a/bc rw - tmpfs";
        assert_eq!(points_below(text, Path::new("/a/b c")), [PathBuf::from("/a/b c")]);
        assert_eq!(points_below(text, Path::new("/a")).len(), 2);
    }
}
