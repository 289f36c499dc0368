//! Jobs: what people declared, joined with how far it is.

use std::collections::BTreeMap;

use plan::view::Stored;
use schemars::JsonSchema;
use schemas::deployment::{Deployment, DeploymentStatus};
use schemas::job::Job;
use schemas::key::Key;
use schemas::meta::Condition;
use schemas::revert::Revert;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::counts::{self, Counts};
use super::deployments;
use super::since::{Question, since};
use crate::kind::Kind;
use crate::preview;
use crate::scene::{Name, Scene, document, newest, part, written};
use crate::table::{AGE, Column, NAME, text};
use crate::{job_edit, mask, unreadable};

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct JobStatus {
    /// `pending`, `running` or `dead`; `unreadable` if the stored document cannot be read.
    pub phase: String,
    /// The latest generation that the deployment controller has acted on.
    pub observed_generation: u64,
    /// How many allocations there should be.
    pub replicas: u32,
    /// How many are healthy of how many there should be; for batch jobs how many are complete.
    pub ready: String,
    /// The label selector of the job's allocations.
    pub selector: String,
    /// Over all groups.
    #[serde(flatten)]
    pub counts: Counts,
    /// By group.
    pub groups: BTreeMap<String, Counts>,
    /// The rollout of the current version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Rollout>,
    /// Which version the current one repeats, if somebody went back, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revert: Option<Revert>,
    /// `Available`, `Progressing`, `Placed` and, for batch jobs, `Complete`; `Unreadable` while a document of it
    /// cannot be read.
    pub conditions: Vec<Condition>,
}

/// The rollout of a job's current version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Rollout {
    /// The deployment.
    pub name: String,
    /// The version that it rolls out.
    pub version: u64,
    /// `running`, `successful`, `failed` or `cancelled`.
    pub status: DeploymentStatus,
    /// Why, for people.
    pub description: String,
    /// How many of its instances are healthy, for people.
    pub progress: String,
}

/// The columns of `get jobs`.
pub(crate) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Type", "service, batch, system or sysbatch", |job, _| text(job, "/spec/type")),
    Column::integer("Priority", "Importance when room is short", |job, _| text(job, "/spec/priority")),
    Column::text("Status", "pending, running or dead", |job, _| text(job, "/status/phase")),
    Column::text("Ready", "Healthy of desired allocations; complete of desired for batch jobs", |job, _| {
        text(job, "/status/ready")
    }),
    Column::integer("Version", "The version of the specification", |job, _| {
        text(job, "/metadata/generation")
    }),
    AGE,
    Column::text("Datacenters", "Where it may run", |job, _| join_words(&job["spec"]["datacenters"])).wide(),
    Column::text("Pool", "The node pool it may use", |job, _| text(job, "/spec/nodePool")).wide(),
    Column::text("Message", "What it waits for", |job, _| waits_for(job)).wide(),
];

/// The message of the first condition that does not hold.
fn waits_for(job: &Value) -> Value {
    let conditions = job["status"]["conditions"].as_array();
    let unmet = conditions.and_then(|all| all.iter().find(|condition| condition["status"] == "False"));
    unmet.map_or_else(|| json!("<none>"), |condition| text(condition, "/message"))
}

fn join_words(words: &Value) -> Value {
    let words: Vec<&str> = words.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    json!(words.join(","))
}

/// The names of all jobs.
pub(crate) fn names(scene: &Scene<'_>, namespace: Option<&str>) -> Vec<Name> {
    let namespace: Vec<&str> = ["jobs"].into_iter().chain(namespace).collect();
    let keys = scene.view.jobs.under(&namespace).map(|(key, _)| key);
    let keys = keys.chain(unreadable::keys(scene, &namespace));
    let mut names: Vec<Name> = keys.map(|key| Name::new(key.segment(1), key.segment(2))).collect();
    names.sort();
    names
}

/// A job with its status.
pub(crate) fn join(scene: &Scene<'_>, name: &Name) -> Option<Value> {
    let key = Key::job(&name.namespace, &name.name);
    let Some(stored) = scene.view.jobs.stored(&key) else { return unreadable(scene, name, &key) };
    let job = &stored.value;
    let generation = job.version;
    let deployment = scene.view.deployments.stored(&Key::deployment(&name.namespace, &name.name, generation));
    let halves = newest([Some(stored.modified), written(deployment), newest_half(scene, job)]);
    let mut metadata = job.metadata.clone();
    mask::metadata(&mut metadata);
    metadata.uid = Some(scene.uid(&key, stored.created));
    metadata.generation = Some(job.version);
    metadata.resource_version = Some(halves.to_string());
    let status = status(scene, job, deployment.map(|stored| &stored.value));
    Some(document(Kind::Job, &metadata, &[("spec", mask::shown(job)), ("status", part(&status))]))
}

/// A job that is there and cannot be read: what is known of it, and why it is not known better.
fn unreadable(scene: &Scene<'_>, name: &Name, key: &Key) -> Option<Value> {
    let Stored { value: job, created, modified, version: _ } =
        job_edit::last_known(scene.view, &name.namespace, &name.name)?;
    let mut metadata = job.metadata.clone();
    metadata.uid = Some(scene.uid(key, created));
    metadata.generation = Some(job.version);
    metadata.resource_version = Some(modified.max(newest_half(scene, &job).unwrap_or_default()).to_string());
    let status = JobStatus { phase: "unreadable".to_owned(), ..status(scene, &job, None) };
    let status = JobStatus { conditions: unreadable::of_job(scene, name).into_iter().collect(), ..status };
    Some(document(Kind::Job, &metadata, &[("spec", mask::shown(&job)), ("status", part(&status))]))
}

/// The latest revision among the rosters and placements of a job.
fn newest_half(scene: &Scene<'_>, job: &Job) -> Option<schemas::key::Revision> {
    let (namespace, name) = (job.metadata.namespace.as_str(), job.metadata.name.as_str());
    let rosters = scene.view.rosters.under(&["rosters", namespace, name]).map(|(_, stored)| stored.modified);
    let reference = plan::view::JobRef { namespace: namespace.to_owned(), job: name.to_owned() };
    let placements = scene.view.indexes.placements_of_job(&reference);
    let placements = placements.filter_map(|key| written(scene.view.placements.stored(key)));
    rosters.chain(placements).max()
}

fn status(scene: &Scene<'_>, job: &Job, deployment: Option<&Deployment>) -> JobStatus {
    let groups: BTreeMap<String, Counts> = job
        .spec
        .groups
        .iter()
        .map(|group| (group.name.clone(), counts::of_group(scene.view, job, group)))
        .collect();
    let all = sum(&groups);
    let generation = job.version;
    let version = Key::version(&job.metadata.namespace, &job.metadata.name, generation);
    let is_batch = job.spec.job_type.is_batch();
    let ready = if is_batch { all.complete } else { all.healthy };
    let rollout = deployment.map(|deployment| Rollout {
        name: format!("{}-v{generation}", job.metadata.name),
        version: generation,
        status: deployment.status,
        description: deployment.description.clone(),
        progress: deployments::progress(deployment),
    });
    JobStatus {
        phase: phase(scene, job, &all).to_owned(),
        observed_generation: observed(scene, job),
        replicas: all.desired,
        ready: format!("{ready}/{}", all.desired),
        selector: format!("encamp.dev/job={}", job.metadata.name),
        conditions: conditions(scene, job, &groups, deployment),
        counts: all,
        groups,
        deployment: rollout,
        revert: scene.view.versions.get(&version).and_then(|version| version.revert.clone()),
    }
}

/// The latest version that rosters or deployments know.
fn observed(scene: &Scene<'_>, job: &Job) -> u64 {
    let (namespace, name) = (job.metadata.namespace.as_str(), job.metadata.name.as_str());
    let deployments = scene.view.deployments.under(&["deployments", namespace, name]);
    let deployments = deployments.filter_map(|(key, _)| key.segment(3).parse().ok());
    let rosters = scene.view.rosters.under(&["rosters", namespace, name]).flat_map(|(_, stored)| {
        let roster = &stored.value;
        let every = roster.every_node.as_ref().map(|every| every.default.spec);
        roster.slots.iter().map(|run| run.slot.spec).chain(every)
    });
    let latest = deployments.chain(rosters).max().unwrap_or(0);
    // A job that wants nothing has no rollout: it was acted on once no slot is left.
    if wants_nothing(job) && wanted_slots(scene, job) == 0 { job.version } else { latest }
}

/// Whether nothing of a job is to run: it is stopped, starts runs of it alone, or is scaled to nothing.
fn wants_nothing(job: &Job) -> bool {
    job.spec.stop || job.spec.is_template() || is_scaled_to_nothing(job)
}

/// Whether every group is to have no instance.
fn is_scaled_to_nothing(job: &Job) -> bool {
    job.spec.groups.iter().all(|group| group.count() == 0)
}

/// How many slots of a job should have an allocation, those of per-node groups counted once.
fn wanted_slots(scene: &Scene<'_>, job: &Job) -> usize {
    let rosters = scene.view.rosters.under(&["rosters", &job.metadata.namespace, &job.metadata.name]);
    rosters
        .map(|(_, stored)| {
            let numbered = stored.value.numbered().filter(|(_, slot)| counts::is_wanted(slot)).count();
            numbered + usize::from(stored.value.every_node.is_some())
        })
        .sum()
}

fn phase(scene: &Scene<'_>, job: &Job, counts: &Counts) -> &'static str {
    let is_live = counts::is_live(scene.view, &job.metadata.namespace, &job.metadata.name);
    let is_empty = is_scaled_to_nothing(job) && wanted_slots(scene, job) == 0;
    let is_over = job.spec.stop || job.metadata.deletion_timestamp.is_some() || is_empty;
    let has_ended = counts.desired > 0 && counts.unplaced + counts.pending + counts.running == 0;
    if counts.running > 0 {
        "running"
    } else if !is_live && (is_over || (job.spec.job_type.is_batch() && has_ended)) {
        "dead"
    } else if job.spec.is_template() {
        // It runs nothing itself: it waits for its calendar or a dispatch.
        "running"
    } else {
        "pending"
    }
}

fn conditions(
    scene: &Scene<'_>,
    job: &Job,
    groups: &BTreeMap<String, Counts>,
    deployment: Option<&Deployment>,
) -> Vec<Condition> {
    let counts = sum(groups);
    let condition = |question: Question, holds: bool, reason: &str, message: String| Condition {
        kind: format!("{question:?}"),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: since(scene.view, job, question, holds),
        observed_generation: Some(job.version),
    };
    let mut conditions = Vec::new();
    if job.spec.job_type.is_batch() {
        let (reason, message) = completeness(job, groups, &counts);
        let is_complete = matches!(reason, "Complete" | "ScaledToZero");
        conditions.push(condition(Question::Complete, is_complete, reason, message));
    } else {
        let (reason, message) = availability(job, groups, &counts);
        let is_available = matches!(reason, "Healthy" | "ScaledToZero");
        conditions.push(condition(Question::Available, is_available, reason, message));
    }
    conditions.extend(deployment.map(|deployment| deployments::progressing(deployment, job.version)));
    let (reason, message) = placing(scene, job, groups, &counts);
    let is_placed = matches!(reason, "Placed" | "NothingWanted");
    conditions.push(condition(Question::Placed, is_placed, reason, message));
    conditions.extend(unreadable::of_job(scene, &Name::new(&job.metadata.namespace, &job.metadata.name)));
    conditions
}

/// Whether everything that is wanted has a node: the word for it and a sentence.
fn placing(
    scene: &Scene<'_>,
    job: &Job,
    groups: &BTreeMap<String, Counts>,
    counts: &Counts,
) -> (&'static str, String) {
    let Counts { desired, unplaced, .. } = *counts;
    let why = || if scene.explains { why_unplaced(scene, job, groups) } else { String::new() };
    let without = without_node(job, groups);
    if unplaced > 0 {
        ("Waiting", format!("{unplaced} of {desired} allocations have no node yet{}", why()))
    } else if !without.is_empty() {
        let whose =
            if without.len() == groups.len() { "" } else { &format!(" group {}", without.join(", ")) };
        ("NoNode", format!("no node fits{whose}{}", why()))
    } else if desired == 0 {
        ("NothingWanted", "no instance is wanted".to_owned())
    } else {
        ("Placed", "every allocation has a node".to_owned())
    }
}

/// Whether all of a job that ends has ended well: the word for it and a sentence.
fn completeness(job: &Job, groups: &BTreeMap<String, Counts>, counts: &Counts) -> (&'static str, String) {
    let Counts { desired, complete, failed, .. } = *counts;
    if wants_nothing(job) && desired == 0 {
        let reason = if job.spec.stop || job.spec.is_template() { "Running" } else { "ScaledToZero" };
        return (reason, "no instance is wanted".to_owned());
    }
    let reason = if failed > 0 {
        "Failed"
    } else if !without_node(job, groups).is_empty() {
        "NoNode"
    } else if desired > 0 && complete >= desired {
        "Complete"
    } else {
        "Running"
    };
    (reason, format!("{complete} of {desired} allocations are complete, {failed} failed"))
}

/// Whether enough of a job that goes on for ever is healthy: the word for it and a sentence.
fn availability(job: &Job, groups: &BTreeMap<String, Counts>, counts: &Counts) -> (&'static str, String) {
    let Counts { desired, running, healthy, .. } = *counts;
    let reason = if job.spec.stop {
        "Stopped"
    } else if !without_node(job, groups).is_empty() {
        "NoNode"
    } else if healthy < desired {
        "Unhealthy"
    } else if is_scaled_to_nothing(job) {
        "ScaledToZero"
    } else {
        "Healthy"
    };
    let mut message = match reason {
        "ScaledToZero" => "every group is scaled to 0".to_owned(),
        _ => format!("{} of {desired} allocations are healthy", healthy.min(desired)),
    };
    if running > desired {
        message += &format!(", {} more still run", running - desired);
    }
    (reason, message)
}

/// The groups that want an instance on each node that fits, and have none.
fn without_node<'g>(job: &Job, groups: &'g BTreeMap<String, Counts>) -> Vec<&'g str> {
    let is_wanted = !wants_nothing(job) && job.metadata.deletion_timestamp.is_none();
    if !is_wanted || !job.spec.job_type.is_per_node() {
        return Vec::new();
    }
    let wanted = job.spec.groups.iter().filter(|group| group.count() > 0);
    let without = wanted.filter_map(|group| {
        let (name, counts) = groups.get_key_value(&group.name)?;
        (counts.desired == 0 && counts.complete == 0).then_some(name.as_str())
    });
    without.collect()
}

fn sum(groups: &BTreeMap<String, Counts>) -> Counts {
    groups.values().fold(Counts::default(), |sum, counts| sum.plus(*counts))
}

/// What the scheduler says about the groups that wait.
fn why_unplaced(scene: &Scene<'_>, job: &Job, groups: &BTreeMap<String, Counts>) -> String {
    let name = Name::new(&job.metadata.namespace, &job.metadata.name);
    let without = without_node(job, groups);
    let waiting =
        groups.iter().filter(|(group, counts)| counts.unplaced > 0 || without.contains(&group.as_str()));
    let told = waiting.filter_map(|(group, _)| {
        Some(format!("; {group}: {}", preview::why_not(scene, &name, group, &job.spec)?))
    });
    told.collect()
}

#[cfg(test)]
mod tests;
