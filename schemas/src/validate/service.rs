//! Services and their checks.

use super::identity::identity;
use super::names::{at_least, is_interpolated, is_name, not_negative, required, unique};
use super::problem::{Place, Report};
use crate::connect::Connect;
use crate::duration::Duration;
use crate::group::Group;
use crate::service::{AddressMode, Check, CheckRestart, CheckType, Provider, Service};

/// The services of a group or of one of its tasks: first as written, then in canonical form.
pub(super) fn services(
    report: &mut Report,
    [group_place, place]: [&Place; 2],
    group: &Group,
    [services, merged]: [&[Service]; 2],
) {
    for ((service_place, each), merged) in place.each("services", services).zip(merged) {
        let (name_place, name) = (service_place.key("name"), merged.name.as_deref().unwrap_or_default());
        match each.name {
            Some(_) => service_name(report, &name_place, name),
            None => made_name(report, [&name_place, group_place, place], name),
        }
        service(report, [group_place, &service_place], group, each);
    }
}

/// All services of a group, its tasks' included, are registered in one catalog.
pub(super) fn one_provider(report: &mut Report, place: &Place, group: &Group) {
    let of_tasks = group.tasks.iter().flat_map(|task| &task.services);
    let mut providers = group.services.iter().chain(of_tasks).map(|service| service.provider);
    let Some(first) = providers.next() else { return };
    if providers.any(|provider| provider != first) {
        report
            .error(&place.key("services"), "the services of a group have different providers")
            .depends_on(&place.key("tasks"))
            .hint("use one of them");
    }
}

fn service(report: &mut Report, [group_place, place]: [&Place; 2], group: &Group, service: &Service) {
    if service.address_mode != AddressMode::Driver {
        port(report, [group_place, &place.key("port")], group, service.port.as_deref());
    }
    known_task(report, [group_place, &place.key("task")], group, service.task.as_deref());
    if let Some(block) = &service.identity {
        identity(report, &place.key("identity"), block);
    }
    check_restart(report, &place.key("checkRestart"), service.check_restart.as_ref());
    let service_place = place;
    for (place, each) in place.each("checks", &service.checks) {
        check(report, [group_place, service_place, &place], group, service, each);
    }
    let named = place.each("checks", &service.checks);
    unique(report, "check", named.map(|(place, check)| (place, check.name.as_deref().unwrap_or(""))));
    if let Some(block) = &service.connect {
        connect(report, [place, &place.key("connect")], service, block);
    }
}

/// The name that a service has which says none: those of its job, group and task. What cannot be a name of those
/// is told there.
fn made_name(report: &mut Report, [place, group_place, task_place]: [&Place; 3], name: &str) {
    if !is_name(name) {
        return;
    }
    let before = report.problems.len();
    service_name(report, place, name);
    for problem in &mut report.problems[before..] {
        for outer in [&Place::new("/metadata"), group_place, task_place] {
            problem.depends_on(&outer.key("name"));
        }
    }
}

/// Names are parts of DNS names (RFC 1123).
fn service_name(report: &mut Report, place: &Place, name: &str) {
    if is_interpolated(name) {
        return;
    }
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let is_sound = (1..=63).contains(&name.len())
        && name.chars().all(is_letter)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !is_sound {
        report
            .error(place, format!("`{name}` cannot name a service"))
            .hint("use at most 63 letters, digits and `-`, with a letter or digit at both ends");
    }
}

/// A port is a label of the group's network or a number.
fn port(report: &mut Report, [group_place, place]: [&Place; 2], group: &Group, port: Option<&str>) {
    let Some(port) = port.filter(|port| !port.is_empty() && !is_interpolated(port)) else { return };
    if port.bytes().all(|byte| byte.is_ascii_digit()) {
        if !port.parse::<u16>().is_ok_and(|number| number > 0) {
            report.error(place, format!("{port} is not a port")).hint("use 1 to 65535");
        }
        return;
    }
    let labels: Vec<&str> =
        group.networks.iter().flat_map(|network| &network.ports).map(|port| port.label.as_str()).collect();
    if !labels.contains(&port) {
        report
            .unknown(place, "port of the group's network", port, &labels)
            .depends_on(&group_place.key("networks"));
    }
}

fn known_task(report: &mut Report, [group_place, place]: [&Place; 2], group: &Group, task: Option<&str>) {
    let Some(task) = task else { return };
    if group.task(task).is_none() {
        let known: Vec<&str> = group.tasks.iter().map(|task| task.name.as_str()).collect();
        let problem = report.unknown(place, "task of the group", task, &known);
        problem.depends_on(&group_place.key("tasks").key("-"));
        for (place, _) in group_place.each("tasks", &group.tasks) {
            problem.depends_on(&place.key("name"));
        }
    }
}

/// Where a check stands: its group, its service, itself.
type Places<'p> = [&'p Place; 3];

fn check(report: &mut Report, places: Places<'_>, group: &Group, service: &Service, check: &Check) {
    let [group_place, service_place, place] = places;
    for (key, span) in [("interval", check.interval), ("timeout", check.timeout)] {
        match span {
            None => {
                report.error(&place.key(key), format!("the check has no `{key}`")).hint("such as `10s`");
            }
            Some(span) => at_least(report, &place.key(key), span, Duration::from_seconds(1)),
        }
    }
    known_task(report, [group_place, &place.key("task")], group, check.task.as_deref());
    check_restart(report, &place.key("checkRestart"), check.check_restart.as_ref());
    if check.address_mode != Some(AddressMode::Driver) {
        port(report, [group_place, &place.key("port")], group, check.port.as_deref());
    }
    if let Some(status) = check.initial_status.as_deref() {
        let allowed = ["critical", "warning", "passing"];
        if !allowed.contains(&status) {
            report.unknown(&place.key("initialStatus"), "status", status, &allowed);
        }
    }
    let Some(check_type) = check.check_type else {
        report.error(&place.key("type"), "the check has no `type`").allow(["http", "tcp", "grpc", "script"]);
        return;
    };
    let needs_port = match check_type {
        CheckType::Http | CheckType::Tcp | CheckType::Grpc => true,
        CheckType::Script => false,
    };
    if needs_port && check.port.is_none() && service.port.is_none() {
        report
            .error(&place.key("port"), "neither the check nor its service has a port")
            .depends_on(&service_place.key("port"));
    }
    match check_type {
        CheckType::Http => http_check(report, place, check),
        CheckType::Script => script_check(report, places, group, service, check),
        CheckType::Tcp | CheckType::Grpc => {}
    }
}

fn http_check(report: &mut Report, place: &Place, check: &Check) {
    let path = check.path.as_deref().unwrap_or("");
    required(report, &place.key("path"), "the path of the http check", path);
    if path.contains("://") {
        report
            .error(&place.key("path"), "this is a whole address")
            .hint("give the path alone, such as `/health`");
    }
    if let Some(protocol) =
        check.protocol.as_deref().filter(|protocol| !matches!(*protocol, "http" | "https"))
    {
        report.unknown(&place.key("protocol"), "protocol", protocol, &["http", "https"]);
    }
}

fn script_check(report: &mut Report, places: Places<'_>, group: &Group, service: &Service, check: &Check) {
    let [_, service_place, place] = places;
    required(
        report,
        &place.key("command"),
        "the command of the script check",
        check.command.as_deref().unwrap_or(""),
    );
    let is_group_service = group.services.contains(service);
    if is_group_service && check.task.is_none() && service.task.is_none() {
        report
            .error(&place.key("task"), "a script check of a group's service must say in which task it runs")
            .depends_on(&service_place.key("task"));
    }
}

fn check_restart(report: &mut Report, place: &Place, check_restart: Option<&CheckRestart>) {
    if let Some(block) = check_restart {
        not_negative(report, &place.key("grace"), Some(block.grace));
    }
}

fn connect(report: &mut Report, [service_place, place]: [&Place; 2], service: &Service, connect: &Connect) {
    if service.provider == Provider::Nomad {
        report
            .error(place, "the mesh is Consul's")
            .hint("use provider `consul`")
            .depends_on(&service_place.key("provider"));
    }
    let kinds = [connect.native, connect.sidecar_service.is_some(), connect.gateway.is_some()];
    if kinds.into_iter().filter(|kind| *kind).count() != 1 {
        report.error(place, "give exactly one of `native`, `sidecarService` and `gateway`");
    }
}
