//! What the machine is: asked by the agent when it registers. A simulation answers what it likes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use futures::future::BoxFuture;
use schemas::node::Amount;

use super::config::AgentConfig;
use super::fingerprint;
use super::ports::{self, PortAsk, Taken};

/// What a look at the machine gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineFacts {
    /// Facts for constraints, under Nomad's names: `cpu.arch`, `kernel.name` …
    pub attributes: BTreeMap<String, String>,
    /// All that the machine has; of the disk, what is free where allocations lie.
    pub capacity: Amount,
}

/// Facts about the disk begin with this.
pub(super) const STORAGE: &str = "unique.storage.";
/// What is always worth a word, in MB: less than the smallest disk that jobs ask for by default.
const LEAST_STEP_MB: u64 = 64;

/// Whether an amount of disk has changed so much that the cluster should hear of it: by a sixteenth, or, where little
/// is left, by what matters then. What tasks write and remove all the time is below that.
pub(super) fn has_moved(before_mb: u64, now_mb: u64) -> bool {
    before_mb.abs_diff(now_mb) > (before_mb.max(now_mb) / 16).max(LEAST_STEP_MB)
}

impl MachineFacts {
    /// Takes over the room on the disk if it has changed by much: what is free, and what allocations hold of what they
    /// were promised, for that is counted as theirs already.
    pub(super) fn follow_disk(&mut self, fresh: &MachineFacts, held_mb: u64) {
        let total = |facts: &MachineFacts| facts.attributes.get(&format!("{STORAGE}bytestotal")).cloned();
        let room_mb = fresh.capacity.disk_mb.saturating_add(held_mb);
        if !has_moved(self.capacity.disk_mb, room_mb) && total(self) == total(fresh) {
            return;
        }
        self.capacity.disk_mb = room_mb;
        let storage = fresh.attributes.iter().filter(|(name, _)| name.starts_with(STORAGE));
        self.attributes.extend(storage.map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// The machine that the agent runs on.
pub trait Machine: Send + Sync + 'static {
    /// Looks at it.
    fn observe(&self) -> BoxFuture<'_, MachineFacts>;
    /// The address that tasks are reached at.
    fn host_ip(&self) -> IpAddr;
    /// The first of these ports that somebody has. A machine that is made up has nobody else.
    fn taken(&self, asks: Vec<PortAsk>) -> BoxFuture<'static, Option<Taken>> {
        drop(asks);
        Box::pin(std::future::ready(None))
    }
}

/// A machine that is what it is said to be.
#[derive(Clone, Debug)]
pub struct FixedMachine {
    /// What it is.
    pub facts: MachineFacts,
    /// Its address.
    pub ip: IpAddr,
}

impl Machine for FixedMachine {
    fn observe(&self) -> BoxFuture<'_, MachineFacts> {
        Box::pin(std::future::ready(self.facts.clone()))
    }
    fn host_ip(&self) -> IpAddr {
        self.ip
    }
}

/// The machine that this process runs on.
#[derive(Clone, Debug)]
pub struct ThisMachine {
    folder: PathBuf,
    ip: IpAddr,
}

impl ThisMachine {
    /// With the folder for allocations and the address of an agent's configuration.
    pub fn new(config: &AgentConfig) -> ThisMachine {
        let ip = config.host_ip.or_else(fingerprint::outward_address);
        ThisMachine { folder: config.data_dir.clone(), ip: ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)) }
    }
}

impl Machine for ThisMachine {
    fn observe(&self) -> BoxFuture<'_, MachineFacts> {
        Box::pin(async {
            let folder = self.folder.clone();
            let looked = tokio::task::spawn_blocking(move || fingerprint::observe(&folder)).await;
            looked.expect("nothing there panics: what cannot be read is left out")
        })
    }
    fn host_ip(&self) -> IpAddr {
        self.ip
    }
    fn taken(&self, asks: Vec<PortAsk>) -> BoxFuture<'static, Option<Taken>> {
        Box::pin(async move {
            let looked = tokio::task::spawn_blocking(move || ports::taken(&asks)).await;
            looked.expect("nothing there panics: what cannot be read is left out")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(disk_mb: u64, total: &str) -> MachineFacts {
        let mut facts = MachineFacts::default();
        facts.capacity.disk_mb = disk_mb;
        facts.attributes.insert(format!("{STORAGE}bytestotal"), total.to_owned());
        facts.attributes.insert(format!("{STORAGE}bytesfree"), (disk_mb << 20).to_string());
        facts.attributes.insert("cpu.arch".to_owned(), disk_mb.to_string());
        facts
    }

    #[test]
    fn the_disk_is_followed_in_steps_that_matter() {
        // Told before, free now, held by allocations, total now; what is told then.
        let table = [
            ((10_000, 10_000, 0, "t"), 10_000),
            ((10_000, 9_400, 0, "t"), 10_000),
            ((10_000, 9_300, 0, "t"), 9_300),
            ((10_000, 10_700, 0, "t"), 10_700),
            ((10_000, 4_000, 6_000, "t"), 10_000),
            ((10_000, 4_000, 3_000, "t"), 7_000),
            ((300, 240, 0, "t"), 300),
            ((300, 200, 0, "t"), 200),
            ((300, 0, 0, "t"), 0),
            ((0, 50, 0, "t"), 0),
            ((0, 70, 0, "t"), 70),
            ((10_000, 9_990, 0, "grown"), 9_990),
        ];
        for ((before, free, held, total), expected) in table {
            let (mut told, fresh) = (facts(before, "t"), facts(free, total));
            told.follow_disk(&fresh, held);
            assert_eq!(told.capacity.disk_mb, expected, "{before} {free} {held} {total}");
            assert_eq!(told.attributes["cpu.arch"], before.to_string(), "of the rest nothing is taken over");
            let is_new = expected != before;
            let free_told = &told.attributes[&format!("{STORAGE}bytesfree")];
            assert!(!is_new || *free_told == (free << 20).to_string(), "{free_told}");
        }
    }
}
