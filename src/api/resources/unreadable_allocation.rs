//! Allocations whose placement is there and cannot be read: shown by what their names and their reports say.

use schemas::key::Key;
use schemas::meta::ObjectMeta;
use schemas::roster::{Named, readings_of_name};
use serde_json::Value;

use super::allocations::{AllocationSpec, AllocationStatus, metadata, reported};
use super::counts;
use crate::kind::Kind;
use crate::scene::{Name, Scene, document, part};
use crate::unreadable;

/// An allocation whose placement cannot be read: what its name and its report say.
pub(super) fn join(scene: &Scene<'_>, name: &Name, key: &Key) -> Value {
    let (view, counters) = (scene.view, scene.view.counters(key).unwrap_or_default());
    let readings = readings_of_name(&name.name);
    let has_job = |job: &str| view.jobs.get(&Key::job(&name.namespace, job)).is_some();
    let named = readings.iter().find(|named| has_job(named.job)).or(readings.first());
    let mut spec = AllocationSpec { node: key.segment(1).to_owned(), ..AllocationSpec::default() };
    "run".clone_into(&mut spec.desired);
    if let Some(Named { job, group, index, version, attempt }) = named {
        spec = AllocationSpec {
            job: (*job).to_owned(),
            group: (*group).to_owned(),
            index: index.to_string(),
            version: *version,
            spec_version: *version,
            attempt: *attempt,
            ..spec
        };
    }
    let status = AllocationStatus {
        conditions: unreadable::of_allocation(scene, name).into_iter().collect(),
        ..reported(counts::phase(view, key), view.indexes.report(key))
    };
    let metadata = ObjectMeta {
        uid: Some(scene.uid(key, counters.created)),
        resource_version: Some(counters.modified.to_string()),
        ..metadata(scene, name, &spec)
    };
    document(Kind::Allocation, &metadata, &[("spec", part(&spec)), ("status", part(&status))])
}
