//! The newer layout: one tree, controllers switched on level by level.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::handle::{CgroupLimits, counter, number_in, write_each};
use crate::contract::Usage;

/// Makes the group above all tasks and hands it the controllers, each alone: one that is missing stops no other.
pub(super) fn make_parent(root: &Path, parent: &str) -> io::Result<()> {
    let folder = root.join(parent);
    let mut level = root.to_owned();
    switch_on(&level);
    for part in Path::new(parent) {
        level.push(part);
        if !level.exists() {
            fs::create_dir(&level)?;
        }
        switch_on(&level);
    }
    if folder.join("cgroup.procs").exists() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

fn switch_on(folder: &Path) {
    for controller in ["+cpu", "+memory", "+pids", "+cpuset"] {
        if let Err(error) = fs::write(folder.join("cgroup.subtree_control"), controller) {
            tracing::debug!(%error, controller, folder = %folder.display(), "controller not available");
        }
    }
}

pub(super) fn create(folder: &Path, limits: &CgroupLimits) -> io::Result<()> {
    let CgroupLimits { cpu_shares, cores, memory_bytes, memory_promised_bytes, processes } = limits;
    fs::create_dir_all(folder)?;
    let set = |file: &str, value: Option<String>| {
        value.map_or(Ok(()), |value| {
            fs::write(folder.join(file), value)
                .map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))
        })
    };
    set("cpu.weight", cpu_shares.map(|shares| weight(shares).to_string()))?;
    set("cpuset.cpus", (!cores.is_empty()).then(|| list(cores)))?;
    set("memory.max", memory_bytes.map(|bytes| bytes.to_string()))?;
    set("memory.low", memory_promised_bytes.map(|bytes| bytes.to_string()))?;
    set("pids.max", processes.map(|count| count.to_string()))?;
    let swap_off = memory_bytes.is_some() && folder.join("memory.swap.max").exists();
    set("memory.swap.max", swap_off.then(|| "0".to_owned()))
}

fn list(cores: &[u32]) -> String {
    cores.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// Shares run from 2 to 262,144 and weights from 1 to 10,000; the line between is what container runtimes use.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

/// One write on kernels since 5.14, which reaches the groups inside and the frozen; freezing first on older ones.
/// `groups` begins with the one above all others.
pub(super) fn kill(groups: &[PathBuf], signal_all: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let Some(top) = groups.first() else { return Ok(()) };
    let at_once = top.join("cgroup.kill");
    if at_once.exists() {
        return fs::write(at_once, "1");
    }
    write_each(&groups[..1], "cgroup.freeze", "1")?;
    let signalled = signal_all();
    write_each(groups, "cgroup.freeze", "0")?;
    signalled
}

pub(super) fn usage(folder: &Path) -> Usage {
    let cpu = fs::read_to_string(folder.join("cpu.stat")).unwrap_or_default();
    Usage {
        cpu_nanoseconds: counter(&cpu, "usage_usec").unwrap_or(0).saturating_mul(1000),
        memory_bytes: number_in(&folder.join("memory.current")).unwrap_or(0),
        memory_peak_bytes: number_in(&folder.join("memory.peak")),
        processes: number_in(&folder.join("pids.current")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::cgroup::Cgroups;

    /// A folder that looks like the kernel's, as far as files can.
    fn kernel() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in ["cgroup.controllers", "cgroup.procs"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        let parent = root.path().join("encamp");
        fs::create_dir(&parent).unwrap();
        fs::write(parent.join("cgroup.procs"), "").unwrap();
        root
    }

    #[test]
    fn limits_become_files() {
        let root = kernel();
        let limits = CgroupLimits {
            cpu_shares: Some(1024),
            cores: vec![0, 2],
            memory_bytes: Some(64 << 20),
            memory_promised_bytes: Some(32 << 20),
            processes: Some(100),
        };
        let group = Cgroups::detect(root.path(), "encamp").unwrap().group("t", &limits);
        group.create(&limits).unwrap();
        let read = |file: &str| fs::read_to_string(root.path().join("encamp/t").join(file)).unwrap();
        let files = ["cpu.weight", "cpuset.cpus", "memory.max", "memory.low", "pids.max"];
        let shown: Vec<String> = files.iter().map(|file| format!("{file}={}", read(file))).collect();
        insta::assert_snapshot!(shown.join(" "),
            @"cpu.weight=39 cpuset.cpus=0,2 memory.max=67108864 memory.low=33554432 pids.max=100");
        assert_eq!(fs::read_to_string(root.path().join("encamp/cgroup.subtree_control")).unwrap(), "+cpuset");
    }

    #[test]
    fn killing_prefers_the_one_write() {
        let root = kernel();
        let group = Cgroups::detect(root.path(), "encamp").unwrap().group("t", &CgroupLimits::default());
        group.create(&CgroupLimits::default()).unwrap();
        let folder = root.path().join("encamp/t");
        group.kill().unwrap();
        assert_eq!(fs::read_to_string(folder.join("cgroup.freeze")).unwrap(), "0", "thawed again");
        // What a task froze by itself is thawed, too, or it would outlive the signal.
        let inside = folder.join("own/deep");
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join("cgroup.freeze"), "1").unwrap();
        fs::write(inside.join("cgroup.procs"), "2147483646\n").unwrap();
        assert_eq!(group.processes(), [2_147_483_646]);
        group.kill().unwrap();
        assert_eq!(fs::read_to_string(inside.join("cgroup.freeze")).unwrap(), "0");
        fs::write(folder.join("cgroup.kill"), "").unwrap();
        group.kill().unwrap();
        assert_eq!(fs::read_to_string(folder.join("cgroup.kill")).unwrap(), "1");
    }

    #[test]
    fn measures_are_read() {
        let root = kernel();
        let folder = root.path().join("encamp");
        fs::write(folder.join("cpu.stat"), "usage_usec 1500\nuser_usec 1000\n").unwrap();
        fs::write(folder.join("memory.current"), "4096\n").unwrap();
        let expected = Usage { cpu_nanoseconds: 1_500_000, memory_bytes: 4096, ..Usage::default() };
        assert_eq!(usage(&folder), expected);
    }

    #[test]
    fn weights_keep_the_ends_of_the_scale() {
        assert_eq!([weight(0), weight(2), weight(262_144), weight(u64::MAX)], [1, 1, 10_000, 10_000]);
    }
}
