//! The root of a jailed task: an empty, read-only tree in memory with a few folders of the host mounted into it.

use std::{
    ffi::CString,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use nix::sched::{CloneFlags, unshare};
use rustix::{
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_remount,
        unmount,
    },
    process::{chdir, pivot_root},
};

use super::jail::{Bind, Jail};

/// Files of `/proc` that tell about the host or command it.
const HIDDEN: &[&str] =
    &["kcore", "keys", "latency_stats", "timer_list", "sched_debug", "kmsg", "sysrq-trigger"];
/// Folders of `/proc` that may be read only.
const FIXED: &[&str] = &["sys", "irq", "bus", "fs"];
/// Folders of `/proc` that must look empty.
const EMPTIED: &[&str] = &["acpi", "scsi", "asound"];
/// Devices without which programs do not run.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

/// Builds the root in namespaces of this process's own and moves into it. The process must have one thread.
pub(super) fn build(jail: &Jail) -> io::Result<()> {
    let spaces = [CloneFlags::CLONE_NEWNS, CloneFlags::CLONE_NEWIPC, CloneFlags::CLONE_NEWUTS];
    unshare(spaces.into_iter().fold(CloneFlags::CLONE_NEWCGROUP, |all, one| all | one))?;
    rustix::system::sethostname(jail.hostname.as_bytes())?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    // Mounted over a folder that exists and that nobody else looks at; it is seen in this namespace alone.
    let root = jail.dirs.root.join("private");
    memory(&root, "mode=755,size=1m", MountFlags::NOSUID | MountFlags::NODEV)?;
    for bind in &jail.binds {
        within(&format!("mount {}", bind.target.display()), show(&root, bind))?;
    }
    within("task folders", own_folders(&root, jail))?;
    within("/proc", process_list(&root.join("proc")))?;
    within("/dev", devices(&root.join("dev")))?;
    within("pivot", enter(&root))
}

fn within(what: &str, result: io::Result<()>) -> io::Result<()> {
    result.map_err(|error| io::Error::new(error.kind(), format!("{what}: {error}")))
}

fn enter(root: &Path) -> io::Result<()> {
    mount_remount(root, MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV, c"")?;
    chdir(root)?;
    // The old root lands on top of the new one and is taken off: no folder for it is ever needed.
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    Ok(())
}

/// Shows a folder, file or link of the host; what the host lacks is left out.
fn show(root: &Path, bind: &Bind) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(&bind.source) else { return Ok(()) };
    let target = below(root, &bind.target);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    if found.is_symlink() && !bind.is_writable {
        let leads_to = fs::read_link(&bind.source)?;
        let is_shown_elsewhere = leads_to.is_relative() && fs::metadata(&bind.source)?.is_dir();
        if is_shown_elsewhere {
            return symlink(leads_to, target);
        }
    }
    let Ok(found) = fs::metadata(&bind.source) else { return Ok(()) };
    if found.is_dir() {
        fs::create_dir_all(&target)?;
    } else {
        fs::write(&target, "")?;
    }
    let fixed = if bind.is_writable { MountFlags::empty() } else { MountFlags::RDONLY };
    put(&bind.source, &target, fixed)
}

fn put(source: &Path, target: &Path, more: MountFlags) -> io::Result<()> {
    mount_bind(source, target)?;
    let flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV | more;
    Ok(mount_remount(target, flags, c"")?)
}

fn own_folders(root: &Path, jail: &Jail) -> io::Result<()> {
    let dirs = &jail.dirs;
    let own = [
        (&dirs.shared, "alloc", MountFlags::empty()),
        (&dirs.local, "local", MountFlags::empty()),
        (&dirs.secrets, "secrets", MountFlags::NOEXEC),
        (&dirs.root.join("tmp"), "tmp", MountFlags::empty()),
    ];
    for (source, name, more) in own {
        let target = root.join(name);
        fs::create_dir_all(&target)?;
        put(source, &target, more)?;
    }
    Ok(())
}

fn process_list(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", folder, "proc", quiet, None)?;
    for name in HIDDEN.iter().map(|name| folder.join(name)).filter(|path| path.exists()) {
        mount_bind("/dev/null", &name)?;
        mount_remount(&name, MountFlags::BIND | MountFlags::RDONLY | quiet, c"")?;
    }
    for name in FIXED.iter().map(|name| folder.join(name)).filter(|path| path.exists()) {
        mount_bind(&name, &name)?;
        mount_remount(&name, MountFlags::BIND | MountFlags::RDONLY | quiet, c"")?;
    }
    for name in EMPTIED.iter().map(|name| folder.join(name)).filter(|path| path.exists()) {
        memory(&name, "size=0", quiet | MountFlags::RDONLY)?;
    }
    Ok(())
}

fn devices(folder: &Path) -> io::Result<()> {
    memory(folder, "mode=755,size=64k", MountFlags::NOSUID)?;
    for name in DEVICES {
        let (source, target) = (Path::new("/dev").join(name), folder.join(name));
        if source.exists() {
            fs::write(&target, "")?;
            mount_bind(source, target)?;
        }
    }
    let pts = folder.join("pts");
    fs::create_dir(&pts)?;
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("devpts", &pts, "devpts", quiet, c"newinstance,ptmxmode=0666,mode=0620")?;
    memory(&folder.join("shm"), "mode=1777,size=64m", quiet | MountFlags::NODEV)?;
    let links = [("pts/ptmx", "ptmx"), ("/proc/self/fd", "fd"), ("/proc/self/fd/0", "stdin")];
    for (leads_to, name) in
        links.into_iter().chain([("/proc/self/fd/1", "stdout"), ("/proc/self/fd/2", "stderr")])
    {
        symlink(leads_to, folder.join(name))?;
    }
    mount_remount(folder, MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID, c"")?;
    Ok(())
}

fn memory(folder: &Path, options: &str, flags: MountFlags) -> io::Result<()> {
    if !folder.exists() {
        fs::create_dir_all(folder)?;
    }
    let options = CString::new(options).expect("options are ours and hold no NUL");
    Ok(mount("tmpfs", folder, "tmpfs", flags, options.as_c_str())?)
}

/// The same path below another root.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(super::control::inside(path).strip_prefix("/").unwrap_or(path))
}
