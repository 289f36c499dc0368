//! Going back from a version whose rollout failed: the latest that worked becomes the job's next version.
//!
//! The failed rollout says where to go back to; the new version follows from that, whoever leads by then. It is written
//! only if the job is as it was seen: what its users submit meanwhile is newer and counts. A version that repeats the
//! one that worked and fails too is not gone back from: that would lead to the same again.

use jiff::Timestamp;
use plan::view::JobRef;
use plan::{View, Write};
use schemas::deployment::{Deployment, DeploymentStatus};
use schemas::job::{Job, JobSpec, Version};
use schemas::key::Key;
use schemas::revert::{Revert, revert};

/// Who goes back, as the history of the job tells it.
const CONTROLLER: &str = "deployment controller";

/// The writes of the version that is gone back to, if the rollout of the job's version says so.
pub(crate) fn back(
    view: &View,
    job: &JobRef,
    document: &Job,
    rollout: Option<&Deployment>,
    now: Timestamp,
) -> Vec<Write> {
    let failed = rollout.filter(|rollout| rollout.status == DeploymentStatus::Failed);
    let Some((rollout, to)) = failed.and_then(|rollout| Some((rollout, rollout.reverted_to?))) else {
        return Vec::new();
    };
    let earlier = view.versions.get(&Key::version(&job.namespace, &job.job, to));
    let Some(earlier) = earlier.filter(|earlier| leads_elsewhere(earlier, &document.spec)) else {
        return Vec::new();
    };
    let said =
        Revert { to, from: document.version, by: CONTROLLER.to_owned(), why: rollout.description.clone() };
    let (next, version) = revert(document, earlier, said, now);
    let failed = Key::deployment(&job.namespace, &job.job, document.version);
    // One that cannot be read was derived: that it failed is kept.
    let derived = view.is_unreadable(&failed).then(|| Write::put(failed, rollout));
    let writes = [
        Write::put(Key::job(&job.namespace, &job.job), &next),
        Write::put(Key::version(&job.namespace, &job.job, next.version), &version),
    ];
    writes.into_iter().chain(derived).collect()
}

/// Whether going back to a version would change anything.
pub(crate) fn leads_elsewhere(earlier: &Version, spec: &JobSpec) -> bool {
    earlier.spec != *spec
}
