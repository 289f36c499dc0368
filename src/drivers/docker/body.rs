//! A launch as the daemon wants it. Pure: what the operator forbids is refused here and reaches no daemon.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, NetworkingConfig, PortBinding,
    ResourcesUlimits,
};

use super::{
    config::{Config, Logging, fatal},
    mounts::Sources,
    shared::DockerOptions,
};
use crate::{
    logs::LogPlan,
    {
        TaskId,
        contract::{Launch, PortMap, StartError},
        task_id::digest,
        user::admit_in_image,
    },
};

/// Everything below belongs to this driver; a job cannot set it.
pub(super) const LABEL_PREFIX: &str = "dev.encamp.";
/// The task's id.
pub(super) const LABEL_TASK: &str = "dev.encamp.task";
/// Which start of it.
pub(super) const LABEL_INCARNATION: &str = "dev.encamp.incarnation";
/// Which agent it belongs to: several may share a daemon.
pub(super) const LABEL_NODE: &str = "dev.encamp.node";
/// The same by the id that it keeps under any name.
pub(super) const LABEL_NODE_ID: &str = "dev.encamp.node-id";
/// Where its output goes, as JSON.
pub(super) const LABEL_LOGS: &str = "dev.encamp.logs";

/// The name of a task's container: readable, and unique by a digest of the id.
pub(super) fn name_of(node: &str, id: &TaskId) -> String {
    let plain = |text: &str| {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        text.chars().map(|letter| if fits(letter) { letter } else { '-' }).take(100).collect::<String>()
    };
    format!("{}-{}-{}", plain(id.task()), plain(id.allocation()), &digest(&format!("{node}/{id}"))[..8])
        .trim_start_matches(['_', '.', '-'])
        .to_owned()
}

/// The whole request.
pub(super) fn of(
    launch: &Launch,
    config: &Config,
    options: &DockerOptions,
) -> Result<ContainerCreateBody, StartError> {
    check(config, options)?;
    admit_in_image(launch.user.as_deref(), &config.group_add, &options.users)?;
    let (port_bindings, exposed) = ports(launch, config)?;
    let command: Vec<String> = config.command.iter().chain(&config.args).cloned().collect();
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let aliases = some(&config.network_aliases);
    let network = config.network_mode.clone();
    Ok(ContainerCreateBody {
        image: Some(config.image.clone()),
        cmd: some(&command),
        entrypoint: some(&config.entrypoint),
        env: Some(launch.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: launch.user.clone(),
        hostname: config.hostname.clone(),
        working_dir: config.work_dir.clone(),
        tty: Some(config.tty),
        open_stdin: Some(config.interactive),
        labels: Some(labels(launch, config, options)?),
        exposed_ports: exposed,
        host_config: Some(host(launch, config, options, port_bindings)?),
        networking_config: aliases.zip(network).map(|(aliases, network)| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                network,
                EndpointSettings { aliases: Some(aliases), ..EndpointSettings::default() },
            )])),
        }),
        ..ContainerCreateBody::default()
    })
}

fn host(
    launch: &Launch,
    config: &Config,
    options: &DockerOptions,
    port_bindings: Option<HashMap<String, Option<Vec<PortBinding>>>>,
) -> Result<HostConfig, StartError> {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let sources = Sources { dirs: &launch.dirs, are_volumes_allowed: options.allow_volumes };
    let limits = &launch.limits;
    let memory = hard_limit(config)?.unwrap_or_else(|| limits.memory_limit_bytes());
    let memory = i64::try_from(memory).ok().filter(|bytes| *bytes > 0);
    let promised = i64::try_from(limits.memory_mb << 20).ok();
    let cores: Vec<String> = limits.cores.iter().map(u32::to_string).collect();
    Ok(HostConfig {
        cpu_shares: i64::try_from(limits.cpu_mhz).ok().filter(|shares| *shares > 1),
        cpuset_cpus: config.cpuset_cpus.clone().or((!cores.is_empty()).then(|| cores.join(","))),
        memory,
        memory_swap: memory,
        memory_reservation: promised.filter(|promised| memory.is_some_and(|memory| *promised < memory)),
        mounts: Some(sources.mounts(config)?),
        port_bindings,
        network_mode: config.network_mode.clone(),
        log_config: Some(logging(config.logging.as_ref(), launch)?),
        cap_add: some(&config.cap_add),
        cap_drop: Some(dropped(config)),
        privileged: Some(config.privileged),
        readonly_rootfs: Some(config.readonly_rootfs),
        security_opt: some(&config.security_opt),
        ulimits: Some(config.ulimit.iter().map(|(name, text)| ulimit(name, text)).collect::<Result<_, _>>()?),
        sysctls: Some(config.sysctl.clone().into_iter().collect()),
        shm_size: config.shm_size,
        pids_limit: pids_limit(config, options)?,
        pid_mode: config.pid_mode.clone(),
        ipc_mode: config.ipc_mode.clone(),
        uts_mode: config.uts_mode.clone(),
        userns_mode: config.userns_mode.clone(),
        oom_score_adj: config.oom_score_adj,
        init: Some(config.init),
        dns: some(&config.dns_servers),
        dns_search: some(&config.dns_search_domains),
        dns_options: some(&config.dns_options),
        extra_hosts: some(&config.extra_hosts),
        group_add: some(&config.group_add),
        ..HostConfig::default()
    })
}

/// The hard limit in bytes, if the job says one; 0 is none.
fn hard_limit(config: &Config) -> Result<Option<u64>, StartError> {
    let Some(mb) = config.memory_hard_limit.filter(|mb| *mb != 0) else { return Ok(None) };
    let bytes = u64::try_from(mb).ok().and_then(|mb| mb.checked_mul(1 << 20));
    bytes.map(Some).ok_or_else(|| fatal(&format!("memory_hard_limit = {mb} is no amount of memory in MB")))
}

/// How many processes: what the job says, within what the operator says. The daemon takes 0 and -1 for no limit.
fn pids_limit(config: &Config, options: &DockerOptions) -> Result<Option<i64>, StartError> {
    let Some(most) = options.pids_limit else { return Ok(config.pids_limit) };
    match config.pids_limit {
        Some(asked) if asked <= 0 || asked > most => Err(fatal(&format!(
            "pids_limit = {asked} is more than the {most} that this node allows (its option \"docker.pids_limit\")"
        ))),
        asked => Ok(asked.or(Some(most))),
    }
}

/// Raw sockets let a task forge packets of its neighbours: they are given only when asked for.
fn dropped(config: &Config) -> Vec<String> {
    let asked = config.cap_add.iter().any(|name| plain_capability(name) == "NET_RAW");
    let mut dropped = config.cap_drop.clone();
    if !asked && !config.privileged {
        dropped.push("NET_RAW".to_owned());
    }
    dropped
}

fn plain_capability(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned()
}

fn check(config: &Config, options: &DockerOptions) -> Result<(), StartError> {
    let allowed: Vec<String> =
        options.allowed_capabilities.iter().map(|name| plain_capability(name)).collect();
    let is_allowed = |name: &String| allowed.iter().any(|cap| *cap == plain_capability(name) || cap == "ALL");
    if let Some(name) = config.cap_add.iter().find(|name| !is_allowed(name)) {
        return Err(fatal(&format!("this node does not allow the capability {name:?}")));
    }
    if config.network_mode.as_deref() == Some("host") && !options.allow_host_network {
        return Err(fatal(
            "network_mode = \"host\" is not allowed on this node (its option \"docker.host_network.enabled\")",
        ));
    }
    if options.allow_privileged {
        return Ok(());
    }
    let modes =
        [("pid_mode", &config.pid_mode), ("ipc_mode", &config.ipc_mode), ("uts_mode", &config.uts_mode)];
    let modes = modes.into_iter().chain([("userns_mode", &config.userns_mode)]);
    for (key, mode) in modes.filter_map(|(key, mode)| Some((key, mode.as_deref()?))) {
        if !["", "private", "none", "shareable"].contains(&mode) {
            return Err(fatal(&format!("`{key} = {mode:?}` needs a node that allows privileged tasks")));
        }
    }
    if config.network_mode.as_deref().is_some_and(|mode| mode.starts_with("container:")) {
        return Err(fatal(
            "joining the network of another container needs a node that allows privileged tasks",
        ));
    }
    let asked = [
        ("privileged", config.privileged),
        ("security_opt", config.security_opt.iter().any(|option| !option.starts_with("no-new-privileges"))),
    ];
    match asked.iter().find(|(_, is_asked)| *is_asked) {
        Some((key, _)) => Err(fatal(&format!("`{key}` needs a node that allows privileged tasks"))),
        None => Ok(()),
    }
}

fn labels(
    launch: &Launch,
    config: &Config,
    options: &DockerOptions,
) -> Result<HashMap<String, String>, StartError> {
    let mut labels: HashMap<String, String> = HashMap::new();
    for (key, value) in launch.labels.iter().chain(&config.labels) {
        if key.starts_with(LABEL_PREFIX) {
            return Err(fatal(&format!("the label {key:?} is reserved")));
        }
        labels.insert(key.clone(), value.clone());
    }
    let plan = LogPlan::of(&launch.dirs.logs, launch.id.task(), &launch.log);
    labels.insert(LABEL_TASK.to_owned(), launch.id.to_string());
    labels.insert(LABEL_INCARNATION.to_owned(), launch.incarnation.to_string());
    labels.insert(LABEL_NODE.to_owned(), options.node.clone());
    labels.insert(LABEL_NODE_ID.to_owned(), options.node_id.clone());
    labels.insert(LABEL_LOGS.to_owned(), serde_json::to_string(&plan).expect("a plan has only text keys"));
    Ok(labels)
}

/// What the daemon keeps for an agent that was away, or is slower than the task for a while.
const KEPT_FILES: &str = "3";
const KEPT_FILE_MB: u32 = 10;

/// Where the daemon keeps output: only where it can be read back from.
fn logging(logging: Option<&Logging>, launch: &Launch) -> Result<HostConfigLogConfig, StartError> {
    let chosen = logging.and_then(|logging| logging.r#type.as_deref());
    let readable = ["json-file", "local", "journald"];
    if let Some(kind) = chosen.filter(|kind| !readable.contains(kind)) {
        return Err(fatal(&format!(
            "logging type {kind:?} cannot be read back; use one of {}",
            readable.join(", ")
        )));
    }
    let size = format!("{}m", launch.log.max_file_size_mb.max(KEPT_FILE_MB));
    let usual = [("max-file", KEPT_FILES.to_owned()), ("max-size", size)];
    let given = logging.map(|logging| logging.config.clone()).unwrap_or_default();
    let config = match chosen {
        None if given.is_empty() => usual.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        None | Some(_) => given.into_iter().collect(),
    };
    Ok(HostConfigLogConfig { typ: Some(chosen.unwrap_or("json-file").to_owned()), config: Some(config) })
}

/// `nofile = "2048:4096"`, or one number for both.
fn ulimit(name: &str, text: &str) -> Result<ResourcesUlimits, StartError> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<i64>().ok();
    match (number(soft), number(hard)) {
        (Some(soft), Some(hard)) => {
            Ok(ResourcesUlimits { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) })
        }
        (_, _) => Err(fatal(&format!("ulimit {name} = {text:?} is not `soft:hard`"))),
    }
}

type Published = (Option<HashMap<String, Option<Vec<PortBinding>>>>, Option<Vec<String>>);

/// Ports of the task that the container publishes: those in `ports`, and in the older `port_map`.
fn ports(launch: &Launch, config: &Config) -> Result<Published, StartError> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    let find = |label: &str| {
        let known = || launch.ports.iter().map(|port| port.label.as_str()).collect::<Vec<_>>().join(", ");
        let missing =
            || fatal(&format!("there is no port {label:?} in the group's network; it has: {}", known()));
        launch.ports.iter().find(|port| port.label == label).ok_or_else(missing)
    };
    let mut publish = |port: &PortMap, inside: u16| {
        for protocol in ["tcp", "udp"] {
            let binding = PortBinding {
                host_ip: Some(port.host_ip.to_string()),
                host_port: Some(port.host_port.to_string()),
            };
            let entry = bindings.entry(format!("{inside}/{protocol}")).or_insert_with(|| Some(Vec::new()));
            entry.get_or_insert_default().push(binding);
        }
    };
    for label in &config.ports {
        let port = find(label)?;
        publish(port, port.to.unwrap_or(port.host_port));
    }
    for (label, inside) in &config.port_map {
        let number =
            inside.as_u64().or_else(|| inside.as_str()?.parse().ok()).and_then(|port| port.try_into().ok());
        let number = number.ok_or_else(|| fatal(&format!("port_map {label} = {inside} is not a port")))?;
        publish(find(label)?, number);
    }
    if bindings.is_empty() {
        return Ok((None, None));
    }
    let mut exposed: Vec<String> = bindings.keys().cloned().collect();
    exposed.sort();
    Ok((Some(bindings), Some(exposed)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options() -> DockerOptions {
        DockerOptions::new("n1", "/none".into())
    }

    fn config(more: &serde_json::Value) -> Config {
        let mut map = json!({"image": "busybox"});
        map.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Config::read(map.as_object().unwrap()).unwrap()
    }

    #[test]
    fn a_container_has_as_many_processes_as_the_node_allows() {
        let limit = |asked: serde_json::Value, most: Option<i64>| {
            let options = DockerOptions { pids_limit: most, ..options() };
            pids_limit(&config(&json!({"pids_limit": asked})), &options).map_err(|error| error.to_string())
        };
        let refused = |asked: i64, most: i64| {
            Err(format!(
                "docker config: pids_limit = {asked} is more than the {most} that this node allows (its option \
                \"docker.pids_limit\")"
            ))
        };
        assert_eq!(options().pids_limit, Some(4096), "by default");
        assert_eq!(limit(json!(null), Some(100)), Ok(Some(100)));
        assert_eq!(limit(json!("100"), Some(100)), Ok(Some(100)));
        assert_eq!(limit(json!(7), Some(100)), Ok(Some(7)));
        assert_eq!(limit(json!(101), Some(100)), refused(101, 100));
        assert_eq!(limit(json!(-1), Some(100)), refused(-1, 100));
        assert_eq!(limit(json!(0), Some(100)), refused(0, 100));
        assert_eq!(limit(json!(-1), None), Ok(Some(-1)));
        assert_eq!(limit(json!(null), None), Ok(None));
    }

    #[test]
    fn the_network_of_the_machine_may_be_forbidden() {
        let host = config(&json!({"network_mode": "host"}));
        assert_eq!(check(&host, &options()), Ok(()));
        for allow_privileged in [false, true] {
            let strict = DockerOptions { allow_host_network: false, allow_privileged, ..options() };
            let refused = check(&host, &strict).unwrap_err().to_string();
            assert!(refused.contains("docker.host_network.enabled"), "{refused}");
            assert_eq!(check(&config(&json!({"network_mode": "bridge"})), &strict), Ok(()));
        }
    }

    #[test]
    fn a_hard_limit_is_an_amount_or_none() {
        let limit = |asked: i64| hard_limit(&config(&json!({"memory_hard_limit": asked}))).ok();
        assert_eq!(limit(64), Some(Some(64 << 20)));
        assert_eq!(limit(0), Some(None), "as without one, and not without any limit");
        assert_eq!(limit(-1), None);
        assert_eq!(limit(i64::MAX), None);
    }
}
