//! Whether a change reaches running instances in place or only through new ones.
//!
//! Every field of a job, group and task is named here once: a new field does not compile until somebody decides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::group::Group;
use crate::job::JobSpec;
use crate::policy::Restart;
use crate::resources::Resources;
use crate::service::Service;
use crate::task::{Logs, Task};

/// What an update does to the instances of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Nothing.
    Unchanged,
    /// The group is new.
    Create,
    /// The group is gone: its instances stop.
    Destroy,
    /// Running instances take the change over.
    #[serde(rename_all = "camelCase")]
    InPlace {
        /// What changed, such as `task "web": services`.
        reasons: Vec<String>,
        /// Whether the node must be judged again: an instance whose node no longer fits is replaced after all.
        rechecks_node: bool,
    },
    /// Running instances are replaced by new ones.
    Destructive {
        /// What forces it, such as `task "web": config`.
        reasons: Vec<String>,
    },
}

/// What the change from `old` to `new` does to the instances of the group.
pub fn replaces(old_job: &JobSpec, old: &Group, new_job: &JobSpec, new: &Group) -> Effect {
    let mut verdict = Verdict::default();
    judge_job(&mut verdict, old_job, new_job);
    judge_group(&mut verdict, old, new);
    judge_tasks(&mut verdict, (old_job, old), (new_job, new));
    let Verdict { destructive, in_place, rechecks_node } = verdict;
    match (destructive.is_empty(), in_place.is_empty()) {
        (false, _) => Effect::Destructive { reasons: destructive },
        (true, false) => Effect::InPlace { reasons: in_place, rechecks_node },
        (true, true) => Effect::Unchanged,
    }
}

#[derive(Default)]
struct Verdict {
    destructive: Vec<String>,
    in_place: Vec<String>,
    rechecks_node: bool,
}

impl Verdict {
    /// A change of this needs new instances.
    fn replaces(&mut self, what: impl Into<String>, is_same: bool) {
        if !is_same {
            self.destructive.push(what.into());
        }
    }

    /// Running instances take a change of this over.
    fn keeps(&mut self, what: impl Into<String>, is_same: bool) {
        if !is_same {
            self.in_place.push(what.into());
        }
    }

    /// Running instances take a change of this over if their node still fits.
    fn keeps_if_node_fits(&mut self, what: impl Into<String>, is_same: bool) {
        self.rechecks_node |= !is_same;
        self.keeps(what, is_same);
    }
}

fn judge_job(verdict: &mut Verdict, old: &JobSpec, new: &JobSpec) {
    let JobSpec {
        job_type,
        region,
        datacenters,
        node_pool,
        priority,
        constraints,
        affinities,
        spreads,
        // Judged where they were merged into: in groups and tasks.
        groups: _,
        update: _,
        migrate: _,
        reschedule: _,
        meta: _,
        vault: _,
        secrets: _,
        // These say when and how jobs are placed or shown, and touch no instance.
        all_at_once: _,
        periodic: _,
        parameterized: _,
        multiregion: _,
        ui: _,
        stop: _,
    } = old;
    verdict.replaces("type", *job_type == new.job_type);
    verdict.replaces("region", *region == new.region);
    verdict.keeps("priority", *priority == new.priority);
    verdict.keeps_if_node_fits("datacenters", *datacenters == new.datacenters);
    verdict.keeps_if_node_fits("node_pool", *node_pool == new.node_pool);
    verdict.keeps_if_node_fits("constraints", *constraints == new.constraints);
    verdict.keeps_if_node_fits("affinities", *affinities == new.affinities);
    verdict.keeps_if_node_fits("spreads", *spreads == new.spreads);
}

fn judge_group(verdict: &mut Verdict, old: &Group, new: &Group) {
    let Group {
        name: _,
        count,
        constraints,
        affinities,
        spreads,
        networks,
        volumes,
        update,
        migrate,
        restart,
        reschedule,
        disconnect,
        ephemeral_disk,
        scaling,
        services,
        tasks: _,
        shutdown_delay,
        max_run_duration,
        meta: _,
        consul,
        vault: _,
        secrets: _,
    } = old;
    verdict.replaces("network", *networks == new.networks);
    verdict.replaces("volumes", *volumes == new.volumes);
    verdict.replaces("ephemeral_disk", *ephemeral_disk == new.ephemeral_disk);
    verdict.replaces("consul", *consul == new.consul);
    judge_services(verdict, "", services, &new.services);
    judge_restart(verdict, "", restart.as_ref(), new.restart.as_ref());
    verdict.keeps("count", *count == new.count);
    verdict.keeps("update", *update == new.update);
    verdict.keeps("migrate", *migrate == new.migrate);
    verdict.keeps("reschedule", *reschedule == new.reschedule);
    verdict.keeps("disconnect", *disconnect == new.disconnect);
    verdict.keeps("scaling", *scaling == new.scaling);
    verdict.keeps("shutdown_delay", *shutdown_delay == new.shutdown_delay);
    verdict.keeps("max_run_duration", *max_run_duration == new.max_run_duration);
    verdict.keeps_if_node_fits("group constraints", *constraints == new.constraints);
    verdict.keeps_if_node_fits("group affinities", *affinities == new.affinities);
    verdict.keeps_if_node_fits("group spreads", *spreads == new.spreads);
}

fn judge_tasks(verdict: &mut Verdict, old: (&JobSpec, &Group), new: (&JobSpec, &Group)) {
    for task in &new.1.tasks {
        if old.1.task(&task.name).is_none() {
            verdict.replaces(format!("task \"{}\" added", task.name), false);
        }
    }
    for task in &old.1.tasks {
        let Some(successor) = new.1.task(&task.name) else {
            verdict.replaces(format!("task \"{}\" removed", task.name), false);
            continue;
        };
        let meta_is_same = old.0.meta_of(old.1, task) == new.0.meta_of(new.1, successor);
        verdict.replaces(format!("task \"{}\": meta", task.name), meta_is_same);
        judge_task(verdict, task, successor);
    }
}

/// The two halves name every field between them; what one judges, the other passes over.
fn judge_task(verdict: &mut Verdict, old: &Task, new: &Task) {
    let prefix = format!("task \"{}\": ", old.name);
    judge_task_program(verdict, &prefix, old, new);
    judge_task_conduct(verdict, &prefix, old, new);
}

/// What the task runs and with what: a change needs a new instance.
fn judge_task_program(verdict: &mut Verdict, prefix: &str, old: &Task, new: &Task) {
    let Task {
        name: _,
        driver,
        config,
        user,
        leader: _,
        kill_timeout: _,
        kill_signal: _,
        shutdown_delay: _,
        env,
        meta: _,
        resources,
        lifecycle: _,
        logs,
        artifacts,
        templates,
        secrets,
        vault,
        consul,
        identities,
        services: _,
        volume_mounts,
        csi_plugin,
        actions: _,
        schedule: _,
        constraints: _,
        affinities: _,
        restart: _,
        dispatch_payload: _,
        kind: _,
        scalings: _,
    } = old;
    let named = |what: &str| format!("{prefix}{what}");
    verdict.replaces(named("driver"), *driver == new.driver);
    verdict.replaces(named("config"), *config == new.config);
    verdict.replaces(named("user"), *user == new.user);
    verdict.replaces(named("env"), *env == new.env);
    verdict.replaces(named("artifacts"), *artifacts == new.artifacts);
    verdict.replaces(named("templates"), *templates == new.templates);
    verdict.replaces(named("secrets"), *secrets == new.secrets);
    verdict.replaces(named("vault"), *vault == new.vault);
    verdict.replaces(named("consul"), *consul == new.consul);
    verdict.replaces(named("identities"), *identities == new.identities);
    verdict.replaces(named("volume_mounts"), *volume_mounts == new.volume_mounts);
    verdict.replaces(named("csi_plugin"), *csi_plugin == new.csi_plugin);
    judge_resources(verdict, prefix, resources, &new.resources);
    judge_logs(verdict, prefix, logs, &new.logs);
}

/// How the running task is treated: a change reaches it in place.
fn judge_task_conduct(verdict: &mut Verdict, prefix: &str, old: &Task, new: &Task) {
    let Task {
        name: _,
        driver: _,
        config: _,
        user: _,
        leader,
        kill_timeout,
        kill_signal,
        shutdown_delay,
        env: _,
        meta: _,
        resources: _,
        lifecycle,
        logs: _,
        artifacts: _,
        templates: _,
        secrets: _,
        vault: _,
        consul: _,
        identities: _,
        services,
        volume_mounts: _,
        csi_plugin: _,
        actions,
        schedule,
        constraints,
        affinities,
        restart,
        dispatch_payload,
        kind,
        scalings,
    } = old;
    let named = |what: &str| format!("{prefix}{what}");
    verdict.keeps(named("kill_timeout"), *kill_timeout == new.kill_timeout);
    verdict.keeps(named("kill_signal"), *kill_signal == new.kill_signal);
    verdict.keeps(named("shutdown_delay"), *shutdown_delay == new.shutdown_delay);
    verdict.keeps(named("leader"), *leader == new.leader);
    verdict.keeps(named("lifecycle"), *lifecycle == new.lifecycle);
    verdict.keeps(named("actions"), *actions == new.actions);
    verdict.keeps(named("schedule"), *schedule == new.schedule);
    verdict.keeps(named("dispatch_payload"), *dispatch_payload == new.dispatch_payload);
    verdict.keeps(named("kind"), *kind == new.kind);
    verdict.keeps(named("scaling"), *scalings == new.scalings);
    verdict.keeps_if_node_fits(named("constraints"), *constraints == new.constraints);
    verdict.keeps_if_node_fits(named("affinities"), *affinities == new.affinities);
    judge_services(verdict, prefix, services, &new.services);
    judge_restart(verdict, prefix, restart.as_ref(), new.restart.as_ref());
}

fn judge_resources(verdict: &mut Verdict, prefix: &str, old: &Resources, new: &Resources) {
    let Resources { cpu: _, cores, memory, memory_max, secrets, devices, numa } = old;
    verdict.replaces(format!("{prefix}cpu"), old.cpu_mhz() == new.cpu_mhz());
    verdict.replaces(format!("{prefix}cores"), *cores == new.cores);
    verdict.replaces(format!("{prefix}memory"), *memory == new.memory);
    verdict.replaces(format!("{prefix}memory_max"), *memory_max == new.memory_max);
    verdict.replaces(format!("{prefix}size of secrets"), *secrets == new.secrets);
    verdict.replaces(format!("{prefix}devices"), *devices == new.devices);
    verdict.replaces(format!("{prefix}numa"), *numa == new.numa);
}

fn judge_logs(verdict: &mut Verdict, prefix: &str, old: &Logs, new: &Logs) {
    let Logs { max_files, max_file_size, disabled } = old;
    verdict.replaces(format!("{prefix}logs.disabled"), *disabled == new.disabled);
    let has_same_size = (max_files, max_file_size) == (&new.max_files, &new.max_file_size);
    verdict.keeps(format!("{prefix}logs"), has_same_size);
}

fn judge_restart(verdict: &mut Verdict, prefix: &str, old: Option<&Restart>, new: Option<&Restart>) {
    let renders = |restart: Option<&Restart>| restart.is_some_and(Restart::render_templates);
    if renders(old) == renders(new) {
        verdict.keeps(format!("{prefix}restart"), old == new);
    } else {
        verdict.replaces(format!("{prefix}restart.render_templates"), false);
    }
}

/// Registrations change in place; a proxy beside the tasks does not.
fn judge_services(verdict: &mut Verdict, prefix: &str, old: &[Service], new: &[Service]) {
    let meshed = |services: &[Service]| -> Vec<Service> {
        let kept = services.iter().filter(|service| service.connect.is_some());
        kept.map(|service| Service {
            name: service.name.clone(),
            connect: service.connect.clone(),
            ..Service::default()
        })
        .collect()
    };
    if meshed(old) == meshed(new) {
        verdict.keeps(format!("{prefix}services"), old == new);
    } else {
        verdict.replaces(format!("{prefix}connect"), false);
    }
}
