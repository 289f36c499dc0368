//! Allocations: a roster slot, its placement and its report, joined. A slot without a placement is pending.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plan::View;
use plan::view::Stored;
use schemars::JsonSchema;
use schemas::key::Key;
use schemas::meta::{Condition, ObjectMeta};
use schemas::node::Amount;
use schemas::placement::{Placement, Wish};
use schemas::report::{AllocationReport, CheckDetails, TaskDetails};
use schemas::roster::{Index, Roster, Slot, SlotState, allocation_name};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::counts::{self, Phase};
use super::since::ended;
use super::unreadable_allocation;
use crate::kind::Kind;
use crate::scene::{Name, Scene, document, job_labels, newest, part, written};
use crate::table::{AGE, Column, NAME, text};
use crate::unreadable;

/// What should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AllocationSpec {
    /// The job.
    pub job: String,
    /// The group.
    pub group: String,
    /// The place in the group: a number, or the node for system jobs.
    pub index: String,
    /// The job version it was made for.
    pub version: u64,
    /// The job version it should run.
    pub spec_version: u64,
    /// 0 for the first allocation of its slot and version, one more for each replacement.
    pub attempt: u32,
    /// The node it is placed on; empty if none yet.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// `run` or `stop`.
    pub desired: String,
    /// Why it should stop, or what it waits for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub desired_description: String,
    /// What it takes of its node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Amount>,
    /// Cores it has for itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cores: Vec<u16>,
    /// Ports it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<AllocatedPort>,
}

/// One port of an allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AllocatedPort {
    /// The port's label.
    pub label: String,
    /// The address at which it is reached.
    pub host_ip: String,
    /// The port on the node.
    pub host_port: u16,
    /// The port inside the allocation, where it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u16>,
}

/// What is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AllocationStatus {
    /// How far it is.
    pub phase: Phase,
    /// Whether it is healthy; absent until decided, and once it does not run any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// How often its tasks were restarted in all.
    #[serde(default)]
    pub restarts: u32,
    /// When it entered the phase, by the node's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// When it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub placed_at: Option<Timestamp>,
    /// Exit code of the task that decided the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it failed or waits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Its tasks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, TaskDetails>,
    /// The last results of its checks, by `<service>/<check>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, CheckDetails>,
    /// `Unreadable` while a document of it cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// The columns of `get allocations`.
pub(crate) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Job", "The job", |allocation, _| text(allocation, "/spec/job")),
    Column::text("Group", "The group", |allocation, _| text(allocation, "/spec/group")),
    Column::text("Node", "Where it runs", |allocation, _| text(allocation, "/spec/node")),
    Column::text("Desired", "run or stop", |allocation, _| text(allocation, "/spec/desired")),
    Column::text("Status", "How far it is", |allocation, _| text(allocation, "/status/phase")),
    Column::text("Healthy", "Whether it is healthy", |allocation, _| {
        match allocation["status"]["healthy"].as_bool() {
            Some(healthy) => json!(healthy.to_string()),
            None => json!("<none>"),
        }
    }),
    Column::integer("Restarts", "How often its tasks were restarted", |allocation, _| {
        text(allocation, "/status/restarts")
    }),
    AGE,
    Column::text("Version", "The job version it should run", |allocation, _| {
        text(allocation, "/spec/specVersion")
    })
    .wide(),
    Column::text("Ports", "Its ports on the node", |allocation, _| ports_cell(allocation)).wide(),
    Column::text("Message", "Why it failed or waits", |allocation, _| {
        match text(allocation, "/status/message") {
            none if none == "<none>" => text(allocation, "/spec/desiredDescription"),
            message => message,
        }
    })
    .wide(),
];

fn ports_cell(allocation: &Value) -> Value {
    let ports = allocation["spec"]["ports"].as_array().into_iter().flatten();
    let ports: Vec<String> = ports
        .map(|port| format!("{}:{}", port["label"].as_str().unwrap_or_default(), port["hostPort"]))
        .collect();
    if ports.is_empty() { json!("<none>") } else { json!(ports.join(",")) }
}

/// The names of all allocations: those placed, and the slots that wait for a node.
pub(crate) fn names(scene: &Scene<'_>, namespace: Option<&str>) -> Vec<Name> {
    let placed = scene.view.placements.iter().map(|(key, _)| key);
    let placed = placed.chain(unreadable::keys(scene, &["placements"]));
    let placed = placed.map(|key| Name::new(key.segment(2), key.segment(3)));
    let mut names: BTreeSet<Name> =
        placed.filter(|name| namespace.is_none_or(|namespace| name.namespace == namespace)).collect();
    let segments: Vec<&str> = ["rosters"].into_iter().chain(namespace).collect();
    for (key, stored) in scene.view.rosters.under(&segments) {
        names.extend(wanted(key, &stored.value));
    }
    names.into_iter().collect()
}

/// The allocations that the numbered slots of a roster want.
pub(crate) fn wanted(key: &Key, roster: &Roster) -> impl Iterator<Item = Name> {
    roster.numbered().filter(|(_, slot)| counts::is_wanted(slot)).map(|(index, slot)| {
        let index = Index::Number(index);
        let name = allocation_name(key.segment(2), key.segment(3), &index, slot.version, slot.attempt);
        Name::new(key.segment(1), name)
    })
}

/// An allocation.
pub(crate) fn join(scene: &Scene<'_>, name: &Name) -> Option<Value> {
    let view = scene.view;
    let Some(key) = placement_of(scene, name) else { return pending(scene, name) };
    match view.placements.stored(key) {
        Some(stored) => Some(placed(scene, name, key, stored)),
        None => Some(unreadable_allocation::join(scene, name, key)),
    }
}

/// Why an allocation that nothing has told to stop should not run.
fn unwanted_because(slot: Option<&Slot>) -> &'static str {
    match slot.map(|slot| &slot.state) {
        Some(SlotState::Complete) => "its work is done",
        Some(SlotState::Failed) => "it failed, and is not tried again",
        Some(SlotState::Run | SlotState::Wait { .. }) | None => "it is no longer wanted",
    }
}

fn placed(scene: &Scene<'_>, name: &Name, key: &Key, stored: &Stored<Placement>) -> Value {
    let (view, placement) = (scene.view, &stored.value);
    let node = key.segment(1);
    let roster = view.rosters.stored(&Key::roster(&name.namespace, &placement.job, &placement.group));
    let slot = roster.and_then(|stored| stored.value.slot_at(&placement.index));
    let is_current = counts::is_current(roster.map(|stored| &stored.value), placement);
    let (desired, why) = match &placement.wish {
        Wish::Stop { reason, .. } => ("stop", reason.clone()),
        Wish::Run if is_current && slot.is_some_and(counts::is_wanted) => ("run", String::new()),
        Wish::Run => ("stop", unwanted_because(slot.filter(|_| is_current)).to_owned()),
    };
    let host_ip = view.fingerprints.get(&Key::fingerprint(node)).map(|found| found.host_ip.clone());
    let spec = AllocationSpec {
        job: placement.job.clone(),
        group: placement.group.clone(),
        index: placement.index.to_string(),
        version: placement.version,
        spec_version: placement.spec,
        attempt: placement.attempt,
        node: node.to_owned(),
        desired: desired.to_owned(),
        desired_description: why,
        resources: Some(placement.claim),
        cores: placement.cores.clone(),
        ports: ports(placement, &host_ip.unwrap_or_default()),
    };
    let details = view.details.stored(&Key::details(node, &name.namespace, &name.name));
    let status = AllocationStatus {
        tasks: details.map(|stored| stored.value.tasks.clone()).unwrap_or_default(),
        checks: details.map(|stored| stored.value.checks.clone()).unwrap_or_default(),
        placed_at: Some(placement.placed_at),
        conditions: unreadable::of_allocation(scene, name).into_iter().collect(),
        ..reported(counts::phase(view, key), view.indexes.report(key))
    };
    // The report's own revision is not indexed: the bucket that names it stands for it.
    let reports = view.reports.under(&["reports", node]);
    let told = reports
        .filter(|(_, stored)| {
            stored.value.allocations.contains_key(&format!("{}/{}", name.namespace, name.name))
        })
        .map(|(_, stored)| stored.modified)
        .max();
    let health = written(view.health.stored(&Key::health(node)));
    let halves = newest([Some(stored.modified), written(details), told, health]);
    let metadata = ObjectMeta {
        uid: Some(scene.uid(key, stored.created)),
        resource_version: Some(halves.to_string()),
        creation_timestamp: Some(placement.placed_at),
        ..metadata(scene, name, &spec)
    };
    document(Kind::Allocation, &metadata, &[("spec", part(&spec)), ("status", part(&status))])
}

pub(super) fn metadata(scene: &Scene<'_>, name: &Name, spec: &AllocationSpec) -> ObjectMeta {
    let job = scene.view.jobs.get(&Key::job(&name.namespace, &spec.job));
    let mut labels = job.map(|job| job.metadata.labels.clone()).unwrap_or_default();
    labels.extend(job_labels(&spec.job));
    labels.insert("encamp.dev/group".to_owned(), spec.group.clone());
    labels.insert("encamp.dev/version".to_owned(), spec.version.to_string());
    if !spec.node.is_empty() {
        labels.insert("encamp.dev/node".to_owned(), spec.node.clone());
    }
    ObjectMeta {
        name: name.name.clone(),
        namespace: name.namespace.clone(),
        labels,
        generation: Some(spec.spec_version),
        owner_references: scene.owner(&name.namespace, &spec.job),
        ..ObjectMeta::default()
    }
}

fn ports(placement: &Placement, host_ip: &str) -> Vec<AllocatedPort> {
    let port = |claim: &schemas::placement::PortClaim| AllocatedPort {
        label: claim.label.clone(),
        host_ip: host_ip.to_owned(),
        host_port: claim.host_port,
        to: claim.to,
    };
    placement.ports.iter().map(port).collect()
}

pub(super) fn reported(phase: Phase, report: Option<&AllocationReport>) -> AllocationStatus {
    let report = report.cloned().unwrap_or_default();
    let AllocationReport {
        placed: _,
        state: _,
        healthy,
        spec: _,
        restarts,
        since,
        ran_seconds: _,
        exit_code,
        reason,
        port_taken: _,
        orphan: _,
    } = report;
    AllocationStatus {
        phase,
        // What was well while it ran is no health of what has ended, or of what nobody hears of.
        healthy: healthy.filter(|healthy| !healthy || phase == Phase::Running),
        restarts,
        since,
        placed_at: None,
        exit_code,
        message: reason,
        tasks: BTreeMap::new(),
        checks: BTreeMap::new(),
        conditions: Vec::new(),
    }
}

/// A slot that waits for a node.
fn pending(scene: &Scene<'_>, name: &Name) -> Option<Value> {
    let (key, stored, index, slot) = slot_of(scene, name)?;
    let why = match &slot.state {
        SlotState::Wait { until } => format!("the last attempt failed; the next starts at {until}"),
        SlotState::Run | SlotState::Complete | SlotState::Failed => "it waits for a node".to_owned(),
    };
    let spec = AllocationSpec {
        job: key.segment(2).to_owned(),
        group: key.segment(3).to_owned(),
        index: index.to_string(),
        version: slot.version,
        spec_version: slot.spec,
        attempt: slot.attempt,
        desired: "run".to_owned(),
        desired_description: why,
        ..AllocationSpec::default()
    };
    let status = reported(Phase::Pending, None);
    let metadata = ObjectMeta {
        uid: Some(scene.uid(&Key::placement("-", &name.namespace, &name.name), stored.created)),
        resource_version: Some(stored.modified.to_string()),
        creation_timestamp: wanted_since(scene.view, key, index, slot),
        ..metadata(scene, name, &spec)
    };
    Some(document(Kind::Allocation, &metadata, &[("spec", part(&spec)), ("status", part(&status))]))
}

/// Since when an allocation without a node is wanted: since its version is, or since its predecessor ended.
fn wanted_since(view: &View, roster: &Key, index: u32, slot: &Slot) -> Option<Timestamp> {
    let (namespace, job, group) = (roster.segment(1), roster.segment(2), roster.segment(3));
    let Some(before) = slot.attempt.checked_sub(1) else {
        return view.versions.get(&Key::version(namespace, job, slot.version))?.created_at;
    };
    let predecessor = allocation_name(job, group, &Index::Number(index), slot.version, before);
    let placed = view.indexes.placements_of_allocation(namespace, &predecessor);
    placed.filter_map(|key| ended(view, key)).max()
}

/// The wanted slot that an allocation's name speaks of.
fn slot_of<'a>(scene: &Scene<'a>, name: &Name) -> Option<(&'a Key, &'a Stored<Roster>, u32, &'a Slot)> {
    let dots = name.name.match_indices('.').map(|(at, _)| at);
    dots.flat_map(|at| scene.view.rosters.under(&["rosters", &name.namespace, &name.name[..at]])).find_map(
        |(key, stored)| {
            let rest = name.name.strip_prefix(key.segment(2))?.strip_prefix('.')?;
            let rest = rest.strip_prefix(key.segment(3))?.strip_prefix('.')?;
            let index: u32 = rest.split_once("-v")?.0.parse().ok()?;
            let slot = stored.value.slot(index).filter(|slot| counts::is_wanted(slot))?;
            let place = Index::Number(index);
            let its = allocation_name(key.segment(2), key.segment(3), &place, slot.version, slot.attempt);
            (its == name.name).then_some((key, stored, index, slot))
        },
    )
}

/// Whether there is such an allocation.
pub(crate) fn exists(scene: &Scene<'_>, name: &Name) -> bool {
    let mut placements = scene.view.indexes.placements_of_allocation(&name.namespace, &name.name);
    placements.next().is_some() || slot_of(scene, name).is_some()
}

/// The node of an allocation and the tasks of its group, if it is placed.
pub(crate) fn place(scene: &Scene<'_>, name: &Name) -> Option<(String, Vec<String>)> {
    let view = scene.view;
    let key = placement_of(scene, name)?;
    let placement = view.placements.get(key)?;
    let version = view.versions.get(&Key::version(&name.namespace, &placement.job, placement.spec));
    let group = version.and_then(|version| version.spec.group(&placement.group));
    let tasks = group.into_iter().flat_map(|group| group.tasks.iter().map(|task| task.name.clone()));
    Some((key.segment(1).to_owned(), tasks.collect()))
}

/// The placement of an allocation. A doubled one is a fault; the one that is not gone is the one to look at.
fn placement_of<'a>(scene: &Scene<'a>, name: &Name) -> Option<&'a Key> {
    let indexes = &scene.view.indexes;
    let keys: Vec<&Key> = indexes.placements_of_allocation(&name.namespace, &name.name).collect();
    keys.iter().find(|key| !indexes.is_gone(key)).or(keys.first()).copied()
}

/// The identity of an allocation.
pub(crate) fn uid(scene: &Scene<'_>, name: &Name) -> Option<String> {
    if let Some(key) = placement_of(scene, name) {
        return Some(scene.uid(key, scene.view.counters(key)?.created));
    }
    let (_, stored, _, _) = slot_of(scene, name)?;
    Some(scene.uid(&Key::placement("-", &name.namespace, &name.name), stored.created))
}
