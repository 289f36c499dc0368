//! Job versions: what a job was to do, version by version.

use schemars::JsonSchema;
use schemas::job::{JobSpec, Submission, VersionTag};
use schemas::key::Key;
use schemas::meta::ObjectMeta;
use schemas::revert::Revert;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::mask;
use crate::scene::{Name, Scene, document, job_labels, part};
use crate::table::{AGE, Column, NAME, text};

/// A version in a job's history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct JobVersionSpec {
    /// The job.
    pub job: String,
    /// The version's number.
    pub version: u64,
    /// Whether it is the job's version now.
    pub current: bool,
    /// A name that keeps the version from being forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<VersionTag>,
    /// Which version it repeats, if somebody went back, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revert: Option<Revert>,
    /// The text it was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<Submission>,
    /// What the job was to do.
    pub template: JobSpec,
}

/// The columns of `get jobversions`.
pub(crate) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Job", "The job", |version, _| text(version, "/spec/job")),
    Column::integer("Version", "The version's number", |version, _| text(version, "/spec/version")),
    Column {
        kind: "boolean",
        ..Column::text("Current", "Whether it is the job's version now", |version, _| {
            text(version, "/spec/current")
        })
    },
    Column::text("Tag", "The name that keeps it", |version, _| text(version, "/spec/tag/name")),
    Column::text("Origin", "Who submitted it, if somebody went back to an earlier version", |version, _| {
        origin(version)
    }),
    AGE,
    Column::text("Why", "Why somebody went back", |version, _| text(version, "/spec/revert/why")).wide(),
];

fn origin(version: &Value) -> Value {
    let revert = &version["spec"]["revert"];
    let Some(by) = revert["by"].as_str() else { return json!("<none>") };
    json!(format!("{by}: back to {} from {}", revert["to"], revert["from"]))
}

/// `<job>-v<number>`
pub(crate) fn name_of(job: &str, version: &str) -> String {
    format!("{job}-v{version}")
}

/// Job and number of a name made by [`name_of`].
pub(crate) fn parse(name: &str) -> Option<(&str, u64)> {
    let (job, number) = name.rsplit_once("-v")?;
    let is_plain = !number.starts_with('0') || number == "0";
    number.parse().ok().filter(|_| is_plain).map(|number| (job, number))
}

/// The names of all versions.
pub(crate) fn names(scene: &Scene<'_>, namespace: Option<&str>) -> Vec<Name> {
    let segments: Vec<&str> = ["versions"].into_iter().chain(namespace).collect();
    let keys = scene.view.versions.under(&segments).map(|(key, _)| key);
    let mut names: Vec<Name> =
        keys.map(|key| Name::new(key.segment(1), name_of(key.segment(2), key.segment(3)))).collect();
    names.sort();
    names
}

/// One version.
pub(crate) fn join(scene: &Scene<'_>, name: &Name) -> Option<Value> {
    let (job, number) = parse(&name.name)?;
    let key = Key::version(&name.namespace, job, number);
    let stored = scene.view.versions.stored(&key)?;
    let version = &stored.value;
    let current = scene.view.jobs.get(&Key::job(&name.namespace, job));
    let metadata = ObjectMeta {
        name: name.name.clone(),
        namespace: name.namespace.clone(),
        labels: job_labels(job),
        uid: Some(scene.uid(&key, stored.created)),
        resource_version: Some(stored.modified.to_string()),
        creation_timestamp: version.created_at,
        owner_references: scene.owner(&name.namespace, job),
        ..ObjectMeta::default()
    };
    let spec = JobVersionSpec {
        job: job.to_owned(),
        version: number,
        current: current.is_some_and(|job| job.version == number),
        tag: version.tag.clone(),
        revert: version.revert.clone(),
        submission: version.submission.as_ref().map(|text| mask::submission(text, &version.spec)),
        template: JobSpec::default(),
    };
    let mut spec = part(&spec);
    spec["template"] = mask::template(&version.spec);
    Some(document(Kind::JobVersion, &metadata, &[("spec", spec)]))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn names_are_read_back() {
        assert_eq!(parse("web-v3"), Some(("web", 3)));
        assert_eq!(parse("web-v2-v10"), Some(("web-v2", 10)));
        assert_eq!(parse("web-v03"), None);
        assert_eq!(parse("web"), None);
    }
}
