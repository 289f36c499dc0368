//! The canonical form of a job: every default that depends on something else is filled in.
//!
//! Defaults that depend on nothing are filled while reading. Here come those that depend on the job's type or on
//! an outer block: counts, rollout, migration, restart and reschedule policies, inherited Vault and secrets,
//! service names. Doing it twice changes nothing. The merged outer blocks stay as they were written.

use crate::group::Group;
use crate::identity::{Secret, Vault};
use crate::job::{JobSpec, JobType};
use crate::policy::{Migrate, Reschedule, Restart, Update};
use crate::resources::{DEFAULT_CPU_MHZ, Resources};
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
            group.reschedule = Some(group.reschedule.unwrap_or_default().or(&self.reschedule).or(&defaults));
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
