//! The older layout: one tree per controller.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::handle::{CgroupLimits, number_in, write_each};
use crate::contract::Usage;

/// The trees a task stands in: `freezer` lists and stops it, two measure, the others only if they limit.
pub(super) fn controllers(root: &Path, limits: &CgroupLimits) -> Vec<String> {
    let CgroupLimits { cpu_shares, cores, memory_bytes: _, memory_promised_bytes: _, processes } = limits;
    let mut names = vec!["freezer", "cpuacct", "memory"];
    names.extend(cpu_shares.map(|_| "cpu"));
    names.extend(processes.map(|_| "pids"));
    names.extend((!cores.is_empty()).then_some("cpuset"));
    names.into_iter().filter(|name| root.join(name).join("tasks").exists()).map(str::to_owned).collect()
}

pub(super) fn create(
    controllers: &[String],
    folder: impl Fn(&str) -> PathBuf,
    limits: &CgroupLimits,
) -> io::Result<()> {
    for controller in controllers {
        let folder = folder(controller);
        if controller == "cpuset" {
            inherit_cpuset(folder.parent().unwrap_or(&folder))?;
        }
        fs::create_dir_all(&folder)?;
        match controller.as_str() {
            "cpu" => write_if(&folder.join("cpu.shares"), limits.cpu_shares.map(|shares| shares.max(2)))?,
            "memory" => write_memory(&folder, limits)?,
            "pids" => write_if(&folder.join("pids.max"), limits.processes)?,
            "cpuset" => write_cpuset(&folder, limits)?,
            _ => {}
        }
    }
    Ok(())
}

fn write_memory(folder: &Path, limits: &CgroupLimits) -> io::Result<()> {
    write_if(&folder.join("memory.limit_in_bytes"), limits.memory_bytes)?;
    write_if(&folder.join("memory.soft_limit_in_bytes"), limits.memory_promised_bytes)?;
    let with_swap = folder.join("memory.memsw.limit_in_bytes");
    if with_swap.exists() { write_if(&with_swap, limits.memory_bytes) } else { Ok(()) }
}

fn write_cpuset(folder: &Path, limits: &CgroupLimits) -> io::Result<()> {
    let cores: Vec<String> = limits.cores.iter().map(u32::to_string).collect();
    let memory = fs::read_to_string(folder.parent().unwrap_or(folder).join("cpuset.mems"))?;
    fs::write(folder.join("cpuset.mems"), memory.trim())?;
    fs::write(folder.join("cpuset.cpus"), cores.join(","))
}

/// A new cpuset is empty and may hold nobody until it has both lists; each level needs them from the one above.
fn inherit_cpuset(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        inherit_cpuset(folder.parent().unwrap_or(Path::new("/")))?;
        fs::create_dir(folder)?;
    }
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = fs::read_to_string(folder.join(file))?;
        if own.trim().is_empty() {
            let above = fs::read_to_string(folder.parent().unwrap_or(folder).join(file))?;
            fs::write(folder.join(file), above.trim())?;
        }
    }
    Ok(())
}

fn write_if(path: &Path, value: Option<u64>) -> io::Result<()> {
    value.map_or(Ok(()), |value| fs::write(path, value.to_string()))
}

/// Frozen processes neither fork nor exit, so the list is complete; they die when thawed. A group inside may have been
/// frozen by itself and stays so until it is told; `groups` begins with the one that freezes all.
pub(super) fn kill(groups: &[PathBuf], signal_all: impl Fn() -> io::Result<()>) -> io::Result<()> {
    write_each(groups.get(..1).unwrap_or_default(), "freezer.state", "FROZEN")?;
    let signalled = signal_all();
    write_each(groups, "freezer.state", "THAWED")?;
    signalled
}

pub(super) fn usage(folder: impl Fn(&str) -> PathBuf) -> Usage {
    let memory = folder("memory");
    Usage {
        cpu_nanoseconds: number_in(&folder("cpuacct").join("cpuacct.usage")).unwrap_or(0),
        memory_bytes: number_in(&memory.join("memory.usage_in_bytes")).unwrap_or(0),
        memory_peak_bytes: number_in(&memory.join("memory.max_usage_in_bytes")),
        processes: number_in(&folder("pids").join("pids.current")),
    }
}
