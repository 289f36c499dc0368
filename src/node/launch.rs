//! From a placement and its job version to what a driver is told.

use std::collections::BTreeMap;
use std::net::IpAddr;

use agent::{AllocationId, VersionFact, Wanted};
use schemas::node::Fingerprint;
use schemas::placement::Placement;
use schemas::task::{Task, hard_limit_mb};

use super::config::AgentConfig;
use super::environment::{self, SeenDirs, TaskFacts, TaskNames};
use super::interpolate::Scope;
use super::ports::{self, PortAsk};
use drivers::contract::{Limits, LogPolicy, PortMap, TaskDirs};
use drivers::{Launch, TaskId};

/// One task that is to be started, with all that its launch is made of.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) id: TaskId,
    pub(crate) allocation: AllocationId,
    pub(crate) incarnation: u32,
    pub(crate) placement: Placement,
    pub(crate) task: Task,
    /// The ports of its allocation that must be free before it begins.
    pub(crate) ports: Vec<PortAsk>,
    /// Words of job, group and task, merged.
    meta: BTreeMap<String, String>,
}

/// What tasks may know of their node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Here {
    name: String,
    region: String,
    datacenter: String,
    /// What `${node.…}` may name.
    node: BTreeMap<String, String>,
    /// What `${attr.…}` may name.
    attributes: BTreeMap<String, String>,
    /// What `${meta.…}` may name.
    meta: BTreeMap<String, String>,
    host_ip: IpAddr,
    memory: MemoryRule,
}

/// How much memory the tasks of the node may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemoryRule {
    /// What the scheduler counted for them, and no more.
    AsCounted,
    /// As much as they say, at most all that the machine has.
    UpTo(u64),
}

impl Here {
    /// As the node is registered.
    pub(crate) fn new(config: &AgentConfig, fingerprint: &Fingerprint, host_ip: IpAddr) -> Here {
        let node = [
            ("unique.id", &config.name),
            ("unique.name", &config.name),
            ("datacenter", &config.datacenter),
            ("region", &config.region),
            ("class", &config.class),
            ("pool", &config.pool),
        ];
        Here {
            name: config.name.clone(),
            region: config.region.clone(),
            datacenter: config.datacenter.clone(),
            node: node.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect(),
            attributes: fingerprint.attributes.clone(),
            meta: config.meta.clone(),
            host_ip,
            memory: if config.memory_oversubscription {
                MemoryRule::UpTo(fingerprint.capacity.memory_mb)
            } else {
                MemoryRule::AsCounted
            },
        }
    }
}

impl Here {
    /// The address at which tasks are reached.
    pub(crate) fn host_ip(&self) -> IpAddr {
        self.host_ip
    }
}

impl Ask {
    /// The task of a placed allocation; nothing if its job version is not known or has no such task.
    pub(crate) fn of(
        allocation: &AllocationId,
        wanted: &Wanted,
        (task, incarnation): (&str, u32),
        host_ip: IpAddr,
    ) -> Option<Ask> {
        let VersionFact::Known(job) = &wanted.job else { return None };
        let group = job.group(&wanted.placement.group)?;
        let task = group.task(task)?.clone();
        let meta = job.meta_of(group, &task);
        let id = TaskId::new(allocation.namespace(), allocation.allocation(), &task.name).ok()?;
        let (allocation, placement) = (allocation.clone(), wanted.placement.clone());
        let asked = group.network().map_or(&[][..], |network| &network.ports);
        let ports = ports::asks(&placement.ports, asked, host_ip);
        Some(Ask { id, allocation, incarnation, placement, task, ports, meta })
    }

    /// How much room its secrets have.
    pub(crate) fn secrets_mb(&self) -> u64 {
        self.task.resources.secrets.unwrap_or(1)
    }

    /// What the driver is told, with every reference resolved; `seen` is where the task finds its folders.
    pub(crate) fn launch(&self, dirs: TaskDirs, seen: &SeenDirs, here: &Here) -> Launch {
        let (limits, ports) = (self.limits(here), self.ports(here.host_ip));
        let facts = TaskFacts {
            names: &self.names(here),
            dirs: seen,
            limits: &limits,
            ports: &ports,
            meta: &self.meta,
        };
        let mut env = environment::variables(facts);
        let own = scope(&env, here);
        let added: Vec<_> =
            self.task.env.iter().map(|(name, value)| (name.clone(), own.text(value))).collect();
        env.extend(added);
        let whole = scope(&env, here);
        let mut config = self.task.config.clone();
        config.values_mut().for_each(|value| whole.value(value));
        let user = self.task.user.as_ref().map(|user| whole.text(user));
        let logs = &self.task.logs;
        Launch {
            id: self.id.clone(),
            incarnation: self.incarnation,
            labels: self.labels(&here.name),
            config,
            user,
            env,
            dirs,
            limits,
            ports,
            log: LogPolicy {
                max_files: logs.max_files,
                max_file_size_mb: logs.max_file_size,
                disabled: logs.disabled,
            },
        }
    }

    fn names(&self, here: &Here) -> TaskNames {
        let Placement { job, group, index, .. } = &self.placement;
        let parent = job.split_once("/dispatch-").or_else(|| job.split_once("/periodic-"));
        TaskNames {
            allocation_id: self.allocation.allocation().to_owned(),
            allocation_name: format!("{job}.{group}[{index}]"),
            index: index.to_string(),
            task: self.task.name.clone(),
            group: group.clone(),
            job: job.clone(),
            parent_job: parent.map(|(parent, _)| parent.to_owned()),
            namespace: self.allocation.namespace().to_owned(),
            region: here.region.clone(),
            datacenter: here.datacenter.clone(),
        }
    }

    /// Why the node does not give the task the memory that its driver's config asks for once references are resolved:
    /// the scheduler could not count it.
    pub(crate) fn excess(&self, launch: &Launch, here: &Here) -> Option<String> {
        let counted = self.task.memory_reach_mb().unwrap_or(0).max(self.task.resources.memory);
        let asked = hard_limit_mb(&self.task.driver, &launch.config)?;
        let most = match here.memory {
            MemoryRule::AsCounted => counted,
            MemoryRule::UpTo(most) => most,
        };
        (asked > most).then(|| {
            format!(
                "{} config: memory_hard_limit = {asked} is more than the {most} MB that were counted for the task; \
                write it as a number, or run it on a node that allows memory_oversubscription",
                self.task.driver
            )
        })
    }

    fn limits(&self, here: &Here) -> Limits {
        let resources = &self.task.resources;
        // A task without a limit has that of the machine, where it may be without one.
        let unlimited = match here.memory {
            MemoryRule::AsCounted => None,
            MemoryRule::UpTo(most) => Some(most),
        };
        Limits {
            cpu_mhz: resources.cpu_mhz(),
            cores: self.placement.cores.iter().map(|core| u32::from(*core)).collect(),
            memory_mb: resources.memory,
            memory_max_mb: resources.memory_limit_mb().or(unlimited),
        }
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

fn scope<'a>(env: &'a BTreeMap<String, String>, here: &'a Here) -> Scope<'a> {
    Scope { env, node: &here.node, attributes: &here.attributes, meta: &here.meta }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::PathBuf;
    use std::sync::Arc;

    use schemas::job::JobSpec;
    use schemas::key::Revision;
    use schemas::node::Amount;
    use schemas::placement::{PortClaim, Wish};
    use schemas::roster::Index;
    use schemas::task::Resources;

    use super::*;

    fn placement() -> Placement {
        Placement {
            job: "web/periodic-1".into(),
            group: "api".into(),
            index: Index::Number(3),
            version: 0,
            attempt: 0,
            spec: 0,
            wish: Wish::Run,
            claim: Amount::default(),
            cores: vec![],
            ports: vec![PortClaim { label: "http".into(), host_port: 20_001, to: None }],
            adopts: None,
            placed_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn dirs() -> TaskDirs {
        let folder = |name: &str| PathBuf::from("/data").join(name);
        TaskDirs {
            root: folder("root"),
            shared: folder("shared"),
            local: folder("local"),
            secrets: folder("secrets"),
            logs: folder("logs"),
        }
    }

    #[test]
    fn references_are_resolved_in_environment_and_config() {
        let group = serde_json::json!({"name": "api", "meta": {"tier": "gold"}, "tasks": [{
            "name": "server",
            "driver": "raw_exec",
            "env": {"WHERE": "${node.datacenter}/${meta.rack}", "LISTEN": "0.0.0.0:${NOMAD_PORT_http}"},
            "config": {"command": "serve", "args": ["${LISTEN}", "${NOMAD_META_tier}", "${attr.cpu.arch}", "${what}"]},
        }]});
        let job: JobSpec = serde_json::from_value(serde_json::json!({"groups": [group]})).unwrap();
        let placement = placement();
        let job = VersionFact::Known(Arc::new(job.canonicalize("web")));
        let wanted = Wanted { placement, created: Revision(1), job };
        let id = AllocationId::new("default", "web/periodic-1.api.3-v0.0");
        let ask = Ask::of(&id, &wanted, ("server", 0), Ipv4Addr::LOCALHOST.into()).unwrap();
        let mut config = AgentConfig::new("n1", "/data");
        config.meta.insert("rack".into(), "r7".into());
        let attributes = [("cpu.arch".to_owned(), "amd64".to_owned())].into();
        let fingerprint = Fingerprint { attributes, ..Fingerprint::default() };
        let here = Here::new(&config, &fingerprint, Ipv4Addr::LOCALHOST.into());
        let dirs = dirs();
        let seen = SeenDirs::on_host(&dirs);
        let launch = ask.launch(dirs, &seen, &here);
        assert_eq!(launch.env["WHERE"], "dc1/r7");
        assert_eq!(launch.env["NOMAD_TASK_DIR"], "/data/local");
        assert_eq!(launch.env["NOMAD_JOB_PARENT_ID"], "web");
        let args = serde_json::json!(["0.0.0.0:20001", "gold", "amd64", "${what}"]);
        assert_eq!(launch.config["args"], args);
    }

    #[test]
    fn what_the_scheduler_could_not_count_is_refused_unless_the_node_lends_memory() {
        let ask = |hard: &str, memory_max: Option<i64>| {
            let config = serde_json::json!({"image": "a", "memory_hard_limit": hard});
            let resources = Resources { memory: 100, memory_max, ..Resources::default() };
            let config = config.as_object().cloned().unwrap_or_default();
            let task = Task { driver: "docker".into(), config, resources, ..Task::default() };
            let id = TaskId::new("default", "web.api.0-v1.0", "server").unwrap();
            let allocation = AllocationId::new("default", "web.api.0-v1.0");
            let placement = placement();
            Ask { id, allocation, incarnation: 0, placement, task, ports: vec![], meta: BTreeMap::new() }
        };
        let here = |memory_oversubscription| {
            let config = AgentConfig { memory_oversubscription, ..AgentConfig::new("n1", "/data") };
            let capacity = Amount { memory_mb: 4_000, ..Amount::default() };
            let attributes = [("limit".to_owned(), "900".to_owned())].into();
            let fingerprint = Fingerprint { capacity, attributes, ..Fingerprint::default() };
            Here::new(&config, &fingerprint, Ipv4Addr::LOCALHOST.into())
        };
        let excess = |hard: &str, lends: bool| {
            let (ask, here) = (ask(hard, None), here(lends));
            let dirs = dirs();
            let launch = ask.launch(dirs.clone(), &SeenDirs::on_host(&dirs), &here);
            ask.excess(&launch, &here)
        };
        assert_eq!(excess("900", false), None, "the scheduler counted it");
        let refused = excess("${attr.limit}", false).unwrap();
        assert!(refused.contains("memory_hard_limit = 900 is more than the 100 MB"), "{refused}");
        assert_eq!(excess("${attr.limit}", true), None);
        assert_eq!(ask("0", Some(-1)).limits(&here(true)).memory_max_mb, Some(4_000), "all of the machine");
    }
}
