//! A group and everything in it.

use super::names::{name, not_negative, unique};
use super::problem::{Place, Report};
use super::{identity, network, policy, rules, service, task, volume};
use crate::group::Group;
use crate::job::{JobSpec, JobType};
use crate::task::Task;

/// One group: `group` as written, `merged` in canonical form.
pub(super) fn group(report: &mut Report, place: &Place, job: &JobSpec, group: &Group, merged: &Group) {
    name(report, &place.key("name"), "group", &group.name);
    count(report, place, job.job_type, group);
    rules::constraints(report, place, &group.constraints, true);
    rules::affinities(report, place, &group.affinities);
    rules::spreads(report, place, &group.spreads);
    not_for_every_node(report, place, job.job_type, [group.affinities.is_empty(), group.spreads.is_empty()]);
    network::networks(report, place, group);
    volume::volumes(report, place, merged, job.job_type.is_per_node());
    policy::policies(report, place, job, group, merged);
    scaling(report, place, job.job_type, group);
    identity::vault(report, &place.key("vault"), group.vault.as_ref());
    identity::secrets(report, place, &group.secrets);
    service::services(report, [place, place], group, [&group.services, &merged.services]);
    service::one_provider(report, place, group);
    not_negative(report, &place.key("shutdownDelay"), group.shutdown_delay);
    run_duration(report, place, job.job_type, group);
    tasks(report, place, group, merged);
}

/// Preferences and spreads choose between nodes; a job that runs on every node has no choice.
pub(super) fn not_for_every_node(report: &mut Report, place: &Place, job_type: JobType, is_empty: [bool; 2]) {
    for (key, is_empty) in ["affinities", "spreads"].into_iter().zip(is_empty) {
        if job_type.is_per_node() && !is_empty {
            report
                .error(&place.key(key), format!("a {job_type} job has no {key}"))
                .depends_on(&job_type_place())
                .hint("it runs on every node that meets its constraints");
        }
    }
}

fn count(report: &mut Report, place: &Place, job_type: JobType, group: &Group) {
    if job_type.is_per_node() && group.count.is_some_and(|count| count > 1) {
        report
            .error(&place.key("count"), format!("a {job_type} job runs once on every node"))
            .depends_on(&job_type_place())
            .hint("leave `count` out");
    }
}

fn tasks(report: &mut Report, place: &Place, group: &Group, merged: &Group) {
    if group.tasks.is_empty() {
        report.error(&place.key("tasks"), "the group has no tasks");
    } else if !group.tasks.iter().any(Task::is_main) {
        report
            .error(&place.key("tasks"), "every task has a lifecycle, so nothing is the main task")
            .hint("leave `lifecycle` out of at least one");
    }
    let leaders = place.each("tasks", &group.tasks).filter(|(_, task)| task.leader);
    for (place, task) in leaders.skip(1) {
        report
            .error(&place.key("leader"), format!("`{}` is a second leader", task.name))
            .hint("a group has at most one");
    }
    unique(
        report,
        "task",
        place.each("tasks", &group.tasks).map(|(place, task)| (place.key("name"), task.name.as_str())),
    );
    let group_place = place;
    for ((place, each), merged_task) in place.each("tasks", &group.tasks).zip(&merged.tasks) {
        task::task(report, [group_place, &place], group, each, merged_task);
        kill_timeout(report, [group_place, &place], merged, each);
        logs(report, [group_place, &place], group, each);
    }
}

/// An instance that may take longer to stop than a rollout may stand still would fail the rollout.
fn kill_timeout(report: &mut Report, [group_place, place]: [&Place; 2], merged: &Group, task: &Task) {
    let Some(update) = merged.update else { return };
    let deadline = update.progress_deadline();
    if !deadline.is_zero() && task.kill_timeout > deadline {
        let message =
            format!("{} is longer than the rollout's `progressDeadline` ({deadline})", task.kill_timeout);
        report
            .error(&place.key("killTimeout"), message)
            .depends_on(&group_place.key("update"))
            .depends_on(&Place::spec().key("update"))
            .depends_on(&job_type_place());
    }
}

/// What a task may keep of its output must fit into the instance's disk.
fn logs(report: &mut Report, [group_place, place]: [&Place; 2], group: &Group, task: &Task) {
    let logs_mb = u64::from(task.logs.max_files) * u64::from(task.logs.max_file_size);
    let disk_mb = group.ephemeral_disk.size;
    if !task.logs.disabled && logs_mb >= disk_mb {
        report
            .error(
                &place.key("logs"),
                format!("{logs_mb} MB of logs do not fit into the group's disk of {disk_mb} MB"),
            )
            .depends_on(&group_place.key("ephemeralDisk").key("size"))
            .hint("make `ephemeralDisk.size` larger or the logs smaller");
    }
}

fn scaling(report: &mut Report, place: &Place, job_type: JobType, group: &Group) {
    let Some(scaling) = &group.scaling else { return };
    let group_place = place;
    let place = group_place.key("scaling");
    if job_type.is_per_node() {
        report.error(&place, format!("a {job_type} job cannot be scaled")).depends_on(&job_type_place());
    }
    let Some(most) = scaling.max else {
        report.error(&place.key("max"), "the greatest count is missing");
        return;
    };
    let (least, count) = (scaling.min.unwrap_or(0), group.count());
    if least > most {
        report
            .error(&place.key("min"), format!("{least} is greater than `max` ({most})"))
            .depends_on(&place.key("max"));
    } else if !(least..=most).contains(&count) {
        report
            .error(&place, format!("the count {count} is not between {least} and {most}"))
            .depends_on(&group_place.key("count"));
    }
}

fn run_duration(report: &mut Report, place: &Place, job_type: JobType, group: &Group) {
    let Some(longest) = group.max_run_duration else { return };
    let place = place.key("maxRunDuration");
    if longest.as_nanoseconds() <= 0 {
        report.error(&place, format!("{longest} is no time to run"));
    }
    if !job_type.is_batch() {
        report
            .error(&place, format!("a {job_type} job runs until it is stopped"))
            .hint("only batch jobs have it")
            .depends_on(&job_type_place());
    }
}

/// What a job of the wrong type may not say is no mistake of the field that says it if the type is not known.
pub(super) fn job_type_place() -> Place {
    Place::spec().key("type")
}
