//! Going back to an earlier version: a new version that repeats it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::job::{Job, Version};
use crate::meta::ManagedFields;
use crate::text::sparse_spec;

/// The part of a set of owned fields that is about the spec.
const OF_SPEC: &str = "f:spec";

/// Why a version repeats an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Revert {
    /// The version that it repeats.
    pub to: u64,
    /// The version that was left.
    pub from: u64,
    /// Who went back: a controller, or the tool of a user.
    pub by: String,
    /// Why, for people.
    pub why: String,
}

/// A job as it is after going back, and the version that says so.
///
/// The spec and the owners of its fields are those of the earlier version; name, labels and annotations stay. So who
/// applies a file next has the same say over the fields as if the earlier version had been applied again.
pub fn revert(job: &Job, earlier: &Version, revert: Revert, now: Timestamp) -> (Job, Version) {
    let mut next = job.clone();
    next.spec = earlier.spec.clone();
    next.written = Some(sparse_spec(&earlier.spec));
    next.version = job.version + 1;
    // An older server did not keep them: they stay as they are.
    if !earlier.managed_fields.is_empty() {
        next.metadata.managed_fields = owners(&job.metadata.managed_fields, &earlier.managed_fields);
    }
    let version = Version {
        number: next.version,
        spec: next.spec.clone(),
        created_at: Some(now),
        submission: earlier.submission.clone(),
        tag: None,
        revert: Some(revert),
        managed_fields: next.metadata.managed_fields.clone(),
    };
    (next, version)
}

/// The owners of the metadata as they are now, and those of the spec as they were.
fn owners(now: &[ManagedFields], then: &[ManagedFields]) -> Vec<ManagedFields> {
    let without_spec = now.iter().filter_map(|owner| {
        let mut owner = owner.clone();
        owner.fields_v1.as_object_mut()?.shift_remove(OF_SPEC);
        (owner.fields_v1 != Value::Object(Map::new())).then_some(owner)
    });
    let mut owners: Vec<ManagedFields> = without_spec.collect();
    for old in then {
        let Some(of_spec) = old.fields_v1.get(OF_SPEC) else { continue };
        let is_same = |owner: &&mut ManagedFields| {
            let name = |owner: &ManagedFields| {
                (owner.manager.clone(), owner.operation.clone(), owner.subresource.clone())
            };
            name(owner) == name(old)
        };
        if let Some(owner) = owners.iter_mut().find(is_same) {
            owner.fields_v1[OF_SPEC] = of_spec.clone();
        } else {
            let fields_v1 = Value::Object(Map::from_iter([(OF_SPEC.to_owned(), of_spec.clone())]));
            owners.push(ManagedFields { fields_v1, ..old.clone() });
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::codec::{decode, encode};
    use crate::group::Group;
    use crate::job::JobSpec;

    fn owner(manager: &str, fields: Value) -> ManagedFields {
        ManagedFields { manager: manager.to_owned(), fields_v1: fields, ..ManagedFields::default() }
    }

    #[test]
    fn the_spec_and_its_owners_are_those_of_then_and_the_rest_is_as_it_is() {
        let group = |count| Group { name: "api".to_owned(), count: Some(count), ..Group::default() };
        let spec = |count| JobSpec { groups: vec![group(count)], ..JobSpec::default() }.canonicalize("web");
        let mut job = Job { spec: spec(9), version: 4, ..Job::default() };
        "web".clone_into(&mut job.metadata.name);
        job.metadata.managed_fields = vec![
            owner("ann", json!({"f:metadata": {"f:labels": {}}, "f:spec": {"f:new": {}}})),
            owner("tom", json!({"f:spec": {"f:priority": {}}})),
        ];
        let then = vec![owner("ann", json!({"f:metadata": {"f:old": {}}, "f:spec": {"f:stop": {}}}))];
        let earlier =
            Version { number: 2, spec: spec(3), managed_fields: then.clone(), ..Version::default() };
        let said = Revert { to: 2, from: 4, by: "ann".to_owned(), why: "it was better".to_owned() };
        let (next, version) = revert(&job, &earlier, said.clone(), Timestamp::UNIX_EPOCH);
        assert_eq!((next.version, &next.spec), (5, &spec(3)));
        assert_eq!((version.number, version.revert), (5, Some(said)));
        let expected = vec![owner("ann", json!({"f:metadata": {"f:labels": {}}, "f:spec": {"f:stop": {}}}))];
        assert_eq!(next.metadata.managed_fields, expected);
        // What is stored says no more than its author would, and means the same.
        let stored: Job = decode(&encode(&next)).unwrap();
        assert_eq!(stored.spec, next.spec);
        assert_eq!(stored.as_written(), sparse_spec(&next.spec));
        // Of an earlier version that does not tell the owners stay.
        let silent = Version { managed_fields: Vec::new(), ..earlier };
        let (next, _) = revert(&job, &silent, Revert::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(next.metadata.managed_fields, job.metadata.managed_fields);
    }
}
