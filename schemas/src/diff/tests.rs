//! Pictures of a change and of what it does to running instances.

use super::{Effect, replaces};
use crate::duration::Duration;
use crate::group::{Group, Restart};
use crate::job::JobSpec;
use crate::network::{Network, Port};
use crate::placement_rules::Constraint;
use crate::service::Service;
use crate::task::Task;

fn web() -> JobSpec {
    let task = Task { name: "web".to_owned(), driver: "docker".to_owned(), ..Task::default() };
    let group = Group { name: "web".to_owned(), tasks: vec![task], ..Group::default() };
    JobSpec { groups: vec![group], ..JobSpec::default() }
}

fn after(change: impl FnOnce(&mut JobSpec)) -> String {
    let old = web();
    let mut new = web();
    change(&mut new);
    let (old, new) = (old.canonicalize("web"), new.canonicalize("web"));
    match replaces(&old, &old.groups[0], &new, &new.groups[0]) {
        Effect::Unchanged => "unchanged".to_owned(),
        Effect::Create => "create".to_owned(),
        Effect::Destroy => "destroy".to_owned(),
        Effect::InPlace { reasons, rechecks_node: false } => format!("in place: {}", reasons.join(", ")),
        Effect::InPlace { reasons, rechecks_node: true } => {
            format!("in place if it fits: {}", reasons.join(", "))
        }
        Effect::Destructive { reasons } => format!("destructive: {}", reasons.join(", ")),
    }
}

fn task_after(change: impl FnOnce(&mut Task)) -> String {
    after(|job| change(&mut job.groups[0].tasks[0]))
}

fn group_after(change: impl FnOnce(&mut Group)) -> String {
    after(|job| change(&mut job.groups[0]))
}

#[test]
fn nothing_changed() {
    insta::assert_snapshot!(after(|_| ()), @"unchanged");
    insta::assert_snapshot!(task_after(|task| task.resources.cpu = Some(100)), @"unchanged");
}

#[test]
fn needs_new_instances() {
    let table = [
        task_after(|task| task.driver = "exec".to_owned()),
        task_after(|task| drop(task.config.insert("image".to_owned(), "nginx".into()))),
        task_after(|task| drop(task.env.insert("A".to_owned(), "1".to_owned()))),
        task_after(|task| task.resources.memory = 512),
        task_after(|task| task.logs.disabled = true),
        task_after(|task| task.name = "other".to_owned()),
        after(|job| drop(job.meta.insert("a".to_owned(), "1".to_owned()))),
        group_after(|group| group.ephemeral_disk.size = 10),
        group_after(|group| {
            group.networks = vec![Network { ports: vec![Port::default()], ..Network::default() }];
        }),
        group_after(|group| {
            group.restart = Some(Restart { render_templates: Some(true), ..Restart::default() });
        }),
    ];
    insta::assert_snapshot!(table.join("\n"), @r#"
    destructive: task "web": driver
    destructive: task "web": config
    destructive: task "web": env
    destructive: task "web": memory
    destructive: task "web": logs.disabled
    destructive: task "other" added, task "web" removed
    destructive: task "web": meta
    destructive: ephemeral_disk
    destructive: network
    destructive: restart.render_templates, task "web": restart.render_templates
    "#);
}

#[test]
fn reaches_running_instances() {
    let table = [
        group_after(|group| group.count = Some(3)),
        group_after(|group| group.services = vec![Service::default()]),
        group_after(|group| group.constraints = vec![Constraint::default()]),
        task_after(|task| task.kill_timeout = Duration::from_seconds(9)),
        task_after(|task| task.logs.max_files = 3),
        after(|job| job.priority = 70),
        after(|job| job.datacenters = vec!["dc2".to_owned()]),
    ];
    insta::assert_snapshot!(table.join("\n"), @r#"
    in place: count
    in place: services
    in place if it fits: group constraints
    in place: task "web": kill_timeout
    in place: task "web": logs
    in place: priority
    in place if it fits: datacenters
    "#);
}

#[test]
fn meta_that_moves_between_blocks_is_the_same_meta() {
    let mut old = web();
    old.meta.insert("a".to_owned(), "1".to_owned());
    let mut new = web();
    new.groups[0].tasks[0].meta.insert("a".to_owned(), "1".to_owned());
    assert_eq!(replaces(&old, &old.groups[0], &new, &new.groups[0]), Effect::Unchanged);
}
