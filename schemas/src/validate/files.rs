//! Artifacts and templates.

use super::names::{is_interpolated, not_negative, required, signal};
use super::problem::{Place, Report};
use crate::task::{Artifact, ChangeMode, Task, Template};

/// All artifacts of a task.
pub(super) fn artifacts(report: &mut Report, place: &Place, task: &Task) {
    for (place, artifact) in place.each("artifacts", &task.artifacts) {
        let Artifact { source, destination, mode: _, options: _, headers: _, insecure: _, chown: _ } =
            artifact;
        required(report, &place.key("source"), "the source of the artifact", source);
        inside(report, &place.key("destination"), destination);
    }
}

/// All templates of a task.
pub(super) fn templates(report: &mut Report, place: &Place, task: &Task) {
    for (place, each) in place.each("templates", &task.templates) {
        template(report, &place, each);
    }
}

fn template(report: &mut Report, place: &Place, template: &Template) {
    match (&template.data, &template.source) {
        (Some(_), Some(_)) => {
            report.error(place, "the template has `data` as well as `source`").hint("keep one of them");
        }
        (None, None) => {
            report
                .error(place, "the template has no text")
                .hint("give `data` (the text) or `source` (a file)");
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    required(report, &place.key("destination"), "the destination of the template", &template.destination);
    inside(report, &place.key("destination"), &template.destination);
    change(report, place, template);
    let is_mode = !template.perms.is_empty()
        && u32::from_str_radix(&template.perms, 8).is_ok_and(|mode| mode <= 0o7777);
    if !is_mode {
        report
            .error(&place.key("perms"), format!("`{}` is not a file mode", template.perms))
            .hint("such as `0644`");
    }
    not_negative(report, &place.key("splay"), Some(template.splay));
    if template.left_delimiter.is_empty() || template.right_delimiter.is_empty() {
        report.error(place, "a delimiter is empty").hint("the usual ones are `{{` and `}}`");
    }
    if let Some(wait) = &template.wait {
        not_negative(report, &place.key("wait").key("min"), wait.min);
        if wait.max.is_some() && wait.min > wait.max {
            report.error(&place.key("wait"), "`min` is longer than `max`");
        }
    }
}

fn change(report: &mut Report, place: &Place, template: &Template) {
    signal(report, &place.key("changeSignal"), template.change_signal.as_deref());
    let has_script = template.change_script.is_some();
    match template.change_mode {
        ChangeMode::Script if !has_script => {
            report
                .error(&place.key("changeScript"), "change mode `script` needs a `changeScript`")
                .depends_on(&place.key("changeMode"));
        }
        ChangeMode::Noop | ChangeMode::Restart | ChangeMode::Signal if has_script => {
            report
                .error(&place.key("changeScript"), "a `changeScript` needs change mode `script`")
                .depends_on(&place.key("changeMode"));
        }
        ChangeMode::Noop | ChangeMode::Restart | ChangeMode::Signal | ChangeMode::Script => {}
    }
    if let Some(script) = &template.change_script {
        let place = place.key("changeScript");
        required(report, &place.key("command"), "the command of the script", &script.command);
        not_negative(report, &place.key("timeout"), Some(script.timeout));
    }
}

/// A path that must stay inside the allocation. A leading `/` means the task's own root.
pub(super) fn inside(report: &mut Report, place: &Place, path: &str) {
    if is_interpolated(path) {
        return;
    }
    let mut depth: i64 = 0;
    for part in path.split('/') {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        // One step up is the directory that all tasks of the allocation share.
        if depth < -1 {
            report.error(place, format!("`{path}` leaves the allocation's directory"));
            return;
        }
    }
}
