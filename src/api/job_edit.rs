//! What storing a job writes: the job, its new version, and the old versions that are forgotten.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::view::{JobRef, Stored};
use plan::{View, Write};
use schemas::job::{Job, Submission, Version};
use schemas::key::Key;

/// How many versions of a job are remembered, besides those that are tagged or still run.
const REMEMBERED: usize = 6;

/// A job as it will be stored.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    /// The job.
    pub job: Job,
    /// The writes; none if nothing changes.
    pub writes: Vec<Write>,
}

/// What the sender wants of a job, admitted.
pub(super) struct Wanted {
    /// Its metadata and spec.
    pub job: Job,
    /// The text it was read from, if it is worth keeping.
    pub submission: Option<Submission>,
}

/// The writes that turn what is stored into what is wanted.
pub(super) fn edit(view: &View, stored: Option<&Stored<Job>>, wanted: Wanted, now: Timestamp) -> Edit {
    let Wanted { mut job, submission } = wanted;
    let old = stored.map(|stored| &stored.value);
    let is_new_version = old.is_none_or(|old| old.spec != job.spec);
    job.version = old.map_or(0, |old| old.version) + u64::from(is_new_version);
    job.metadata.creation_timestamp =
        Some(old.and_then(|old| old.metadata.creation_timestamp).unwrap_or(now));
    job.metadata.deletion_timestamp = old.and_then(|old| old.metadata.deletion_timestamp);
    if old == Some(&job) {
        return Edit { job, writes: Vec::new() };
    }
    let (namespace, name) = (job.metadata.namespace.clone(), job.metadata.name.clone());
    let mut writes = vec![Write::put(Key::job(&namespace, &name), &job)];
    if is_new_version {
        let version = Version {
            number: job.version,
            spec: job.spec.clone(),
            created_at: Some(now),
            submission,
            tag: None,
        };
        writes.push(Write::put(Key::version(&namespace, &name, job.version), &version));
        let forgotten = forgotten(view, &namespace, &name, job.version);
        writes.extend(forgotten.into_iter().map(|key| Write::Delete { key }));
    }
    Edit { job, writes }
}

/// The versions that need no longer be remembered once `newest` is written.
fn forgotten(view: &View, namespace: &str, name: &str, newest: u64) -> Vec<Key> {
    let used = used(view, namespace, name);
    let mut versions: Vec<(&Key, u64)> = view
        .versions
        .under(&["versions", namespace, name])
        .filter(|(_, stored)| stored.value.tag.is_none())
        .map(|(key, stored)| (key, stored.value.number))
        .filter(|(_, number)| *number != newest)
        .collect();
    versions.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let old = versions.into_iter().skip(REMEMBERED - 1);
    // A transaction has room for few; the rest goes with the next version.
    old.filter(|(_, number)| !used.contains(number)).map(|(key, _)| key.clone()).take(16).collect()
}

/// The versions that rosters and placements still speak of.
fn used(view: &View, namespace: &str, name: &str) -> BTreeSet<u64> {
    let rosters = view.rosters.under(&["rosters", namespace, name]).flat_map(|(_, stored)| {
        let every = stored.value.every_node.iter();
        let nodes = every.flat_map(|every| every.nodes.values().chain([&every.default]));
        let slots = stored.value.slots.iter().map(|run| &run.slot).chain(nodes);
        slots.flat_map(|slot| [slot.version, slot.spec]).collect::<Vec<_>>()
    });
    let job = JobRef { namespace: namespace.to_owned(), job: name.to_owned() };
    let placements = view.indexes.placements_of_job(&job).filter_map(|key| view.placements.get(key));
    rosters.chain(placements.flat_map(|placement| [placement.version, placement.spec])).collect()
}

/// The write that asks for a job's deletion; none if that was asked before.
pub(super) fn deletion(stored: &Stored<Job>, now: Timestamp) -> Edit {
    let mut job = stored.value.clone();
    if job.metadata.deletion_timestamp.is_some() {
        return Edit { job, writes: Vec::new() };
    }
    job.metadata.deletion_timestamp = Some(now);
    let key = Key::job(&job.metadata.namespace, &job.metadata.name);
    let writes = vec![Write::put(key, &job)];
    Edit { job, writes }
}
