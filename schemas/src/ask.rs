//! What one instance of a group asks of its node in total.
//!
//! Tasks do not all run at the same time: first those before the main ones, then the main ones with everything
//! beside them, then those after. The ask is the greatest of the three phases, not the sum of all tasks.

use crate::group::Group;
use crate::network::Port;
use crate::resources::Device;
use crate::task::{Hook, Task};

/// The total ask of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// CPU in MHz, besides whole cores.
    pub cpu_mhz: u64,
    /// Whole cores for it alone.
    pub cores: u32,
    /// Memory in MB, in-memory secret directories included.
    pub memory_mb: u64,
    /// The memory in MB that it may reach, for a node where memory is promised once; nothing means that it has no limit.
    pub memory_reach_mb: Option<u64>,
    /// Disk in MB.
    pub disk_mb: u64,
    /// Ports of the group's network: those with `static_port` are fixed, a free one is chosen for the others.
    pub ports: Vec<Port>,
    /// Devices, task by task.
    pub devices: Vec<DeviceAsk>,
}

/// The devices that one task asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceAsk {
    /// The task.
    pub task: String,
    /// What it asks for.
    pub device: Device,
}

impl Ask {
    /// Fixed ports of the node that must be free.
    pub fn static_ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.ports.iter().filter_map(|port| port.static_port)
    }

    /// Labels of the ports for which a free one is chosen.
    pub fn dynamic_labels(&self) -> impl Iterator<Item = &str> + '_ {
        self.ports.iter().filter(|port| port.static_port.is_none()).map(|port| port.label.as_str())
    }
}

/// CPU, cores and memory that run at the same time.
#[derive(Clone, Copy, Default)]
struct Phase {
    cpu_mhz: u64,
    cores: u32,
    memory_mb: u64,
    reach_mb: u64,
}

impl Phase {
    fn add(&mut self, task: &Task) {
        let resources = &task.resources;
        let with_secrets = |memory: u64| memory.saturating_add(resources.secrets.unwrap_or(0));
        let reach_mb = task.memory_reach_mb().unwrap_or(0).max(resources.memory);
        self.cpu_mhz = self.cpu_mhz.saturating_add(resources.cpu_mhz());
        self.cores = self.cores.saturating_add(resources.cores.unwrap_or(0));
        self.memory_mb = self.memory_mb.saturating_add(with_secrets(resources.memory));
        self.reach_mb = self.reach_mb.saturating_add(with_secrets(reach_mb));
    }

    fn max(self, other: Phase) -> Phase {
        Phase {
            cpu_mhz: self.cpu_mhz.max(other.cpu_mhz),
            cores: self.cores.max(other.cores),
            memory_mb: self.memory_mb.max(other.memory_mb),
            reach_mb: self.reach_mb.max(other.reach_mb),
        }
    }
}

impl Group {
    /// What one instance asks of its node in total.
    pub fn ask(&self) -> Ask {
        let (mut before, mut during, mut after) = (Phase::default(), Phase::default(), Phase::default());
        for task in &self.tasks {
            let phase = match (task.hook(), task.is_sidecar()) {
                (Some(Hook::Prestart), false) => &mut before,
                (None | Some(Hook::Poststart), _) | (Some(Hook::Prestart), true) => &mut during,
                (Some(Hook::Poststop), _) => &mut after,
            };
            phase.add(task);
        }
        let Phase { cpu_mhz, cores, memory_mb, reach_mb } = before.max(during).max(after);
        let asked = |task: &Task| {
            let name = task.name.clone();
            task.resources
                .devices
                .clone()
                .into_iter()
                .map(move |device| DeviceAsk { task: name.clone(), device })
        };
        Ask {
            cpu_mhz,
            cores,
            memory_mb,
            memory_reach_mb: self
                .tasks
                .iter()
                .all(|task| task.memory_reach_mb().is_some())
                .then_some(reach_mb),
            disk_mb: self.ephemeral_disk.size,
            ports: self.network().map(|network| network.ports.clone()).unwrap_or_default(),
            devices: self.tasks.iter().flat_map(asked).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Lifecycle, Resources};

    fn task(name: &str, cpu: u64, memory: u64, hook: Option<Hook>, sidecar: bool) -> Task {
        let resources = Resources { cpu: Some(cpu), memory, ..Resources::default() };
        let lifecycle = hook.map(|hook| Lifecycle { hook: Some(hook), sidecar });
        Task { name: name.to_owned(), resources, lifecycle, ..Task::default() }
    }

    fn ask(tasks: Vec<Task>) -> String {
        let Ask { cpu_mhz, cores, memory_mb, memory_reach_mb: _, disk_mb, ports: _, devices: _ } =
            Group { tasks, ..Group::default() }.ask();
        format!("cpu {cpu_mhz} cores {cores} memory {memory_mb} disk {disk_mb}")
    }

    #[test]
    fn the_greatest_phase_counts() {
        let main =
            || vec![task("main", 100, 100, None, false), task("proxy", 10, 10, Some(Hook::Prestart), true)];
        let with = |extra: Task| ask(main().into_iter().chain([extra]).collect());
        insta::assert_snapshot!([
            ask(main()),
            with(task("init", 900, 50, Some(Hook::Prestart), false)),
            with(task("late", 1, 1, Some(Hook::Poststart), false)),
            with(task("clean", 50, 900, Some(Hook::Poststop), false)),
        ].join("\n"), @"
        cpu 110 cores 0 memory 110 disk 300
        cpu 900 cores 0 memory 110 disk 300
        cpu 111 cores 0 memory 111 disk 300
        cpu 110 cores 0 memory 900 disk 300
        ");
    }

    #[test]
    fn what_may_be_reached_is_counted_by_phase() {
        let reach = |tasks: &[(u64, Option<i64>, Option<&str>)]| {
            let of = |(memory, memory_max, hard): &(u64, Option<i64>, Option<&str>)| {
                let resources =
                    Resources { memory: *memory, memory_max: *memory_max, ..Resources::default() };
                let config =
                    hard.iter().map(|text| ("memory_hard_limit".to_owned(), (*text).into())).collect();
                Task { driver: "docker".to_owned(), config, resources, ..Task::default() }
            };
            Group { tasks: tasks.iter().map(of).collect(), ..Group::default() }.ask().memory_reach_mb
        };
        assert_eq!(reach(&[(100, None, None), (50, Some(0), None)]), Some(150));
        assert_eq!(reach(&[(100, Some(400), None), (50, None, None)]), Some(450));
        assert_eq!(reach(&[(100, Some(-1), None), (50, None, None)]), None);
        assert_eq!(reach(&[(100, None, Some("900"))]), Some(900), "the driver's own limit");
        assert_eq!(reach(&[(100, Some(-1), Some("900"))]), Some(900), "it is the one that holds");
        assert_eq!(reach(&[(100, Some(400), Some("50"))]), Some(100), "what is promised is kept");
        assert_eq!(reach(&[(100, None, Some("0"))]), Some(100), "0 is none");
        assert_eq!(reach(&[(100, None, Some("${meta.x}"))]), Some(100), "the agent sees what it is");
    }

    #[test]
    fn whole_cores_replace_megahertz() {
        let resources = Resources { cores: Some(2), secrets: Some(5), ..Resources::default() };
        insta::assert_snapshot!(ask(vec![Task { resources, ..Task::default() }]), @"cpu 0 cores 2 memory 305 disk 300");
    }
}
