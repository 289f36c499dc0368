//! Deployments: the rollouts of job versions.

use jiff::Timestamp;
use schemars::JsonSchema;
use schemas::deployment::{Deployment, DeploymentStatus};
use schemas::key::Key;
use schemas::meta::{Condition, ObjectMeta};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::versions;
use crate::kind::Kind;
use crate::scene::{Name, Scene, document, job_labels, part};
use crate::table::{AGE, Column, NAME, text};

/// What is rolled out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeploymentSpec {
    /// The job.
    pub job: String,
    /// Its version.
    pub version: u64,
}

/// How a rollout goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeploymentView {
    /// The rollout as it is stored.
    #[serde(flatten)]
    pub rollout: Deployment,
    /// `Progressing` and `Successful`.
    pub conditions: Vec<Condition>,
}

/// The columns of `get deployments`.
pub(crate) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Job", "The job", |rollout, _| text(rollout, "/spec/job")),
    Column::integer("Version", "The version that is rolled out", |rollout, _| text(rollout, "/spec/version")),
    Column::text("Status", "running, successful, failed or cancelled", |rollout, _| {
        text(rollout, "/status/status")
    }),
    Column::integer("Desired", "How many there should be", |rollout, _| sum(rollout, "desired")),
    Column::integer("Placed", "How many have a node", |rollout, _| sum(rollout, "placed")),
    Column::integer("Healthy", "How many are healthy", |rollout, _| sum(rollout, "healthy")),
    Column::integer("Unhealthy", "How many are not and will not be", |rollout, _| sum(rollout, "unhealthy")),
    AGE,
    Column::text("Description", "Why", |rollout, _| text(rollout, "/status/description")).wide(),
];

fn sum(rollout: &Value, what: &str) -> Value {
    let groups = rollout["status"]["groups"].as_object();
    json!(groups.into_iter().flatten().filter_map(|(_, group)| group[what].as_u64()).sum::<u64>())
}

/// The names of all deployments.
pub(crate) fn names(scene: &Scene<'_>, namespace: Option<&str>) -> Vec<Name> {
    let segments: Vec<&str> = ["deployments"].into_iter().chain(namespace).collect();
    let keys = scene.view.deployments.under(&segments).map(|(key, _)| key);
    let mut names: Vec<Name> = keys
        .map(|key| Name::new(key.segment(1), versions::name_of(key.segment(2), key.segment(3))))
        .collect();
    names.sort();
    names
}

/// One deployment.
pub(crate) fn join(scene: &Scene<'_>, name: &Name) -> Option<Value> {
    let (job, version) = versions::parse(&name.name)?;
    let key = Key::deployment(&name.namespace, job, version);
    let stored = scene.view.deployments.stored(&key)?;
    let rollout: &Deployment = &stored.value;
    let metadata = ObjectMeta {
        name: name.name.clone(),
        namespace: name.namespace.clone(),
        labels: job_labels(job),
        uid: Some(scene.uid(&key, stored.created)),
        generation: Some(1),
        resource_version: Some(stored.modified.to_string()),
        creation_timestamp: rollout.created_at,
        owner_references: scene.owner(&name.namespace, job),
        ..ObjectMeta::default()
    };
    let spec = DeploymentSpec { job: job.to_owned(), version };
    let conditions = vec![progressing(rollout, version), successful(rollout, version)];
    let status = DeploymentView { rollout: rollout.clone(), conditions };
    Some(document(Kind::Deployment, &metadata, &[("spec", part(&spec)), ("status", part(&status))]))
}

pub(crate) fn progress(deployment: &Deployment) -> String {
    let (mut healthy, mut desired) = (0, 0);
    for group in deployment.groups.values() {
        healthy += group.healthy;
        desired += group.desired;
    }
    if desired == 0 { "no instance yet".to_owned() } else { format!("{healthy} of {desired} are healthy") }
}

/// Whether a rollout gets on: since it began, or not since it was over without success.
pub(crate) fn progressing(rollout: &Deployment, version: u64) -> Condition {
    let (holds, reason, since) = match rollout.status {
        DeploymentStatus::Running => (true, "RollingOut", rollout.created_at),
        DeploymentStatus::Successful => (true, "RolledOut", rollout.created_at),
        DeploymentStatus::Failed => (false, "RolloutFailed", rollout.updated_at),
        DeploymentStatus::Cancelled => (false, "RolloutCancelled", rollout.updated_at),
    };
    condition("Progressing", if holds { "True" } else { "False" }, (reason, since), (rollout, version))
}

/// Whether a rollout has reached its end: unknown as long as it is under way.
fn successful(rollout: &Deployment, version: u64) -> Condition {
    let (status, since) = match rollout.status {
        DeploymentStatus::Running => ("Unknown", rollout.created_at),
        DeploymentStatus::Successful => ("True", rollout.updated_at),
        DeploymentStatus::Failed | DeploymentStatus::Cancelled => ("False", rollout.updated_at),
    };
    let reason = format!("{:?}", rollout.status);
    condition("Successful", status, (&reason, since), (rollout, version))
}

fn condition(
    kind: &str,
    status: &str,
    (reason, since): (&str, Option<Timestamp>),
    (rollout, version): (&Deployment, u64),
) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: match rollout.description.as_str() {
            "" => format!("version {version} is being rolled out, {}", progress(rollout)),
            told => told.to_owned(),
        },
        last_transition_time: since,
        observed_generation: Some(version),
    }
}
