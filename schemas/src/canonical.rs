//! The canonical form of a job: every default that depends on something else is filled in.
//!
//! Defaults that depend on nothing are filled while reading. Here come those that depend on the job's type or on
//! an outer block: counts, rollout, migration, restart and reschedule policies, inherited Vault and secrets,
//! service names. Doing it twice changes nothing. The merged outer blocks stay as they were written.

use crate::group::Group;
use crate::identity::{Secret, Vault};
use crate::job::{JobSpec, JobType};
use crate::policy::{Reschedule, Restart};
use crate::resources::{DEFAULT_CPU_MHZ, Resources};
use crate::rollout::{Migrate, Update};
use crate::service::Service;
use crate::task::Task;

impl JobSpec {
    /// The job with every default filled in; `name` is the job's name, of which service names are made.
    pub fn canonicalize(mut self, name: &str) -> JobSpec {
        let outer = Outer {
            job: name,
            job_type: self.job_type,
            update: self.update.unwrap_or_default(),
            migrate: self.migrate.unwrap_or_default(),
            reschedule: self.reschedule.unwrap_or_default(),
        };
        for group in &mut self.groups {
            outer.fill_group(group);
            for task in &mut group.tasks {
                inherit_vault(task, group.vault.as_ref().or(self.vault.as_ref()));
                inherit_secrets(task, &group.secrets);
                inherit_secrets(task, &self.secrets);
            }
        }
        self
    }
}

/// What a group inherits from its job.
struct Outer<'a> {
    job: &'a str,
    job_type: JobType,
    update: Update,
    migrate: Migrate,
    reschedule: Reschedule,
}

impl Outer<'_> {
    fn fill_group(&self, group: &mut Group) {
        group.count = Some(group.count());
        if let Some(scaling) = &mut group.scaling {
            scaling.min = scaling.min.or(group.count);
        }
        self.fill_policies(group);
        for service in &mut group.services {
            fill_service(service, || format!("{}-{}", self.job, group.name));
        }
        let restart = group.restart.unwrap_or_default();
        for task in &mut group.tasks {
            let prefix = format!("{}-{}", self.job, group.name);
            fill_task(task, &restart, &prefix);
        }
    }

    /// Rollouts belong to services and system jobs, migration to services, rescheduling to jobs not bound to nodes.
    /// A block where it does not belong stays as it is, for validation to refuse.
    fn fill_policies(&self, group: &mut Group) {
        let has_rollout = matches!(self.job_type, JobType::Service | JobType::System);
        if has_rollout {
            group.update = Some(group.update.unwrap_or_default().or(&self.update).filled());
        }
        if self.job_type == JobType::Service {
            group.migrate = Some(group.migrate.unwrap_or_default().or(&self.migrate).filled());
        }
        if let Some(defaults) = Reschedule::of(self.job_type) {
            let mut written = group.reschedule.unwrap_or_default().or(&self.reschedule);
            if written.attempts() > 0 {
                // Whoever counts attempts wants them to end.
                written.unlimited = written.unlimited.or(Some(false));
            }
            group.reschedule = Some(written.or(&defaults));
        }
        group.restart = Some(group.restart.unwrap_or_default().or(&Restart::of(self.job_type)));
    }
}

fn fill_task(task: &mut Task, restart: &Restart, prefix: &str) {
    task.restart = Some(task.restart.unwrap_or_default().or(restart));
    fill_resources(&mut task.resources);
    let task_name = &task.name;
    for service in &mut task.services {
        service.task.get_or_insert_with(|| task_name.clone());
        fill_service(service, || format!("{prefix}-{task_name}"));
    }
}

fn fill_resources(resources: &mut Resources) {
    if resources.cpu.is_none() && resources.cores.unwrap_or(0) == 0 {
        resources.cpu = Some(DEFAULT_CPU_MHZ);
    }
}

fn fill_service(service: &mut Service, default_name: impl FnOnce() -> String) {
    service.name.get_or_insert_with(default_name);
    let inherited = service.check_restart.as_ref();
    for check in &mut service.checks {
        check.check_restart = check.check_restart.take().or_else(|| inherited.cloned());
        check.on_update.get_or_insert(service.on_update);
        check.task = check.task.take().or_else(|| service.task.clone());
    }
}

fn inherit_vault(task: &mut Task, outer: Option<&Vault>) {
    if task.vault.is_none() {
        task.vault = outer.cloned();
    }
}

fn inherit_secrets(task: &mut Task, outer: &[Secret]) {
    for secret in outer {
        if !task.secrets.iter().any(|own| own.name == secret.name) {
            task.secrets.push(secret.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::arbitrary::any_job;

    fn read(spec: serde_json::Value) -> JobSpec {
        serde_json::from_value::<JobSpec>(spec).expect("the fixture reads").canonicalize("web")
    }

    #[test]
    fn defaults_of_each_type() {
        let table = ["service", "batch", "system", "sysbatch"].map(|job_type| {
            let spec = read(json!({ "type": job_type, "groups": [{ "name": "api" }] }));
            let group = serde_json::to_value(&spec.groups[0]).expect("a value");
            let lines =
                ["update", "migrate", "restart", "reschedule"].map(|key| format!("  {key} {}", group[key]));
            format!("{job_type}\n{}", lines.join("\n"))
        });
        insta::assert_snapshot!(table.join("\n"), @r#"
        service
          update {"maxParallel":1,"healthCheck":"checks","minHealthyTime":"10s","healthyDeadline":"5m","progressDeadline":"10m","autoRevert":false,"autoPromote":false,"canary":0,"stagger":"30s"}
          migrate {"maxParallel":1,"healthCheck":"checks","minHealthyTime":"10s","healthyDeadline":"5m"}
          restart {"attempts":2,"interval":"30m","delay":"15s","mode":"fail","renderTemplates":false}
          reschedule {"attempts":0,"interval":"0s","delay":"30s","delayFunction":"exponential","maxDelay":"1h","unlimited":true}
        batch
          update null
          migrate null
          restart {"attempts":3,"interval":"24h","delay":"15s","mode":"fail","renderTemplates":false}
          reschedule {"attempts":1,"interval":"24h","delay":"5s","delayFunction":"constant","maxDelay":"0s","unlimited":false}
        system
          update {"maxParallel":1,"healthCheck":"checks","minHealthyTime":"10s","healthyDeadline":"5m","progressDeadline":"10m","autoRevert":false,"autoPromote":false,"canary":0,"stagger":"30s"}
          migrate null
          restart {"attempts":2,"interval":"30m","delay":"15s","mode":"fail","renderTemplates":false}
          reschedule null
        sysbatch
          update null
          migrate null
          restart {"attempts":3,"interval":"24h","delay":"15s","mode":"fail","renderTemplates":false}
          reschedule null
        "#);
    }

    #[test]
    fn blocks_merge_field_by_field() {
        let spec = read(json!({
            "update": { "maxParallel": 3, "canary": 1 },
            "vault": { "role": "job" },
            "secrets": [{ "name": "a", "path": "job" }],
            "groups": [{
                "name": "api", "update": { "canary": 2 }, "restart": { "attempts": 7 }, "scaling": { "min": 4 },
                "services": [{ "checks": [{}], "checkRestart": { "limit": 3 } }],
                "tasks": [
                    { "name": "one", "restart": { "delay": "1s" }, "services": [{}] },
                    { "name": "two", "vault": { "role": "own" }, "secrets": [{ "name": "a", "path": "own" }] },
                ],
            }],
        }));
        let group = &spec.groups[0];
        let (update, one, two) = (group.update.unwrap(), &group.tasks[0], &group.tasks[1]);
        let restart = one.restart.unwrap();
        let lines = [
            format!("update {} at a time, {} canaries", update.max_parallel(), update.canary()),
            format!("count {}, service {:?}", group.count(), group.services[0].name),
            format!("check restart {:?}", group.services[0].checks[0].check_restart),
            format!("one: {} attempts, delay {}", restart.attempts(), restart.delay()),
            format!("one: service {:?} of {:?}", one.services[0].name, one.services[0].task),
            format!("one: vault {:?}, secret {}", one.vault.as_ref().unwrap().role, one.secrets[0].path),
            format!("two: vault {:?}, secret {}", two.vault.as_ref().unwrap().role, two.secrets[0].path),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r#"
        update 3 at a time, 2 canaries
        count 4, service Some("web-api")
        check restart Some(CheckRestart { limit: 3, grace: Duration(1000000000), ignore_warnings: false })
        one: 7 attempts, delay 1s
        one: service Some("web-api-one") of Some("one")
        one: vault Some("job"), secret job
        two: vault Some("own"), secret own
        "#);
    }

    proptest! {
        #[test]
        fn twice_is_once(spec in any_job()) {
            let once = spec.canonicalize("web");
            prop_assert_eq!(once.clone().canonicalize("web"), once);
        }

        #[test]
        fn json_round_trip(spec in any_job()) {
            let text = serde_json::to_string(&spec).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<JobSpec>(&text).expect("reads back"), spec);
        }
    }
}
