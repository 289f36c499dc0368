//! What a task asks of its node.

use super::names::required;
use super::problem::{Place, Report};
use super::rules;
use crate::task::{Device, Numa, Resources};

const LEAST_MEMORY_MB: u64 = 10;

/// The `resources` block of a task.
pub(super) fn resources(report: &mut Report, place: &Place, resources: &Resources) {
    let Resources { cpu, cores, memory, memory_max, secrets: _, devices, numa } = resources;
    let has_cores = cores.is_some_and(|cores| cores > 0);
    match cpu {
        Some(_) if has_cores => {
            report
                .error(&place.key("cores"), "`cpu` and `cores` exclude each other")
                .hint("keep one of them");
        }
        Some(0) => {
            report.error(&place.key("cpu"), "a task needs at least 1 MHz");
        }
        Some(_) | None => {}
    }
    if *memory < LEAST_MEMORY_MB {
        report.error(&place.key("memory"), format!("{memory} MB is too little")).hint("use at least 10 MB");
    }
    let is_sound = match memory_max {
        None | Some(-1 | 0) => true,
        Some(most) => u64::try_from(*most).is_ok_and(|most| most >= *memory),
    };
    if !is_sound {
        report
            .error(&place.key("memoryMax"), format!("it must be at least `memory` ({memory} MB)"))
            .depends_on(&place.key("memory"))
            .hint("or -1 for no limit");
    }
    for (place, each) in place.each("devices", devices) {
        device(report, &place, each);
    }
    if let Some(numa) = numa {
        known_devices(report, place, numa, devices);
    }
}

fn device(report: &mut Report, place: &Place, device: &Device) {
    required(report, &place.key("name"), "the name of the device", &device.name);
    let parts: Vec<&str> = device.name.split('/').collect();
    if parts.len() > 3 || (parts.len() > 1 && parts.contains(&"")) {
        report
            .error(&place.key("name"), format!("`{}` is not the name of a device", device.name))
            .hint("write `type`, `vendor/type` or `vendor/type/model`");
    }
    if device.count == 0 {
        report.error(&place.key("count"), "ask for at least one device");
    }
    rules::constraints(report, place, &device.constraints, false);
    rules::affinities(report, place, &device.affinities);
}

fn known_devices(report: &mut Report, place: &Place, numa: &Numa, devices: &[Device]) {
    let known: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    for (numa_place, name) in place.key("numa").each("devices", &numa.devices) {
        if !known.contains(&name.as_str()) {
            report.unknown(&numa_place, "device of the task", name, &known).depends_on(&place.key("devices"));
        }
    }
}
