//! Whether a job is small enough to be looked at: asked before anything is filled in, compiled or compared, since a
//! short text can ask for a lot of that.

use std::collections::BTreeSet;

use serde::Serialize;

use super::problem::{Place, Report};
use crate::group::Group;
use crate::identity::{Secret, Vault};
use crate::job::JobSpec;
use crate::limits::{
    BLOCKS, GROUPS, LENT_BYTES, NAME_BYTES, PATTERNS, PORTS, RULE_BYTES, RULES, RULES_OF_INSTANCE, TARGETS,
    TASKS, TASKS_OF_JOB,
};
use crate::placement_rules::{Affinity, Constraint, Operator, Spread};
use crate::service::Service;
use crate::task::Task;

/// Says what of a job is too much; whether nothing is.
pub(super) fn job(report: &mut Report, place: &Place, job_name: &str, spec: &JobSpec) -> bool {
    let mut bounds = Bounds { report, patterns: BTreeSet::new() };
    bounds.text(&Place::new("/metadata/name"), job_name, NAME_BYTES);
    bounds.spec(place, spec);
    bounds.report.problems.is_empty()
}

struct Bounds<'r, 'j> {
    report: &'r mut Report,
    /// The different regular expressions so far.
    patterns: BTreeSet<&'j str>,
}

impl<'j> Bounds<'_, 'j> {
    fn spec(&mut self, place: &Place, spec: &'j JobSpec) {
        self.list(place, "groups", spec.groups.len(), GROUPS);
        let tasks: usize = spec.groups.iter().map(|group| group.tasks.len()).sum();
        if tasks > TASKS_OF_JOB {
            let message = format!("{tasks} tasks in all groups; at most {TASKS_OF_JOB} are allowed");
            self.report.error(&place.key("groups"), message);
        }
        self.list(place, "datacenters", spec.datacenters.len(), RULES);
        for (place, datacenter) in place.each("datacenters", &spec.datacenters) {
            self.text(&place, datacenter, RULE_BYTES);
        }
        self.rules(place, &spec.constraints, &spec.affinities);
        self.spreads(place, &spec.spreads);
        self.lent(place, spec.vault.as_ref(), &spec.secrets);
        if let Some(periodic) = &spec.periodic {
            self.list(&place.key("periodic"), "crons", periodic.crons.len(), RULES);
        }
        let of_job = spec.constraints.len() + spec.affinities.len() + spec.spreads.len();
        for (place, group) in place.each("groups", &spec.groups) {
            self.group(&place, group, of_job);
        }
        if self.patterns.len() > PATTERNS {
            let message = format!(
                "{} different regular expressions; at most {PATTERNS} are allowed in a job",
                self.patterns.len()
            );
            self.report
                .error(&place.key("constraints"), message)
                .hint("`set_contains_any` compares with a list of words");
        }
    }

    fn group(&mut self, place: &Place, group: &'j Group, of_job: usize) {
        self.text(&place.key("name"), &group.name, NAME_BYTES);
        self.list(place, "tasks", group.tasks.len(), TASKS);
        self.rules(place, &group.constraints, &group.affinities);
        self.spreads(place, &group.spreads);
        self.lent(place, group.vault.as_ref(), &group.secrets);
        self.list(place, "volumes", group.volumes.len(), BLOCKS);
        self.list(place, "networks", group.networks.len(), BLOCKS);
        for (place, network) in place.each("networks", &group.networks) {
            self.list(&place, "ports", network.ports.len(), PORTS);
        }
        self.services(place, &group.services);
        let of_task = |task: &Task| task.constraints.len() + task.affinities.len();
        let of_tasks: usize = group.tasks.iter().map(of_task).sum();
        let of_group = group.constraints.len() + group.affinities.len() + group.spreads.len();
        let rules = of_job + of_group + of_tasks;
        if rules > RULES_OF_INSTANCE {
            let message = format!(
                "{rules} rules of job, group and tasks hold for an instance; at most {RULES_OF_INSTANCE} are allowed"
            );
            self.report.error(&place.key("constraints"), message);
        }
        for (place, task) in place.each("tasks", &group.tasks) {
            self.task(&place, task);
        }
    }

    fn task(&mut self, place: &Place, task: &'j Task) {
        self.text(&place.key("name"), &task.name, NAME_BYTES);
        self.rules(place, &task.constraints, &task.affinities);
        self.services(place, &task.services);
        for (key, count) in [
            ("artifacts", task.artifacts.len()),
            ("templates", task.templates.len()),
            ("secrets", task.secrets.len()),
            ("identities", task.identities.len()),
            ("volumeMounts", task.volume_mounts.len()),
            ("actions", task.actions.len()),
            ("scalings", task.scalings.len()),
        ] {
            self.list(place, key, count, BLOCKS);
        }
        let place = place.key("resources");
        self.list(&place, "devices", task.resources.devices.len(), BLOCKS);
        for (place, device) in place.each("devices", &task.resources.devices) {
            self.rules(&place, &device.constraints, &device.affinities);
        }
    }

    fn rules(&mut self, place: &Place, constraints: &'j [Constraint], affinities: &'j [Affinity]) {
        self.list(place, "constraints", constraints.len(), RULES);
        for (place, Constraint { attribute, operator, value }) in place.each("constraints", constraints) {
            self.rule(&place, attribute, *operator, value);
        }
        self.list(place, "affinities", affinities.len(), RULES);
        for (place, Affinity { attribute, operator, value, weight: _ }) in
            place.each("affinities", affinities)
        {
            self.rule(&place, attribute, *operator, value);
        }
    }

    fn rule(&mut self, place: &Place, attribute: &str, operator: Operator, value: &'j str) {
        self.text(&place.key("attribute"), attribute, RULE_BYTES);
        self.text(&place.key("value"), value, RULE_BYTES);
        if operator == Operator::Regexp {
            self.patterns.insert(value);
        }
    }

    fn spreads(&mut self, place: &Place, spreads: &[Spread]) {
        self.list(place, "spreads", spreads.len(), RULES);
        for (place, Spread { attribute, weight: _, targets }) in place.each("spreads", spreads) {
            self.text(&place.key("attribute"), attribute, RULE_BYTES);
            self.list(&place, "targets", targets.len(), TARGETS);
            for (place, target) in place.each("targets", targets) {
                self.text(&place.key("value"), &target.value, RULE_BYTES);
            }
        }
    }

    fn services(&mut self, place: &Place, services: &[Service]) {
        self.list(place, "services", services.len(), BLOCKS);
        for (place, service) in place.each("services", services) {
            self.list(&place, "checks", service.checks.len(), BLOCKS);
            self.text(&place.key("task"), service.task.as_deref().unwrap_or_default(), NAME_BYTES);
        }
    }

    /// What every task gets a copy of.
    fn lent(&mut self, place: &Place, vault: Option<&Vault>, secrets: &[Secret]) {
        self.list(place, "secrets", secrets.len(), BLOCKS);
        for (key, bytes) in [("vault", size_bytes(&vault)), ("secrets", size_bytes(&secrets))] {
            if bytes > LENT_BYTES {
                let message =
                    format!("{bytes} bytes are lent to every task; at most {LENT_BYTES} are allowed");
                self.report.error(&place.key(key), message).hint("write it into the tasks that need it");
            }
        }
    }

    fn list(&mut self, place: &Place, key: &str, count: usize, most: usize) {
        if count > most {
            self.report
                .error(&place.key(key), format!("{count} {key} are too many; at most {most} are allowed"));
        }
    }

    fn text(&mut self, place: &Place, text: &str, most: usize) {
        if text.len() > most {
            self.report
                .error(place, format!("the text has {} bytes; at most {most} are allowed", text.len()));
        }
    }
}

fn size_bytes<T: Serialize>(block: &T) -> usize {
    serde_json::to_vec(block).map_or(usize::MAX, |text| text.len())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::validate;

    fn told(spec: Value) -> Vec<String> {
        let spec: JobSpec = serde_json::from_value(spec).unwrap();
        validate::job("web", &spec)
            .iter()
            .map(|problem| format!("{}: {}", problem.pointer, problem.message))
            .collect()
    }

    fn task() -> Value {
        json!({"name": "main", "driver": "raw_exec", "config": {"command": "/bin/true"}})
    }

    fn of_group(field: &str, value: Value) -> Value {
        let mut group = json!({"name": "api", "tasks": [task()]});
        group[field] = value;
        json!({"groups": [group]})
    }

    fn of_task(field: &str, value: Value) -> Value {
        let mut task = task();
        task[field] = value;
        of_group("tasks", json!([task]))
    }

    fn with(mut spec: Value, field: &str, value: Value) -> Value {
        spec[field] = value;
        spec
    }

    fn rules(count: usize) -> Value {
        let rule = |number| json!({"attribute": "${attr.os}", "value": format!("v{number}")});
        (0..count).map(rule).collect()
    }

    fn patterns(count: usize) -> Value {
        let rule = |number| json!({"attribute": "${attr.os}", "operator": "regexp", "value": format!("\\w{{{number}}}")});
        (0..count).map(rule).collect()
    }

    #[test]
    fn what_is_too_much_is_refused_and_nothing_else_is_looked_at() {
        let sound = || of_group("count", json!(1));
        let many_tasks = |tasks: usize| {
            let tasks = vec![task(); tasks];
            json!({"groups": (0..11).map(|n| json!({"name": format!("g{n}"), "tasks": tasks})).collect::<Vec<_>>()})
        };
        let rows = [
            with(sound(), "constraints", rules(RULES + 1)),
            with(sound(), "constraints", patterns(300)),
            with(sound(), "constraints", patterns(PATTERNS + 1)),
            with(
                sound(),
                "constraints",
                json!([{"attribute": "a".repeat(2_000), "value": "b".repeat(2_000)}]),
            ),
            with(sound(), "datacenters", json!(vec!["*a*b*c"; 65])),
            with(sound(), "datacenters", json!(["*a".repeat(600)])),
            with(sound(), "vault", json!({"policies": ["p".repeat(20_000)]})),
            with(sound(), "groups", json!(vec![json!({}); 251])),
            many_tasks(100),
            of_group("name", json!("n".repeat(100_000))),
            of_group(
                "spreads",
                json!([{"attribute": "${node.datacenter}", "targets": vec![json!({}); 129]}]),
            ),
            of_group("networks", json!([{"ports": vec![json!({}); 257]}])),
            of_group("services", json!([{"checks": vec![json!({}); 257]}])),
            of_group("tasks", json!(vec![with(task(), "constraints", rules(64)); 5])),
            of_task("templates", json!(vec![json!({}); 257])),
            of_task("resources", json!({"devices": [{"name": "gpu", "affinities": rules(65)}]})),
        ];
        insta::assert_snapshot!(rows.map(|row| told(row).join("\n")).join("\n"), @"
        /spec/constraints: 65 constraints are too many; at most 64 are allowed
        /spec/constraints: 300 constraints are too many; at most 64 are allowed
        /spec/groups/0/constraints: 300 rules of job, group and tasks hold for an instance; at most 256 are allowed
        /spec/constraints: 300 different regular expressions; at most 32 are allowed in a job
        /spec/constraints: 33 different regular expressions; at most 32 are allowed in a job
        /spec/constraints/0/attribute: the text has 2000 bytes; at most 1024 are allowed
        /spec/constraints/0/value: the text has 2000 bytes; at most 1024 are allowed
        /spec/datacenters: 65 datacenters are too many; at most 64 are allowed
        /spec/datacenters/0: the text has 1200 bytes; at most 1024 are allowed
        /spec/vault: 20071 bytes are lent to every task; at most 16384 are allowed
        /spec/groups: 251 groups are too many; at most 250 are allowed
        /spec/groups: 1100 tasks in all groups; at most 1000 are allowed
        /spec/groups/0/name: the text has 100000 bytes; at most 1024 are allowed
        /spec/groups/0/spreads/0/targets: 129 targets are too many; at most 128 are allowed
        /spec/groups/0/networks/0/ports: 257 ports are too many; at most 256 are allowed
        /spec/groups/0/services/0/checks: 257 checks are too many; at most 256 are allowed
        /spec/groups/0/constraints: 320 rules of job, group and tasks hold for an instance; at most 256 are allowed
        /spec/groups/0/tasks/0/templates: 257 templates are too many; at most 256 are allowed
        /spec/groups/0/tasks/0/resources/devices/0/affinities: 65 affinities are too many; at most 64 are allowed
        ");
    }

    #[test]
    fn what_people_write_is_far_below() {
        let sound = with(of_group("constraints", rules(RULES)), "constraints", patterns(9));
        assert_eq!(told(sound), [""; 0]);
    }
}
