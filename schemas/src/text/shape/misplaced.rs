//! A key that does not belong where it stands: what is allowed there, what was probably meant, and where the
//! key does belong.

use super::{Around, Shaper};
use crate::text::diagnostic::Diagnostic;
use crate::text::source::Span;
use crate::validate::nearest;

/// Keys that drivers read from `config`.
const DRIVER_KEYS: &[&str] = &[
    "image",
    "command",
    "args",
    "ports",
    "volumes",
    "entrypoint",
    "network_mode",
    "privileged",
    "force_pull",
    "mount",
    "auth",
    "work_dir",
    "cap_add",
    "cap_drop",
    "extra_hosts",
    "dns_servers",
    "shm_size",
    "ulimit",
    "security_opt",
    "image_pull_timeout",
    "interactive",
    "tty",
    "pid_mode",
    "ipc_mode",
    "jar_path",
    "class",
    "class_path",
    "jvm_options",
    "image_path",
    "accelerator",
    "graceful_shutdown",
    "guest_agent",
    "port_map",
    "labels",
    "logging",
];

/// Explains an unknown `what` (a key or a block) of a block.
pub(super) fn explain(shaper: &Shaper<'_>, name: &str, (key, span): (&str, &Span), what: &str) -> Diagnostic {
    let allowed: Vec<&str> = shaper.schema.fields(name).iter().map(|field| field.key.as_str()).collect();
    let error = shaper
        .source
        .error(span, format!("unknown {what} `{key}` in `{}`", shaper.here()))
        .allowed(allowed.iter().copied());
    if let Some(hint) = special(name, key).or_else(|| shaper.schema.instead_of(name, key)) {
        return error.hint(hint);
    }
    let near = nearest(key, &allowed);
    let obvious = near.is_some_and(|near| near.trim_end_matches('s') == key.trim_end_matches('s'));
    if obvious {
        return error.nearest(key, allowed);
    }
    match home(shaper, name, key) {
        Some(hint) => error.hint(hint),
        None => error.nearest(key, allowed.iter().copied()),
    }
}

/// Where the key does belong.
fn home(shaper: &Shaper<'_>, name: &str, key: &str) -> Option<String> {
    let outer = shaper.around.iter().rev().skip(1);
    for Around { keyword, name: outer, pointer: _ } in outer {
        if shaper.schema.fields(outer).iter().any(|field| field.key == key) {
            return Some(format!("`{key}` belongs to the `{keyword}` block, outside of this one"));
        }
    }
    if let Some(hint) = driver_key(name, key) {
        return Some(hint);
    }
    let path = shaper.schema.home_below(name, key)?;
    let (inner, outer) = path.split_last()?;
    Some(match outer {
        [] => format!("`{key}` belongs inside a `{inner}` block"),
        more => format!("`{key}` belongs inside a `{inner}` block (in `{}`)", more.join("` in `")),
    })
}

/// Where a key belongs that drivers read.
pub(crate) fn driver_key(name: &str, key: &str) -> Option<String> {
    let place = match name {
        "Task" => "",
        "Group" | "JobSpec" => " of a `task`",
        _ => return None,
    };
    DRIVER_KEYS
        .contains(&key)
        .then(|| format!("`{key}` is read by the driver: put it inside `config`{place}"))
}

fn special(name: &str, key: &str) -> Option<&'static str> {
    match (name, key) {
        ("JobSpec", "datacenter") => Some("a job names a list of them: `datacenters = [\"…\"]`"),
        ("JobSpec", "restart" | "restart_policy") => Some("`restart` belongs inside a `group` block"),
        ("JobSpec", "version") => Some("versions are counted by the server; leave it out"),
        ("Group", "instances" | "replicas") => Some("the number of instances is `count`"),
        ("Task" | "Group", "environment") => Some("environment variables stand in `env { }` of a task"),
        ("Task", "artifacts" | "templates" | "services") => Some("write one block for each, in the singular"),
        ("Task", "count") => Some("`count` belongs to the `group` block: a group runs `count` times"),
        ("Resources", "cpus") => Some("write `cpu = MHz` or `cores = N`"),
        ("Resources", "mem" | "ram" | "memory_mb") => Some("write `memory = MB`"),
        _ => None,
    }
}
