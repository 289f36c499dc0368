//! Drivers and the keys that each of them understands in `config`.

use super::names::is_interpolated;
use super::problem::{Place, Report};
use crate::task::Task;

/// The drivers that there are.
pub const DRIVERS: &[&str] = &["docker", "exec", "raw_exec", "java", "qemu"];

/// What a driver understands.
struct Words {
    keys: &'static [&'static str],
    /// Of each of these lists, one key at least must be there.
    needed: &'static [&'static [&'static str]],
}

const DOCKER: Words = Words {
    keys: &[
        "advertise_ipv6_address",
        "args",
        "auth",
        "auth_soft_fail",
        "cap_add",
        "cap_drop",
        "cgroupns",
        "command",
        "cpu_cfs_period",
        "cpu_hard_limit",
        "cpuset_cpus",
        "devices",
        "dns_options",
        "dns_search_domains",
        "dns_servers",
        "entrypoint",
        "extra_hosts",
        "force_pull",
        "group_add",
        "healthchecks",
        "hostname",
        "image",
        "image_pull_timeout",
        "init",
        "interactive",
        "ipc_mode",
        "ipv4_address",
        "ipv6_address",
        "isolation",
        "labels",
        "load",
        "logging",
        "mac_address",
        "memory_hard_limit",
        "mount",
        "mounts",
        "network_aliases",
        "network_mode",
        "oom_score_adj",
        "pid_mode",
        "pids_limit",
        "port_map",
        "ports",
        "privileged",
        "readonly_rootfs",
        "runtime",
        "security_opt",
        "shm_size",
        "storage_opt",
        "sysctl",
        "tty",
        "ulimit",
        "userns_mode",
        "uts_mode",
        "volume_driver",
        "volumes",
        "work_dir",
    ],
    needed: &[&["image"]],
};
const EXEC: Words = Words {
    keys: &["args", "cap_add", "cap_drop", "command", "ipc_mode", "pid_mode", "work_dir"],
    needed: &[&["command"]],
};
const RAW_EXEC: Words = Words {
    keys: &[
        "args",
        "cgroup_v1_override",
        "cgroup_v2_override",
        "command",
        "denied_envvars",
        "oom_score_adj",
        "work_dir",
    ],
    needed: &[&["command"]],
};
const JAVA: Words = Words {
    keys: &[
        "args",
        "cap_add",
        "cap_drop",
        "class",
        "class_path",
        "ipc_mode",
        "jar_path",
        "jvm_options",
        "pid_mode",
        "work_dir",
    ],
    needed: &[&["class", "jar_path"]],
};
const QEMU: Words = Words {
    keys: &[
        "accelerator",
        "args",
        "drive_interface",
        "emulator",
        "graceful_shutdown",
        "guest_agent",
        "image_path",
        "machine_type",
        "port_map",
    ],
    needed: &[&["image_path"]],
};

/// The keys that a driver understands in `config`; nothing for a word that is no driver.
pub fn driver_keys(driver: &str) -> Option<&'static [&'static str]> {
    words_of(driver).map(|words| words.keys)
}

fn words_of(driver: &str) -> Option<Words> {
    match driver {
        "docker" => Some(DOCKER),
        "exec" => Some(EXEC),
        "raw_exec" => Some(RAW_EXEC),
        "java" => Some(JAVA),
        "qemu" => Some(QEMU),
        _ => None,
    }
}

/// The driver of a task and what the task tells it.
pub(super) fn driver(report: &mut Report, place: &Place, task: &Task) {
    let Some(words) = words_of(&task.driver) else {
        let place = place.key("driver");
        if task.driver.is_empty() {
            report.error(&place, "the task has no driver").allow(DRIVERS.iter().copied());
        } else {
            report.unknown(&place, "driver", &task.driver, DRIVERS);
        }
        return;
    };
    let place = place.key("config");
    for key in task.config.keys() {
        if !words.keys.contains(&key.as_str()) && !is_interpolated(key) {
            let what = format!("key of the {} driver", task.driver);
            report.unknown(&place.key(key), &what, key, words.keys);
        }
    }
    for needed in words.needed {
        if !needed.iter().any(|key| task.config.contains_key(*key)) {
            let names = needed.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or ");
            report.error(&place, format!("the {} driver needs {names}", task.driver));
        }
    }
}
