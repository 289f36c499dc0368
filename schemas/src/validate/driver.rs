//! Drivers and the keys that each of them understands in `config`.

use serde_json::Value;

use super::names::is_interpolated;
use super::nearest::nearest;
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
    keys: &["args", "cap_add", "cap_drop", "command", "ipc_mode", "oom_score_adj", "pid_mode", "work_dir"],
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
    let driver_place = place.key("driver");
    let place = place.key("config");
    let mut near = Vec::new();
    for (key, value) in &task.config {
        if words.keys.contains(&key.as_str()) {
            form(report, &place.key(key), (key, value));
        } else if !is_interpolated(key) {
            let what = format!("key of the {} driver", task.driver);
            report.unknown(&place.key(key), &what, key, words.keys).about_key().depends_on(&driver_place);
            near.extend(nearest(key, words.keys));
        }
    }
    for needed in words.needed {
        // A key that is there and misspelt was told already.
        if !needed.iter().any(|key| task.config.contains_key(*key) || near.contains(key)) {
            let names = needed.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or ");
            let problem = report.error(&place, format!("the {} driver needs {names}", task.driver));
            problem.depends_on(&driver_place);
            for key in *needed {
                problem.depends_on(&place.key(key));
            }
        }
    }
}

/// Keys whose value is one word, in every driver that knows them.
const TEXTS: &[&str] = &[
    "class",
    "class_path",
    "command",
    "hostname",
    "image",
    "image_path",
    "ipc_mode",
    "jar_path",
    "network_mode",
    "pid_mode",
    "userns_mode",
    "uts_mode",
    "work_dir",
];
/// Keys whose value is a list of words.
const LISTS: &[&str] = &[
    "args",
    "cap_add",
    "cap_drop",
    "denied_envvars",
    "dns_options",
    "dns_search_domains",
    "dns_servers",
    "extra_hosts",
    "group_add",
    "jvm_options",
    "network_aliases",
    "ports",
    "security_opt",
    "volumes",
];
/// Keys whose value is yes or no.
const SWITCHES: &[&str] = &[
    "auth_soft_fail",
    "force_pull",
    "init",
    "interactive",
    "privileged",
    "readonly_rootfs",
    "tty",
    "graceful_shutdown",
];
/// Keys whose value is a number.
const NUMBERS: &[&str] = &["memory_hard_limit", "oom_score_adj", "pids_limit", "shm_size"];

/// Refuses a value that no driver could read. Placeholders may stand for anything but a list.
fn form(report: &mut Report, place: &Place, (key, value): (&str, &Value)) {
    let is_scalar = matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_));
    let is_open = value.as_str().is_some_and(is_interpolated);
    let (fits, wanted) = if TEXTS.contains(&key) {
        (is_scalar, "a string")
    } else if LISTS.contains(&key) {
        let fits = value.as_array().is_some_and(|items| items.iter().all(|item| !item.is_array()));
        (fits, "a list")
    } else if SWITCHES.contains(&key) {
        (value.is_boolean() || is_open || matches!(value.as_str(), Some("true" | "false")), "true or false")
    } else if NUMBERS.contains(&key) {
        let fits = value.is_i64() || value.as_str().is_some_and(|text| text.trim().parse::<i64>().is_ok());
        (fits || is_open, "a whole number")
    } else {
        return;
    };
    if fits || value.is_null() {
        return;
    }
    let found = if value.is_f64() { value.to_string() } else { kind(value).to_owned() };
    let problem = report.error(place, format!("`{key}` must be {wanted}, not {found}"));
    match value {
        Value::String(_) | Value::Number(_) if wanted == "a list" => {
            problem.hint(format!("write `{key} = [{value}]`"));
        }
        Value::Array(items) if wanted == "a string" && items.len() == 1 => {
            problem.hint(format!("write `{key} = {}`", items[0]));
        }
        Value::Array(_) if key == "command" => {
            problem.hint("the program stands in `command`, what follows in `args`");
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
