//! The words of `client { options = { … } }`: what drivers of this machine allow.

use std::collections::BTreeMap;

use schemas::validate::nearest;

use crate::error::StartError;

/// What an option may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Switch,
    Number,
    Text,
}

/// All options that mean something.
const OPTIONS: &[(&str, Form)] = &[
    // The daemon's socket, `unix:///var/run/docker.sock`.
    ("docker.endpoint", Form::Text),
    // Whether containers may join the machine's own network. Default: true.
    ("docker.host_network.enabled", Form::Switch),
    // The most processes of a container; 0 for no limit. Default: 4096.
    ("docker.pids_limit", Form::Number),
    // Whether containers may be `privileged`, or share namespaces of the machine. Default: false.
    ("docker.privileged.enabled", Form::Switch),
    // Whether containers may mount folders of the machine and docker volumes. Default: false.
    ("docker.volumes.enabled", Form::Switch),
    // Whether there is the driver raw_exec, whose tasks have all rights of the agent. Default: false.
    ("driver.raw_exec.enable", Form::Switch),
    // The drivers whose tasks may not run as a denied user. Default: exec,java,qemu.
    ("user.checked_drivers", Form::Text),
    // Users that tasks of those drivers may not run as. Default: root,Administrator.
    ("user.denylist", Form::Text),
];

/// Refuses options that nobody reads, and values that nobody understands.
pub(super) fn check(options: &BTreeMap<String, String>) -> Result<(), StartError> {
    for (key, value) in options {
        let known: Vec<&str> = OPTIONS.iter().map(|(name, _)| *name).collect();
        let Some((_, form)) = OPTIONS.iter().find(|(name, _)| name == key) else {
            let near =
                nearest(key, &known).map(|name| format!(", did you mean {name:?}?")).unwrap_or_default();
            let allowed = known.join(", ");
            return Err(StartError::failed(format!(
                "client.options: unknown option {key:?}{near} (allowed: {allowed})"
            )));
        };
        let wanted = match form {
            Form::Switch => {
                (!["true", "1", "false", "0"].contains(&value.as_str())).then_some("true or false")
            }
            Form::Number => value.parse::<i64>().is_err().then_some("a whole number"),
            Form::Text => None,
        };
        if let Some(wanted) = wanted {
            return Err(StartError::failed(format!(
                "client.options: {key:?} must be {wanted}, not {value:?}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_refused() {
        let said = |key: &str, value: &str| {
            check(&[(key.to_owned(), value.to_owned())].into()).err().map(|error| error.to_string())
        };
        assert_eq!(said("docker.pids_limit", "0"), None);
        assert_eq!(said("driver.raw_exec.enable", "1"), None);
        let unknown = said("docker.pid_limit", "10").unwrap();
        assert!(unknown.contains("did you mean \"docker.pids_limit\"?"), "{unknown}");
        let expected = "client.options: \"docker.pids_limit\" must be a whole number, not \"many\"";
        assert_eq!(said("docker.pids_limit", "many").as_deref(), Some(expected));
        let expected = "client.options: \"docker.host_network.enabled\" must be true or false, not \"no\"";
        assert_eq!(said("docker.host_network.enabled", "no").as_deref(), Some(expected));
    }
}
