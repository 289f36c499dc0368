//! How a job disappears: first everything stops, then its documents go, the job itself last.

use plan::view::JobRef;
use plan::{Draft, Plan, View, Write};
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::Wish;
use schemas::roster::readings_of_name;

/// A job whose deletion was asked for.
pub(crate) fn remove(view: &View, job: &JobRef) -> Plan<Write> {
    let mut draft = Draft::new(view);
    let root = Key::job(&job.namespace, &job.job);
    // Without a roster there is no slot: the scheduler stops what is placed.
    for key in under(view, job).filter(|key| key.kind() == "rosters") {
        draft.add(std::slice::from_ref(&root), [Write::Delete { key }]);
    }
    let left = left(view, job);
    if left > 0 {
        let steps = draft.steps();
        return Plan { steps, ..Plan::nothing(&job.job, format!("{left} allocations have not ended yet")) };
    }
    for key in under(view, job).filter(|key| key.kind() != "rosters") {
        draft.add(&[], [Write::Delete { key }]);
    }
    draft.close();
    draft.add(&[], [Write::Delete { key: root }]);
    Plan { steps: draft.steps(), ..Plan::nothing(&job.job, "everything has ended") }
}

/// What is left of a job that is gone. A job that was deleted has no version any more; one whose document alone is
/// missing was not: nobody wished that.
pub(crate) fn sweep(view: &View, job: &JobRef) -> Plan<Write> {
    if under(view, job).any(|key| key.kind() == "versions") {
        return Plan::nothing(&job.job, "its document is missing, but not its versions: apply it again");
    }
    let mut draft = Draft::new(view);
    let root = Key::job(&job.namespace, &job.job);
    for key in under(view, job) {
        draft.add(std::slice::from_ref(&root), [Write::Delete { key }]);
    }
    Plan { steps: draft.steps(), ..Plan::empty() }
}

/// Everything the store holds of a job besides the job and its placements.
fn under<'a>(view: &'a View, job: &'a JobRef) -> impl Iterator<Item = Key> + use<'a> {
    let (namespace, name) = (job.namespace.as_str(), job.job.as_str());
    let rosters = view.rosters.under(&["rosters", namespace, name]).map(|(key, _)| key.clone());
    let deployments = view.deployments.under(&["deployments", namespace, name]).map(|(key, _)| key.clone());
    let versions = view.versions.under(&["versions", namespace, name]).map(|(key, _)| key.clone());
    let kinds = ["rosters", "deployments", "versions"].into_iter();
    let unreadable = kinds.flat_map(move |kind| view.unreadable.under(&[kind, namespace, name]));
    rosters.chain(deployments).chain(versions).chain(unreadable.map(|(key, _)| key.clone()))
}

/// Placements that cannot be read and whose names may be those of the job's allocations.
fn unreadable_placements<'a>(view: &'a View, job: &'a JobRef) -> impl Iterator<Item = &'a Key> {
    let is_of_job = |key: &&Key| {
        let readings = readings_of_name(key.segment(3));
        key.segment(2) == job.namespace && readings.iter().any(|named| named.job == job.job)
    };
    view.unreadable.under(&["placements"]).map(|(key, _)| key).filter(is_of_job)
}

/// How many placements are still there. Those on nodes that are down count as gone once they are wished to stop:
/// their agents stop them when they return.
fn left(view: &View, job: &JobRef) -> usize {
    let is_down = |node: &str| {
        view.health.get(&Key::health(node)).is_some_and(|health| health.state == NodeState::Down)
    };
    let is_wished = |key: &Key| view.placements.get(key).is_some_and(|placement| placement.wish == Wish::Run);
    let readable = view.indexes.placements_of_job(job);
    let is_left = |key: &&Key| is_wished(key) || !is_down(key.segment(1));
    readable.filter(is_left).count() + unreadable_placements(view, job).count()
}
