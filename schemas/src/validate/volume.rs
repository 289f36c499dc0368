//! Volumes of a group, and where its tasks mount them.

use super::names::{name, required, unique};
use super::problem::{Place, Report};
use crate::group::{Group, Volume};
use crate::task::{CsiPlugin, Task};
use crate::volume::{AccessMode, VolumeType};

/// All volumes of a group.
pub(super) fn volumes(report: &mut Report, place: &Place, group: &Group, is_per_node: bool) {
    for (place, volume) in place.each("volumes", &group.volumes) {
        name(report, &place.key("name"), "volume", &volume.name);
        required(report, &place.key("source"), "the source of the volume", &volume.source);
        per_allocation(report, &place, volume, group, is_per_node);
        let before = report.problems.len();
        match volume.volume_type {
            VolumeType::Host => host_volume(report, &place, volume),
            VolumeType::Csi => plugin_volume(report, &place, volume),
        }
        for problem in &mut report.problems[before..] {
            problem.depends_on(&place.key("type"));
        }
    }
    let names = place.each("volumes", &group.volumes).map(|(place, volume)| (place, volume.name.as_str()));
    unique(report, "volume", names);
}

fn per_allocation(report: &mut Report, place: &Place, volume: &Volume, group: &Group, is_per_node: bool) {
    if !volume.per_alloc {
        return;
    }
    let place = place.key("perAlloc");
    if is_per_node {
        report
            .error(&place, "a system job has no numbered instances, so it cannot have a volume for each")
            .depends_on(&super::group::job_type_place());
    }
    if group.update.is_some_and(|update| update.canary() > 0) {
        report.error(&place, "canaries run beside the old instances and would claim the same volumes");
    }
    if volume.sticky {
        report.error(&place, "`perAlloc` and `sticky` exclude each other");
    }
}

fn host_volume(report: &mut Report, place: &Place, volume: &Volume) {
    if volume.mount_options.is_some() {
        report.error(&place.key("mountOptions"), "mount options are for csi volumes");
    }
    let is_known = match volume.access_mode {
        None
        | Some(
            AccessMode::SingleNodeWriter
            | AccessMode::SingleNodeReaderOnly
            | AccessMode::SingleNodeSingleWriter
            | AccessMode::SingleNodeMultiWriter,
        ) => true,
        Some(
            AccessMode::MultiNodeReaderOnly
            | AccessMode::MultiNodeSingleWriter
            | AccessMode::MultiNodeMultiWriter,
        ) => false,
    };
    if !is_known {
        report.error(&place.key("accessMode"), "a host volume belongs to one node").allow([
            "single-node-writer",
            "single-node-reader-only",
            "single-node-single-writer",
            "single-node-multi-writer",
        ]);
    }
}

fn plugin_volume(report: &mut Report, place: &Place, volume: &Volume) {
    if volume.sticky {
        report.error(&place.key("sticky"), "only host volumes can be sticky");
    }
    if volume.attachment_mode.is_none() {
        report
            .error(&place.key("attachmentMode"), "a csi volume needs it")
            .allow(["file-system", "block-device"]);
    }
    let allowed = [
        "single-node-reader-only",
        "single-node-writer",
        "multi-node-reader-only",
        "multi-node-single-writer",
        "multi-node-multi-writer",
    ];
    match volume.access_mode {
        None => {
            report.error(&place.key("accessMode"), "a csi volume needs it").allow(allowed);
        }
        Some(AccessMode::SingleNodeSingleWriter | AccessMode::SingleNodeMultiWriter) => {
            report.error(&place.key("accessMode"), "csi volumes do not have this mode").allow(allowed);
        }
        Some(
            AccessMode::SingleNodeReaderOnly
            | AccessMode::SingleNodeWriter
            | AccessMode::MultiNodeReaderOnly
            | AccessMode::MultiNodeSingleWriter
            | AccessMode::MultiNodeMultiWriter,
        ) => {}
    }
}

/// Where a task mounts its group's volumes.
pub(super) fn mounts(report: &mut Report, [group_place, place]: [&Place; 2], task: &Task, group: &Group) {
    let known: Vec<&str> = group.volumes.iter().map(|volume| volume.name.as_str()).collect();
    for (place, mount) in place.each("volumeMounts", &task.volume_mounts) {
        if !known.contains(&mount.volume.as_str()) {
            report
                .unknown(&place.key("volume"), "volume of the group", &mount.volume, &known)
                .depends_on(&group_place.key("volumes"));
        }
        required(report, &place.key("destination"), "the destination of the mount", &mount.destination);
        if let Some(label) = mount.selinux_label.as_deref().filter(|label| !matches!(*label, "z" | "Z")) {
            report.error(&place.key("selinuxLabel"), format!("unknown label `{label}`")).allow(["z", "Z"]);
        }
    }
}

/// A task that serves volumes.
pub(super) fn plugin(report: &mut Report, place: &Place, plugin: Option<&CsiPlugin>) {
    let Some(plugin) = plugin else { return };
    name(report, &place.key("id"), "plugin", &plugin.id);
    super::names::not_negative(report, &place.key("healthTimeout"), Some(plugin.health_timeout));
    for (key, path) in
        [("mountDir", &plugin.mount_dir), ("stagePublishBaseDir", &plugin.stage_publish_base_dir)]
    {
        if !path.starts_with('/') {
            report.error(&place.key(key), format!("`{path}` is not an absolute path"));
        }
    }
}
