//! What storing a job writes: the job, its new version, and the old versions that are forgotten.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::view::{Counters, JobRef, Stored};
use plan::{View, Write};
use schemas::job::{Job, Submission, Version};
use schemas::key::Key;
use schemas::revert::Revert;

use super::scene::Name;

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
    /// Which version it repeats, if it goes back to one.
    pub revert: Option<Revert>,
}

/// The writes that turn what is stored into what is wanted.
pub(super) fn edit(view: &View, stored: Option<&Stored<Job>>, wanted: Wanted, now: Timestamp) -> Edit {
    let Wanted { mut job, submission, revert } = wanted;
    let old = stored.map(|stored| &stored.value);
    let is_new_version = old.is_none_or(|old| old.spec != job.spec);
    let before = old.map_or_else(|| last_number(view, &job), |old| old.version);
    job.version = before + u64::from(is_new_version);
    job.metadata.creation_timestamp =
        Some(old.and_then(|old| old.metadata.creation_timestamp).unwrap_or(now));
    job.metadata.deletion_timestamp = old.and_then(|old| old.metadata.deletion_timestamp);
    let (namespace, name) = (job.metadata.namespace.clone(), job.metadata.name.clone());
    if old == Some(&job) && !has_unreadable(view, &namespace, &name) {
        return Edit { job, writes: Vec::new() };
    }
    let mut writes = vec![Write::put(Key::job(&namespace, &name), &job)];
    writes.extend(unreadable_versions(view, &namespace, &name, job.version));
    if is_new_version {
        let version = Version {
            number: job.version,
            spec: job.spec.clone(),
            created_at: Some(now),
            submission,
            tag: None,
            revert,
            managed_fields: job.metadata.managed_fields.clone(),
        };
        writes.push(Write::put(Key::version(&namespace, &name, job.version), &version));
        let forgotten = forgotten(view, &namespace, &name, job.version);
        writes.extend(forgotten.into_iter().map(|key| Write::Delete { key }));
    }
    Edit { job, writes }
}

/// Whether something of a job cannot be read that is mended by applying the job again.
fn has_unreadable(view: &View, namespace: &str, name: &str) -> bool {
    ["versions", "rosters"]
        .iter()
        .any(|kind| view.unreadable.under(&[kind, namespace, name]).next().is_some())
}

/// Versions that nobody can read are forgotten when the job is applied again: what runs them is replaced as what runs
/// any forgotten version is.
fn unreadable_versions<'a>(
    view: &'a View,
    namespace: &str,
    name: &str,
    newest: u64,
) -> impl Iterator<Item = Write> + use<'a> {
    let newest = Key::version(namespace, name, newest);
    let keys = view.unreadable.under(&["versions", namespace, name]).map(|(key, _)| key);
    keys.filter(move |key| **key != newest).take(16).map(|key| Write::Delete { key: key.clone() })
}

/// The number of the last version of a job that is there and cannot be read; 0 for a new one.
fn last_number(view: &View, job: &Job) -> u64 {
    let (namespace, name) = (job.metadata.namespace.as_str(), job.metadata.name.as_str());
    if !view.is_unreadable(&Key::job(namespace, name)) {
        return 0;
    }
    let versions = view.versions.under(&["versions", namespace, name]).map(|(key, _)| key);
    let deployments = view.deployments.under(&["deployments", namespace, name]).map(|(key, _)| key);
    let kinds = ["versions", "deployments"].into_iter();
    let unreadable =
        kinds.flat_map(|kind| view.unreadable.under(&[kind, namespace, name])).map(|(key, _)| key);
    let numbers = versions.chain(deployments).chain(unreadable).filter_map(|key| key.segment(3).parse().ok());
    numbers.chain(used(view, namespace, name)).max().unwrap_or(0)
}

/// What is known of a job that is there and cannot be read: what its last readable version was to do.
pub(super) fn last_known(view: &View, namespace: &str, name: &str) -> Option<Stored<Job>> {
    let Counters { created, modified, version } = view.unreadable.counters(&Key::job(namespace, name))?;
    let mut job = Job::default();
    namespace.clone_into(&mut job.metadata.namespace);
    name.clone_into(&mut job.metadata.name);
    let versions = view.versions.under(&["versions", namespace, name]);
    if let Some((_, last)) = versions.max_by_key(|(_, stored)| stored.value.number) {
        job.spec = last.value.spec.clone();
        job.metadata.creation_timestamp = last.value.created_at;
    }
    job.version = last_number(view, &job);
    Some(Stored { value: job, created, modified, version })
}

/// A job and all its versions: what has to go for a job to be gone.
pub(super) fn last_documents(view: &View, name: &Name) -> Vec<Key> {
    let (namespace, name) = (name.namespace.as_str(), name.name.as_str());
    let of_job = ["versions", namespace, name];
    let versions = view.versions.under(&of_job).map(|(key, _)| key);
    let unreadable = view.unreadable.under(&of_job).map(|(key, _)| key);
    versions.chain(unreadable).cloned().chain([Key::job(namespace, name)]).collect()
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

/// Whether a change does nothing but stop a job or lower its counts.
pub(super) fn only_ends(old: &Job, new: &Job) -> bool {
    let mut lowered = old.spec.clone();
    let is_stop = new.spec.stop && !old.spec.stop;
    lowered.stop |= new.spec.stop;
    let mut are_lower = false;
    for (group, wanted) in lowered.groups.iter_mut().zip(&new.spec.groups) {
        if group.count > wanted.count && wanted.count.is_some() {
            group.count = wanted.count;
            are_lower = true;
        }
    }
    lowered == new.spec && (is_stop || are_lower)
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
