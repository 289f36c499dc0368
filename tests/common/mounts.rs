//! What is mounted below a folder, and must be taken off before the folder can be removed.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};

/// Where something is mounted at or below a folder, outermost first.
pub(crate) fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    points.filter(|point| point.starts_with(folder)).collect()
}

/// Takes all of it off: for whoever drops a folder, perhaps while its test fails.
pub(crate) fn unmount_below(folder: &Path) {
    for point in mounts_below(folder).iter().rev() {
        if let Err(error) = umount2(point, MntFlags::MNT_DETACH) {
            // It went with one of the others.
            let is_gone = error == Errno::EINVAL;
            assert!(is_gone || std::thread::panicking(), "{} stays mounted: {error}", point.display());
        }
    }
}
