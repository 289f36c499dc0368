//! A job: what people declare. Groups of tasks, how many of each, where they may run and how they change.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::codec::Document;
use crate::group::Group;
use crate::identity::{Secret, Vault};
use crate::meta::{ManagedFields, ObjectMeta};
use crate::multiregion::Multiregion;
use crate::periodic::{Parameterized, Periodic};
use crate::placement_rules::{Affinity, Constraint, Spread};
use crate::policy::Reschedule;
use crate::revert::Revert;
use crate::rollout::{Migrate, Update};
use crate::task::Task;
use crate::unknown::{self, Wrong};

// What is stored and shown as `spec` is what its author wrote; the defaults are filled in on reading. So a later
// change of an outer block reaches the groups that say nothing of their own, whoever applies the same again
// changes nothing, and a field that only a newer server knows survives an older one.
/// A job: its name and what it is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "camelCase", default)]
pub struct Job {
    /// Name, namespace, labels.
    pub metadata: ObjectMeta,
    // In canonical form.
    /// What it is to do.
    pub spec: JobSpec,
    /// What it is to do, in its author's words; nothing if these are the same.
    #[schemars(skip)]
    pub written: Option<Value>,
    /// Which version of its history this is; the first is 1. Counted up by the API with every change of `spec`.
    pub version: u64,
}
impl Document for Job {}

/// A job's bytes.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StoredJob {
    metadata: ObjectMeta,
    spec: Value,
    version: u64,
}

impl Job {
    /// What it is to do, in its author's words.
    pub fn as_written(&self) -> Value {
        self.written.clone().unwrap_or_else(|| spelled(&self.spec))
    }
}

fn spelled(spec: &JobSpec) -> Value {
    serde_json::to_value(spec).expect("a job has string keys only")
}

/// What an author's words mean.
fn understood(written: Value, name: &str) -> Result<JobSpec, Wrong> {
    let given = if written.is_null() { Value::Object(Map::new()) } else { written };
    unknown::read_stored::<JobSpec>(given).map(|spec| spec.canonicalize(name))
}

impl Serialize for Job {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Job { metadata, spec, written, version } = self;
        // Words that do not say any more what the job is to do are not kept.
        let is_said =
            |written: &&Value| understood((*written).clone(), &metadata.name).is_ok_and(|said| said == *spec);
        let written = written.as_ref().filter(is_said).cloned().unwrap_or_else(|| spelled(spec));
        StoredJob { metadata: metadata.clone(), spec: written, version: *version }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Job {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Job, D::Error> {
        let StoredJob { metadata, spec: written, version } = StoredJob::deserialize(deserializer)?;
        let spec = understood(written.clone(), &metadata.name)
            .map_err(|Wrong { path, message }| D::Error::custom(format!("spec.{path}: {message}")))?;
        Ok(Job { metadata, spec, written: Some(written), version })
    }
}

/// One version of a job in its history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Version {
    /// The version's number; allocation names carry it.
    pub number: u64,
    /// What the job was to do.
    pub spec: JobSpec,
    /// When it was submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub created_at: Option<Timestamp>,
    /// The text it was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<Submission>,
    /// A name that keeps the version from being forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<VersionTag>,
    /// Why it repeats an earlier one, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revert: Option<Revert>,
    /// Who owned which field of the job while it was the version: whoever goes back to it gives them back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_fields: Vec<ManagedFields>,
}
impl Document for Version {}

/// The text that a version was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Submission {
    /// `hcl`, `yaml` or `json`.
    pub format: String,
    /// The text.
    pub text: String,
    /// The values of its variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// A name for a version that should be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct VersionTag {
    /// The name, unique in the job.
    pub name: String,
    /// Why it is kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// What a job is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct JobSpec {
    /// `service` (runs until stopped), `batch` (runs until done), `system` (on every node) or `sysbatch` (once on
    /// every node). Default: `service`.
    #[serde(rename = "type")]
    pub job_type: JobType,
    /// The region it runs in. Default: `global`.
    pub region: String,
    /// The datacenters whose nodes it may use; `*` and `?` are wildcards. Default: `["*"]`.
    pub datacenters: Vec<String>,
    /// The node pool it may use; `all` is every pool. Default: `default`.
    pub node_pool: String,
    /// How important it is when room is short, 1 to 100. Default: 50.
    pub priority: u32,
    /// Whether either all instances are placed or none. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all_at_once: bool,
    /// Conditions that a node must meet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Preferences for nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affinities: Vec<Affinity>,
    /// How instances are distributed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spreads: Vec<Spread>,
    /// The groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// How new versions replace old ones, for every group without its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// How instances leave a node that is drained, for every group without its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrate: Option<Migrate>,
    /// How often failed instances are placed again, for every group without its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reschedule: Option<Reschedule>,
    /// Starts runs by calendar (batch and sysbatch jobs).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periodic: Option<Periodic>,
    /// Starts runs on demand, with arguments (batch and sysbatch jobs).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameterized: Option<Parameterized>,
    /// Runs the job in several regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiregion: Option<Multiregion>,
    /// Keys and values for all tasks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// A Vault token for every task without its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<Vault>,
    /// Secrets for every task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// What people see about the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ui: Option<Ui>,
    /// Whether the job is stopped: it stays known but runs nothing. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stop: bool,
}

impl Default for JobSpec {
    fn default() -> Self {
        JobSpec {
            job_type: JobType::Service,
            region: "global".to_owned(),
            datacenters: vec!["*".to_owned()],
            node_pool: "default".to_owned(),
            priority: 50,
            all_at_once: false,
            constraints: Vec::new(),
            affinities: Vec::new(),
            spreads: Vec::new(),
            groups: Vec::new(),
            update: None,
            migrate: None,
            reschedule: None,
            periodic: None,
            parameterized: None,
            multiregion: None,
            meta: BTreeMap::new(),
            vault: None,
            secrets: Vec::new(),
            ui: None,
            stop: false,
        }
    }
}

impl JobSpec {
    /// The group of that name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The meta that a task sees: the job's, under the group's, under its own.
    pub fn meta_of(&self, group: &Group, task: &Task) -> BTreeMap<String, String> {
        let mut meta = self.meta.clone();
        meta.extend(group.meta.clone());
        meta.extend(task.meta.clone());
        meta
    }

    /// Whether the job itself runs nothing but starts runs of it: by calendar or on demand.
    pub fn is_template(&self) -> bool {
        self.periodic.is_some() || self.parameterized.is_some()
    }
}

/// How long a job runs and on how many nodes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum JobType {
    /// Runs until stopped.
    #[default]
    Service,
    /// Runs until done.
    Batch,
    /// Runs until stopped, one instance on every node that fits.
    System,
    /// Runs until done, one instance on every node that fits.
    Sysbatch,
}

impl JobType {
    /// The spelling in job files.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobType::Service => "service",
            JobType::Batch => "batch",
            JobType::System => "system",
            JobType::Sysbatch => "sysbatch",
        }
    }

    /// Whether instances end by themselves.
    pub const fn is_batch(self) -> bool {
        matches!(self, JobType::Batch | JobType::Sysbatch)
    }

    /// Whether one instance runs on every node that fits.
    pub const fn is_per_node(self) -> bool {
        matches!(self, JobType::System | JobType::Sysbatch)
    }
}

impl fmt::Display for JobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What people see about a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Ui {
    /// A description in Markdown, at most 1000 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Links to dashboards and the like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// A link that people see beside a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Link {
    /// The text.
    pub label: String,
    /// The address.
    pub url: String,
}
