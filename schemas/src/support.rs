//! What a job may say and the cluster cannot do yet.
//!
//! Files are read whole, so that a job written for another orchestrator is understood before it is refused. Each
//! thing that is understood and not built is one line of the table below; whoever builds it deletes the line.

use crate::group::Group;
use crate::job::JobSpec;
use crate::service::{Check, CheckType, Provider, Service};
use crate::task::Task;
use crate::validate::{Place, Problem, Report, Severity};
use crate::volume::VolumeType;

/// What the job asks for and the cluster cannot do yet; errors are reasons to refuse it.
pub fn unbuilt(spec: &JobSpec) -> Vec<Problem> {
    let mut report = Report::default();
    let place = Place::new("/spec");
    for line in TABLE {
        line.look(&mut report, &place, spec);
    }
    for (place, group) in place.each("groups", &spec.groups) {
        for (place, task) in place.each("tasks", &group.tasks) {
            unbuilt_keys(&mut report, &place, task);
        }
    }
    report.problems
}

/// What a driver's own `config` may say and no driver here does yet.
pub const UNBUILT_KEYS: &[(&str, &[&str])] = &[
    (
        "docker",
        &[
            "advertise_ipv6_address",
            "cgroupns",
            "cpu_cfs_period",
            "cpu_hard_limit",
            "devices",
            "healthchecks",
            "ipv4_address",
            "ipv6_address",
            "isolation",
            "load",
            "mac_address",
            "runtime",
            "storage_opt",
            "volume_driver",
        ],
    ),
    ("raw_exec", &["cgroup_v1_override", "cgroup_v2_override"]),
];

/// Refuses the keys of a driver that is there and does not do this yet.
fn unbuilt_keys(report: &mut Report, place: &Place, task: &Task) {
    let keys = UNBUILT_KEYS.iter().filter(|(driver, _)| *driver == task.driver).flat_map(|(_, keys)| *keys);
    for key in keys.filter(|key| task.config.contains_key(**key)) {
        let sentence = format!("`{key}` of the {} driver is not built.", task.driver);
        report.error(&place.key("config").key(key), sentence).about_key();
    }
}

/// One thing that is not built.
struct Line {
    /// The field it is said in, below the object that `uses` looks at.
    field: &'static str,
    severity: Severity,
    /// One sentence: what is not built, or what happens instead.
    sentence: &'static str,
    uses: Uses,
}

/// Whether an object uses the thing.
enum Uses {
    Job(fn(&JobSpec) -> bool),
    Group(fn(&JobSpec, &Group) -> bool),
    Task(fn(&Task) -> bool),
    Service(fn(&Service) -> bool),
    Check(fn(&Check) -> bool),
}

impl Line {
    const fn error(field: &'static str, sentence: &'static str, uses: Uses) -> Line {
        Line { field, severity: Severity::Error, sentence, uses }
    }

    const fn warning(field: &'static str, sentence: &'static str, uses: Uses) -> Line {
        Line { field, severity: Severity::Warning, sentence, uses }
    }

    fn look(&self, report: &mut Report, place: &Place, spec: &JobSpec) {
        if let Uses::Job(uses) = self.uses {
            self.say_if(report, place, uses(spec));
        }
        for (place, group) in place.each("groups", &spec.groups) {
            if let Uses::Group(uses) = self.uses {
                self.say_if(report, &place, uses(spec, group));
            }
            self.look_at_services(report, &place, &group.services);
            for (place, task) in place.each("tasks", &group.tasks) {
                if let Uses::Task(uses) = self.uses {
                    self.say_if(report, &place, uses(task));
                }
                self.look_at_services(report, &place, &task.services);
            }
        }
    }

    fn look_at_services(&self, report: &mut Report, place: &Place, services: &[Service]) {
        for (place, service) in place.each("services", services) {
            if let Uses::Service(uses) = self.uses {
                self.say_if(report, &place, uses(service));
            }
            for (place, check) in place.each("checks", &service.checks) {
                if let Uses::Check(uses) = self.uses {
                    self.say_if(report, &place, uses(check));
                }
            }
        }
    }

    fn say_if(&self, report: &mut Report, place: &Place, is_used: bool) {
        if !is_used {
            return;
        }
        let place = self.field.split('/').fold(place.clone(), |place, key| place.key(key));
        match self.severity {
            Severity::Error => report.error(&place, self.sentence),
            Severity::Warning => report.warning(&place, self.sentence),
        };
    }
}

const TABLE: &[Line] = &[
    Line::error(
        "multiregion",
        "Jobs over several regions are not built.",
        Uses::Job(|job| job.multiregion.is_some()),
    ),
    Line::error(
        "periodic",
        "Starting runs by calendar is not built.",
        Uses::Job(|job| job.periodic.is_some()),
    ),
    Line::error(
        "parameterized",
        "Starting runs on demand is not built.",
        Uses::Job(|job| job.parameterized.is_some()),
    ),
    Line::error("allAtOnce", "Placing all instances or none is not built.", Uses::Job(|job| job.all_at_once)),
    Line::error("vault", "Tokens from Vault are not built.", Uses::Job(|job| job.vault.is_some())),
    Line::error("secrets", "Reading secrets is not built.", Uses::Job(|job| !job.secrets.is_empty())),
    Line::error("update/canary", "Canaries are not built.", Uses::Job(lends_canaries)),
    Line::error("update/canary", "Canaries are not built.", Uses::Group(has_canaries)),
    Line::error(
        "networks/0/mode",
        "Own networks of allocations are not built: use `host`.",
        Uses::Group(has_own_network),
    ),
    Line::error(
        "networks/0/dns",
        "Own name servers of allocations are not built.",
        Uses::Group(|_, group| group.network().is_some_and(|network| network.dns.is_some())),
    ),
    Line::error(
        "ephemeralDisk/sticky",
        "Handing files over to a replacement is not built.",
        Uses::Group(|_, group| group.ephemeral_disk.sticky || group.ephemeral_disk.migrate),
    ),
    Line::error(
        "disconnect",
        "Waiting for an unreachable node is not built: its instances are replaced.",
        Uses::Group(|_, group| group.disconnect.is_some()),
    ),
    Line::error("volumes", "Volumes of storage plugins are not built.", Uses::Group(has_plugin_volume)),
    Line::error("volumes", "Volumes of nodes are not built.", Uses::Group(has_host_volume)),
    Line::error(
        "maxRunDuration",
        "Ending an instance after a time is not built.",
        Uses::Group(|_, group| group.max_run_duration.is_some()),
    ),
    Line::error("consul", "Consul is not built.", Uses::Group(|_, group| group.consul.is_some())),
    Line::error("vault", "Tokens from Vault are not built.", Uses::Group(|_, group| group.vault.is_some())),
    Line::error(
        "secrets",
        "Reading secrets is not built.",
        Uses::Group(|_, group| !group.secrets.is_empty()),
    ),
    Line::error("driver", "The java driver is not built.", Uses::Task(|task| task.driver == "java")),
    Line::error("driver", "The qemu driver is not built.", Uses::Task(|task| task.driver == "qemu")),
    Line::error(
        "artifacts",
        "Fetching artifacts is not built.",
        Uses::Task(|task| !task.artifacts.is_empty()),
    ),
    Line::error("templates", "Templates with placeholders are not built.", Uses::Task(has_placeholders)),
    Line::error("secrets", "Reading secrets is not built.", Uses::Task(|task| !task.secrets.is_empty())),
    Line::error("vault", "Tokens from Vault are not built.", Uses::Task(|task| task.vault.is_some())),
    Line::error("consul", "Consul is not built.", Uses::Task(|task| task.consul.is_some())),
    Line::error(
        "identities",
        "Signed identities are not built.",
        Uses::Task(|task| !task.identities.is_empty()),
    ),
    Line::error("csiPlugin", "Storage plugins are not built.", Uses::Task(|task| task.csi_plugin.is_some())),
    Line::error(
        "schedule",
        "Running in certain hours is not built.",
        Uses::Task(|task| task.schedule.is_some()),
    ),
    Line::error("actions", "Actions are not built.", Uses::Task(|task| !task.actions.is_empty())),
    Line::error(
        "dispatchPayload",
        "Starting runs on demand is not built.",
        Uses::Task(|task| task.dispatch_payload.is_some()),
    ),
    Line::error(
        "resources/devices",
        "Devices are not built.",
        Uses::Task(|task| !task.resources.devices.is_empty()),
    ),
    Line::error(
        "resources/numa",
        "NUMA placement is not built.",
        Uses::Task(|task| task.resources.numa.is_some()),
    ),
    Line::warning(
        "provider",
        "Consul is not contacted, and services are not registered elsewhere yet: only their checks are run.",
        Uses::Service(|service| service.provider == Provider::Consul),
    ),
    Line::error(
        "connect",
        "The service mesh is not built.",
        Uses::Service(|service| service.connect.is_some()),
    ),
    Line::error(
        "type",
        "gRPC checks are not built.",
        Uses::Check(|check| check.check_type == Some(CheckType::Grpc)),
    ),
    Line::error(
        "type",
        "Script checks are not built.",
        Uses::Check(|check| check.check_type == Some(CheckType::Script)),
    ),
    Line::error("expose", "The service mesh is not built.", Uses::Check(|check| check.expose)),
];

fn has_canaries(_: &JobSpec, group: &Group) -> bool {
    group.update.is_some_and(|update| update.canary() > 0)
}

/// Groups that say nothing of their own take the job's number.
fn lends_canaries(job: &JobSpec) -> bool {
    let says_nothing = |group: &Group| group.update.is_none_or(|update| update.canary.is_none());
    job.update.is_some_and(|update| update.canary() > 0) && job.groups.iter().any(says_nothing)
}

fn has_own_network(_: &JobSpec, group: &Group) -> bool {
    group.network().is_some_and(|network| network.mode != "host")
}

fn has_plugin_volume(_: &JobSpec, group: &Group) -> bool {
    group.volumes.iter().any(|volume| volume.volume_type == VolumeType::Csi)
}

fn has_host_volume(_: &JobSpec, group: &Group) -> bool {
    group.volumes.iter().any(|volume| volume.volume_type == VolumeType::Host)
}

/// A text without placeholders is written as it is.
fn has_placeholders(task: &Task) -> bool {
    task.templates.iter().any(|template| match &template.data {
        Some(data) => data.contains(&template.left_delimiter),
        None => template.source.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::arbitrary::any_job;

    fn said(spec: serde_json::Value) -> String {
        let spec: JobSpec = serde_json::from_value(spec).expect("the fixture reads");
        unbuilt(&spec).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_thing_is_named_where_it_is_said() {
        let spec = json!({
            "type": "batch",
            "multiregion": {},
            "groups": [{
                "name": "web",
                "scaling": { "max": 3 },
                "services": [{ "connect": { "native": true }, "checks": [{ "type": "grpc" }] }],
                "tasks": [
                    { "name": "a", "driver": "exec" },
                    { "name": "b", "driver": "exec", "csiPlugin": {}, "services": [{ "provider": "nomad" }] },
                ],
            }],
        });
        insta::assert_snapshot!(said(spec), @"
        error /spec/multiregion: Jobs over several regions are not built.
        error /spec/groups/0/tasks/1/csiPlugin: Storage plugins are not built.
        warning /spec/groups/0/services/0/provider: Consul is not contacted, and services are not registered elsewhere yet: only their checks are run.
        error /spec/groups/0/services/0/connect: The service mesh is not built.
        error /spec/groups/0/services/0/checks/0/type: gRPC checks are not built.
        ");
    }

    #[test]
    fn a_plain_job_is_built() {
        let spec = json!({ "groups": [{ "name": "web", "count": 3, "networks": [{ "ports": [{ "label": "http" }] }],
            "services": [{ "provider": "nomad", "port": "http" }],
            "tasks": [{ "name": "web", "driver": "docker", "config": { "image": "nginx" } }] }] });
        insta::assert_snapshot!(said(spec), @"");
    }

    #[test]
    fn every_line_is_a_sentence() {
        for line in TABLE {
            assert!(line.sentence.ends_with('.') && !line.field.is_empty(), "{}", line.sentence);
        }
    }

    proptest! {
        #[test]
        fn any_job_can_be_asked(spec in any_job()) {
            prop_assert!(unbuilt(&spec).iter().all(|problem| problem.pointer.starts_with("/spec/")));
        }
    }
}
