//! From a placement and its job version to what a driver is told.

use std::collections::BTreeMap;
use std::net::IpAddr;

use agent::{AllocationId, VersionFact, Wanted};
use schemas::placement::Placement;
use schemas::task::Task;

use super::alloc_dir::TaskFolders;
use super::drivers::contract::{Limits, LogPolicy, PortMap, TaskDirs};
use super::drivers::{Launch, TaskId};

/// One task that is to be started, with all that its launch is made of.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) id: TaskId,
    pub(crate) allocation: AllocationId,
    pub(crate) incarnation: u32,
    pub(crate) placement: Placement,
    pub(crate) task: Task,
}

impl Ask {
    /// The task of a placed allocation; nothing if its job version is not known or has no such task.
    pub(crate) fn of(
        allocation: &AllocationId,
        wanted: &Wanted,
        task: &str,
        incarnation: u32,
    ) -> Option<Ask> {
        let VersionFact::Known(job) = &wanted.job else { return None };
        let task = job.group(&wanted.placement.group)?.task(task)?.clone();
        let id = TaskId::new(allocation.namespace(), allocation.allocation(), &task.name).ok()?;
        let (allocation, placement) = (allocation.clone(), wanted.placement.clone());
        Some(Ask { id, allocation, incarnation, placement, task })
    }

    /// What makes the task's folders its own.
    pub(crate) fn folders(&self) -> TaskFolders {
        TaskFolders { owner: None, secrets_mb: self.task.resources.secrets.unwrap_or(1) }
    }

    /// What the driver is told.
    pub(crate) fn launch(&self, dirs: TaskDirs, host_ip: IpAddr, node: &str) -> Launch {
        let Task { config, env, user, resources, logs, .. } = &self.task;
        let mut environment = self.environment(&dirs, host_ip);
        environment.extend(env.clone());
        Launch {
            id: self.id.clone(),
            incarnation: self.incarnation,
            labels: self.labels(node),
            config: config.clone(),
            env: environment,
            user: user.clone(),
            dirs,
            limits: Limits {
                cpu_mhz: resources.cpu_mhz(),
                cores: self.placement.cores.iter().map(|core| u32::from(*core)).collect(),
                memory_mb: resources.memory,
                memory_max_mb: resources.memory_limit_mb(),
            },
            ports: self.ports(host_ip),
            log: LogPolicy {
                max_files: logs.max_files,
                max_file_size_mb: logs.max_file_size,
                disabled: logs.disabled,
            },
        }
    }

    /// Nomad's variables.
    fn environment(&self, dirs: &TaskDirs, host_ip: IpAddr) -> BTreeMap<String, String> {
        let Placement { job, group, index, .. } = &self.placement;
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = [
            ("ALLOC_ID", self.allocation.allocation().to_owned()),
            ("ALLOC_NAME", format!("{job}.{group}[{index}]")),
            ("ALLOC_INDEX", index.to_string()),
            ("TASK_NAME", self.task.name.clone()),
            ("GROUP_NAME", group.clone()),
            ("JOB_ID", job.clone()),
            ("JOB_NAME", job.clone()),
            ("NAMESPACE", self.allocation.namespace().to_owned()),
            ("ALLOC_DIR", path(&dirs.shared)),
            ("TASK_DIR", path(&dirs.local)),
            ("SECRETS_DIR", path(&dirs.secrets)),
        ]
        .into_iter()
        .map(|(key, value)| (format!("NOMAD_{key}"), value))
        .collect();
        for claim in &self.placement.ports {
            let (label, port) = (&claim.label, claim.host_port);
            env.insert(format!("NOMAD_PORT_{label}"), claim.to.unwrap_or(port).to_string());
            env.insert(format!("NOMAD_HOST_PORT_{label}"), port.to_string());
            env.insert(format!("NOMAD_IP_{label}"), host_ip.to_string());
            env.insert(format!("NOMAD_ADDR_{label}"), format!("{host_ip}:{port}"));
        }
        env
    }

    fn labels(&self, node: &str) -> BTreeMap<String, String> {
        [
            ("namespace", self.allocation.namespace()),
            ("job", &self.placement.job),
            ("group", &self.placement.group),
            ("task", &self.task.name),
            ("allocation", self.allocation.allocation()),
            ("node", node),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    fn ports(&self, host_ip: IpAddr) -> Vec<PortMap> {
        let claims = self.placement.ports.iter();
        claims
            .map(|claim| PortMap {
                label: claim.label.clone(),
                host_ip,
                host_port: claim.host_port,
                to: claim.to,
            })
            .collect()
    }
}
