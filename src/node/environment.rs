//! The variables that every task finds in its environment, under Nomad's names.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use drivers::contract::{Limits, PortMap, TaskDirs};

/// Which allocation and task it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskNames {
    /// The allocation's id, as the API shows it.
    pub allocation_id: String,
    /// The allocation's name.
    pub allocation_name: String,
    /// The place in the group.
    pub index: String,
    /// The task.
    pub task: String,
    /// The group.
    pub group: String,
    /// The job.
    pub job: String,
    /// The job that this one was made from, if it was dispatched or periodic.
    pub parent_job: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The region.
    pub region: String,
    /// The datacenter of the node.
    pub datacenter: String,
}

/// Where the task finds its folders; what the paths are depends on its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDirs {
    /// Shared by the allocation.
    pub shared: String,
    /// The task's own.
    pub local: String,
    /// The task's secrets.
    pub secrets: String,
}

impl SeenDirs {
    /// For drivers that give the task a root of its own.
    pub fn inside() -> Self {
        Self { shared: "/alloc".into(), local: "/local".into(), secrets: "/secrets".into() }
    }

    /// For drivers without one.
    pub fn on_host(dirs: &TaskDirs) -> Self {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Self { shared: text(&dirs.shared), local: text(&dirs.local), secrets: text(&dirs.secrets) }
    }
}

/// Everything a task is told about itself.
#[derive(Debug, Clone, Copy)]
pub struct TaskFacts<'a> {
    /// Who it is.
    pub names: &'a TaskNames,
    /// Where its folders are.
    pub dirs: &'a SeenDirs,
    /// What it may use.
    pub limits: &'a Limits,
    /// Its ports.
    pub ports: &'a [PortMap],
    /// Words of job, group and task, merged.
    pub meta: &'a BTreeMap<String, String>,
}

/// All variables that the agent itself sets. The task's own `env` goes on top.
pub fn variables(facts: TaskFacts<'_>) -> BTreeMap<String, String> {
    let TaskFacts { names, dirs, limits, ports, meta } = facts;
    let mut all = BTreeMap::new();
    names_of(names, &mut all);
    let mut set = |name: &str, value: String| all.insert(format!("NOMAD_{name}"), value);
    set("ALLOC_DIR", dirs.shared.clone());
    set("TASK_DIR", dirs.local.clone());
    set("SECRETS_DIR", dirs.secrets.clone());
    set("CPU_LIMIT", limits.cpu_mhz.to_string());
    set("MEMORY_LIMIT", limits.memory_mb.to_string());
    if let Some(most) = limits.memory_max_mb {
        set("MEMORY_MAX_LIMIT", most.to_string());
    }
    if !limits.cores.is_empty() {
        set("CPU_CORES", limits.cores.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
    }
    for port in ports {
        port_of(port, &names.task, &mut all);
    }
    for (key, value) in meta {
        all.insert(format!("NOMAD_META_{}", word(key)), value.clone());
        all.insert(format!("NOMAD_META_{}", word(key).to_ascii_uppercase()), value.clone());
    }
    all
}

fn names_of(names: &TaskNames, all: &mut BTreeMap<String, String>) {
    let TaskNames {
        allocation_id,
        allocation_name,
        index,
        task,
        group,
        job,
        parent_job,
        namespace,
        region,
        datacenter,
    } = names;
    let mut set = |name: &str, value: &str| all.insert(format!("NOMAD_{name}"), value.to_owned());
    set("ALLOC_ID", allocation_id);
    set("SHORT_ALLOC_ID", allocation_id.get(..8).unwrap_or(allocation_id));
    set("ALLOC_NAME", allocation_name);
    set("ALLOC_INDEX", index);
    set("TASK_NAME", task);
    set("GROUP_NAME", group);
    set("JOB_ID", job);
    set("JOB_NAME", job);
    if let Some(parent) = parent_job {
        set("JOB_PARENT_ID", parent);
    }
    set("NAMESPACE", namespace);
    set("REGION", region);
    set("DC", datacenter);
}

/// `PORT` is where the task must listen; `ADDR` is where others reach it.
fn port_of(port: &PortMap, task: &str, all: &mut BTreeMap<String, String>) {
    let (label, task) = (word(&port.label), word(task));
    let address = SocketAddr::new(port.host_ip, port.host_port).to_string();
    let (host_ip, host_port) = (port.host_ip.to_string(), port.host_port.to_string());
    let inside = port.to.unwrap_or(port.host_port).to_string();
    for (name, value) in [
        (format!("IP_{label}"), &host_ip),
        (format!("PORT_{label}"), &inside),
        (format!("ADDR_{label}"), &address),
        (format!("HOST_IP_{label}"), &host_ip),
        (format!("HOST_PORT_{label}"), &host_port),
        (format!("HOST_ADDR_{label}"), &address),
        (format!("ALLOC_PORT_{label}"), &inside),
        (format!("IP_{task}_{label}"), &host_ip),
        (format!("PORT_{task}_{label}"), &inside),
        (format!("ADDR_{task}_{label}"), &address),
    ] {
        all.insert(format!("NOMAD_{name}"), value.clone());
    }
}

/// A text as part of a variable's name.
fn word(text: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.chars().map(|letter| if fits(letter) { letter } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> TaskNames {
        let text = str::to_owned;
        TaskNames {
            allocation_id: text("5f6722af-0000-5000-8000-000000000000"),
            allocation_name: text("web.api[0]"),
            index: text("0"),
            task: text("my-server"),
            group: text("api"),
            job: text("web"),
            parent_job: None,
            namespace: text("default"),
            region: text("global"),
            datacenter: text("dc1"),
        }
    }

    #[test]
    fn a_task_is_told_all_about_itself() {
        let limits = Limits { cpu_mhz: 500, cores: vec![1, 3], memory_mb: 64, memory_max_mb: Some(128) };
        let port = |label: &str, ip: &str, to| PortMap {
            label: label.to_owned(),
            host_ip: ip.parse().unwrap(),
            host_port: 21000,
            to,
        };
        let ports = [port("http", "10.0.0.1", Some(80)), port("admin-ui", "fd00::1", None)];
        let meta = [("owner.team".to_owned(), "core".to_owned())].into();
        let (names, dirs) = (names(), SeenDirs::inside());
        let all =
            variables(TaskFacts { names: &names, dirs: &dirs, limits: &limits, ports: &ports, meta: &meta });
        let lines: Vec<String> = all.iter().map(|(name, value)| format!("{}={value}", &name[6..])).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        ADDR_admin_ui=[fd00::1]:21000
        ADDR_http=10.0.0.1:21000
        ADDR_my_server_admin_ui=[fd00::1]:21000
        ADDR_my_server_http=10.0.0.1:21000
        ALLOC_DIR=/alloc
        ALLOC_ID=5f6722af-0000-5000-8000-000000000000
        ALLOC_INDEX=0
        ALLOC_NAME=web.api[0]
        ALLOC_PORT_admin_ui=21000
        ALLOC_PORT_http=80
        CPU_CORES=1,3
        CPU_LIMIT=500
        DC=dc1
        GROUP_NAME=api
        HOST_ADDR_admin_ui=[fd00::1]:21000
        HOST_ADDR_http=10.0.0.1:21000
        HOST_IP_admin_ui=fd00::1
        HOST_IP_http=10.0.0.1
        HOST_PORT_admin_ui=21000
        HOST_PORT_http=21000
        IP_admin_ui=fd00::1
        IP_http=10.0.0.1
        IP_my_server_admin_ui=fd00::1
        IP_my_server_http=10.0.0.1
        JOB_ID=web
        JOB_NAME=web
        MEMORY_LIMIT=64
        MEMORY_MAX_LIMIT=128
        META_OWNER_TEAM=core
        META_owner_team=core
        NAMESPACE=default
        PORT_admin_ui=21000
        PORT_http=80
        PORT_my_server_admin_ui=21000
        PORT_my_server_http=80
        REGION=global
        SECRETS_DIR=/secrets
        SHORT_ALLOC_ID=5f6722af
        TASK_DIR=/local
        TASK_NAME=my-server
        ");
    }
}
