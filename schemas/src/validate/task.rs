//! A task and everything in it.

use super::names::{is_interpolated, name, not_negative, required, signal, unique};
use super::problem::{Place, Report};
use super::{calendar, driver, files, identity, policy, resources, rules, service, volume};
use crate::group::Group;
use crate::task::{Action, Hook, Task};

/// One task: `task` as written, `merged` in canonical form.
pub(super) fn task(
    report: &mut Report,
    [group_place, place]: [&Place; 2],
    group: &Group,
    task: &Task,
    merged: &Task,
) {
    name(report, &place.key("name"), "task", &task.name);
    if task.name == "alloc" {
        report
            .error(&place.key("name"), "`alloc` is the directory that all tasks share")
            .hint("use another name");
    }
    driver::driver(report, place, task);
    not_negative(report, &place.key("killTimeout"), Some(task.kill_timeout));
    not_negative(report, &place.key("shutdownDelay"), task.shutdown_delay);
    signal(report, &place.key("killSignal"), task.kill_signal.as_deref());
    environment(report, place, task);
    lifecycle(report, place, task);
    rules::constraints(report, place, &task.constraints, false);
    rules::affinities(report, place, &task.affinities);
    resources::resources(report, &place.key("resources"), &task.resources);
    files::artifacts(report, place, task);
    files::templates(report, place, task);
    identity::secrets(report, place, &task.secrets);
    identity::vault(report, &place.key("vault"), task.vault.as_ref());
    identity::identities(report, place, &task.identities);
    volume::mounts(report, [group_place, place], task, group);
    volume::plugin(report, &place.key("csiPlugin"), task.csi_plugin.as_ref());
    service::services(report, [group_place, place], group, [&task.services, &merged.services]);
    if let (Some(_), Some(restart)) = (&task.restart, &merged.restart) {
        let layers = [place.key("restart"), group_place.key("restart")];
        policy::restart(report, &policy::Block { blamed: layers[0].clone(), layers }, restart);
    }
    if let Some(payload) = &task.dispatch_payload {
        calendar::payload(report, &place.key("dispatchPayload"), payload);
    }
    if let Some(schedule) = &task.schedule {
        calendar::schedule(report, &place.key("schedule"), schedule);
    }
    small_blocks(report, place, task);
}

fn environment(report: &mut Report, place: &Place, task: &Task) {
    for (key, value) in &task.env {
        if key.is_empty() || key.contains(['=', '\0']) || value.contains('\0') {
            report.error(&place.key("env").key(key), format!("`{key}` cannot be an environment variable"));
        }
    }
}

fn lifecycle(report: &mut Report, place: &Place, task: &Task) {
    let Some(lifecycle) = &task.lifecycle else { return };
    let place = place.key("lifecycle");
    if lifecycle.hook.is_none() {
        report.error(&place.key("hook"), "the lifecycle has no hook").allow([
            "prestart",
            "poststart",
            "poststop",
        ]);
    }
    if lifecycle.hook == Some(Hook::Poststop) && lifecycle.sidecar {
        report.error(&place.key("sidecar"), "after the main tasks there is nothing to run beside");
    }
}

fn small_blocks(report: &mut Report, place: &Place, task: &Task) {
    let logs = place.key("logs");
    if !task.logs.disabled && (task.logs.max_files == 0 || task.logs.max_file_size == 0) {
        report.error(&logs, "at least one file of 1 MB is needed").hint("or set `disabled`");
    }
    for (place, action) in place.each("actions", &task.actions) {
        let Action { name: own, command, args: _ } = action;
        name(report, &place.key("name"), "action", own);
        required(report, &place.key("command"), "the command of the action", command);
    }
    let actions = place.each("actions", &task.actions);
    unique(report, "action", actions.map(|(place, action)| (place, action.name.as_str())));
    for (place, scaling) in place.each("scalings", &task.scalings) {
        if !matches!(scaling.name.as_str(), "cpu" | "mem") {
            report.unknown(&place.key("name"), "resource", &scaling.name, &["cpu", "mem"]);
        }
        if scaling.max.is_none() {
            report.error(&place.key("max"), "the greatest size is missing");
        } else if scaling.min > scaling.max {
            report.error(&place.key("min"), "it is greater than `max`");
        }
    }
    if let Some(user) =
        task.user.as_deref().filter(|user| user.contains(char::is_whitespace) && !is_interpolated(user))
    {
        report.error(&place.key("user"), format!("`{user}` is not a user"));
    }
    if let ("exec", Some(user)) = (task.driver.as_str(), task.user.as_deref().filter(|user| is_root(user))) {
        let problem = report.warning(&place.key("user"), format!("`{user}` is root"));
        problem.hint("exec refuses to start it, unless the agent's option `user.denylist` says otherwise");
    }
}

/// Whether a user is root, or in its group, on any machine; names that only one machine knows are judged there.
fn is_root(user: &str) -> bool {
    let is_zero = |text: &str| text == "root" || text.parse::<u32>() == Ok(0);
    user.split(':').any(is_zero)
}
