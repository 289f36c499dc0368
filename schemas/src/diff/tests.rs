//! Pictures of a change and of what it does to running instances.

use proptest::prelude::*;
use serde_json::json;

use super::{Change, Effect, JobDiff, ObjectDiff, diff, replaces};
use crate::arbitrary::any_named_job;
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

fn sign(change: Change) -> &'static str {
    match change {
        Change::None => " ",
        Change::Added => "+",
        Change::Deleted => "-",
        Change::Edited => "~",
    }
}

fn draw_objects(lines: &mut Vec<String>, depth: usize, objects: &[ObjectDiff]) {
    let indent = "  ".repeat(depth);
    for object in objects {
        lines.push(format!("{indent}{} {}", sign(object.change), object.name));
        for field in &object.fields {
            lines.push(format!(
                "{indent}  {} {}: `{}` -> `{}`",
                sign(field.change),
                field.name,
                field.old,
                field.new
            ));
        }
        draw_objects(lines, depth + 1, &object.objects);
    }
}

fn draw(job: &JobDiff) -> String {
    let mut lines = vec![format!("{} job", sign(job.change))];
    for field in &job.fields {
        lines.push(format!("  {} {}: `{}` -> `{}`", sign(field.change), field.name, field.old, field.new));
    }
    draw_objects(&mut lines, 1, &job.objects);
    for group in &job.groups {
        lines.push(format!("  {} group {}: {:?}", sign(group.change), group.name, group.effect));
        if group.change != Change::Edited {
            continue;
        }
        for field in &group.fields {
            lines.push(format!(
                "    {} {}: `{}` -> `{}`",
                sign(field.change),
                field.name,
                field.old,
                field.new
            ));
        }
        draw_objects(&mut lines, 2, &group.objects);
        draw_objects(&mut lines, 2, &group.tasks);
    }
    lines.join("\n")
}

fn drawn(old: serde_json::Value, new: serde_json::Value) -> String {
    let read = |spec| serde_json::from_value::<JobSpec>(spec).expect("the fixture reads");
    draw(&diff("web", Some(&read(old)), &read(new)))
}

#[test]
fn a_new_image_and_a_new_count() {
    let spec = |image: &str, count: u32| {
        json!({ "groups": [{ "name": "web", "count": count, "tasks": [
            { "name": "web", "driver": "docker", "config": { "image": image, "args": ["a"] } },
            { "name": "log", "driver": "exec", "config": { "command": "x" } },
        ]}, { "name": "same" }] })
    };
    insta::assert_snapshot!(drawn(spec("nginx:1", 1), spec("nginx:2", 3)), @r#"
    ~ job
      ~ group web: Destructive { reasons: ["task \"web\": config"] }
        ~ count: `1` -> `3`
        ~ tasks "web"
          ~ config
            ~ image: `nginx:1` -> `nginx:2`
        group same: Unchanged
    "#);
}

#[test]
fn named_things_are_matched_by_name() {
    let old = json!({ "priority": 50, "meta": { "a": "1", "b": "2" }, "groups": [{ "name": "web", "count": 1,
        "networks": [{ "ports": [{ "label": "http", "static": 80 }, { "label": "old" }] }],
        "services": [{ "name": "one", "port": "http" }, { "name": "two" }],
        "constraints": [{ "attribute": "${attr.a}", "value": "1" }] }, { "name": "gone" }] });
    let new = json!({ "priority": 60, "meta": { "a": "1", "b": "3" }, "groups": [{ "name": "fresh" }, { "name": "web",
        "networks": [{ "ports": [{ "label": "http", "static": 81 }] }],
        "services": [{ "name": "two" }, { "name": "one", "port": "http", "tags": ["x"] }],
        "constraints": [{ "attribute": "${attr.a}", "value": "2" }] }] });
    insta::assert_snapshot!(drawn(old, new), @r#"
    ~ job
      ~ priority: `50` -> `60`
      ~ meta
        ~ b: `2` -> `3`
      + group fresh: Create
      ~ group web: Destructive { reasons: ["network"] }
        ~ constraints
          ~ value: `1` -> `2`
        ~ networks
          ~ ports "http"
            ~ static: `80` -> `81`
          - ports "old"
            - hostNetwork: `default` -> ``
            - label: `old` -> ``
        ~ services "one"
          + tags: `` -> `["x"]`
      - group gone: Destroy
    "#);
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(spec in any_named_job()) {
        let same = diff("web", Some(&spec), &spec);
        prop_assert!(same.is_empty(), "{}", draw(&same));
        prop_assert!(same.groups.iter().all(|group| group.effect == Effect::Unchanged));
    }

    #[test]
    fn going_back_is_the_mirror_image(old in any_named_job(), new in any_named_job()) {
        let count = |from: &JobSpec, to: &JobSpec, sign: &str| {
            draw(&diff("web", Some(from), to)).lines().filter(|line| line.trim_start().starts_with(sign)).count()
        };
        prop_assert_eq!(count(&old, &new, "+ "), count(&new, &old, "- "));
        prop_assert_eq!(count(&old, &new, "~ "), count(&new, &old, "~ "));
    }
}
