//! One plan for all that is open: stop what nobody wants, place what waits, forget what ended long ago.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::view::{GroupRef, JobRef};
use plan::{Draft, Plan, View, Write};
use schemas::group::Group;
use schemas::job::JobSpec;
use schemas::key::Key;
use schemas::placement::{Placement, Wish};
use schemas::roster::{Index, Roster, Slot};

use crate::history;
use crate::in_place::InPlace;
use crate::orphans::{self, Held};
use crate::pending;
use crate::recovery;
use crate::successor::{Succession, Successors};

/// What to do now.
pub(crate) fn decide(view: &View, now: Timestamp) -> Plan<Write> {
    let mut draft = Draft::new(view);
    let mut notes = Vec::new();
    let orphaned = orphans::answer(view, &mut draft, &mut notes, now);
    let settled = settle_strays(view, &mut draft);
    let mending = recovery::mend(view, &mut draft, now);
    let settled = Settled { mending, orphaned, ..settled };
    history::forget(view, &mut draft);
    // A place may be filled again only after its last instance was told to stop.
    draft.close();
    notes.extend(pending::place(view, &settled, &mut draft, now));
    Plan { steps: draft.steps(), wake_at: settled.orphaned.until, notes }
}

/// What became of placements that no slot wants as they are.
#[derive(Default)]
pub(crate) struct Settled {
    /// Those that this plan stops.
    pub(crate) stopping: BTreeSet<Key>,
    /// Places that keep what they have until there is room for its successor.
    pub(crate) held: BTreeSet<(GroupRef, Index)>,
    /// Jobs with a placement that this plan writes anew: who their neighbours are is known after it.
    pub(crate) mending: BTreeSet<JobRef>,
    /// Names that live on a node without a placement: they must not be placed a second time.
    pub(crate) orphaned: Held,
}

/// Stops placements that no slot wants and updates those whose slot has a newer version in place.
fn settle_strays(view: &View, draft: &mut Draft) -> Settled {
    let mut settled = Settled::default();
    let (mut successors, mut in_place) = (None, InPlace::of(view));
    for key in view.open.stray() {
        let Some(placement) = view.placements.get(key) else { continue };
        let roster_key = Key::roster(key.segment(2), &placement.job, &placement.group);
        let slot = view.rosters.get(&roster_key).and_then(|roster| roster.slot_at(&placement.index));
        let mut next = placement.clone();
        match verdict(view, key, (placement, slot), (&mut successors, &mut in_place)) {
            Verdict::Stop { reason, unfit } => {
                next.wish = Wish::Stop { reason, unfit };
                settled.stopping.insert(key.clone());
            }
            Verdict::Update(version) => next.spec = version,
            Verdict::Hold => {
                settled.held.insert((GroupRef::of_placement(key, placement), placement.index.clone()));
                continue;
            }
            Verdict::Leave => continue,
        }
        draft.add(&[roster_key], [Write::put(key.clone(), &next)]);
    }
    settled
}

/// What becomes of a placement that no slot wants as it is.
pub(crate) enum Verdict {
    Stop { reason: String, unfit: bool },
    Update(u64),
    Hold,
    Leave,
}

impl Verdict {
    pub(crate) fn stop(reason: impl Into<String>) -> Verdict {
        Verdict::Stop { reason: reason.into(), unfit: false }
    }
}

fn verdict<'v>(
    view: &'v View,
    key: &Key,
    (placement, slot): (&Placement, Option<&Slot>),
    (successors, in_place): (&mut Option<Successors<'v>>, &mut InPlace<'v>),
) -> Verdict {
    let Some(slot) = slot else {
        if !is_disowned(view, key, placement) {
            return Verdict::Leave;
        }
        return Verdict::stop(without_slot(view, key, placement));
    };
    let made = (slot.version, slot.attempt);
    if made == (placement.version, placement.attempt) {
        return in_place.judge(key, placement, slot);
    }
    let reason = if slot.version == placement.version {
        format!("replaced by attempt {}", slot.attempt)
    } else {
        format!("replaced by v{}", slot.version)
    };
    let successors = successors.get_or_insert_with(|| Successors::of(view));
    match successors.judge(key, placement, slot) {
        Succession::Stop => Verdict::stop(reason),
        Succession::Unfit => {
            let reason = format!("{reason}, which the node does not fit");
            Verdict::Stop { reason, unfit: true }
        }
        Succession::Hold => Verdict::Hold,
    }
}

/// Whether a readable word says that a placement without a slot is not wanted: its roster, or its job. A job that was
/// deleted has neither, and no version any more; a document that is merely missing says nothing.
fn is_disowned(view: &View, key: &Key, placement: &Placement) -> bool {
    let (namespace, job) = (key.segment(2), placement.job.as_str());
    if view.rosters.get(&Key::roster(namespace, job, &placement.group)).is_some() {
        return true;
    }
    let job_key = Key::job(namespace, job);
    if let Some(job) = view.jobs.get(&job_key) {
        let is_leaving = job.metadata.deletion_timestamp.is_some() || job.spec.stop;
        is_leaving || job.spec.group(&placement.group).is_none()
    } else {
        let of_job = ["versions", namespace, job];
        let has_versions =
            view.versions.under(&of_job).next().is_some() || view.unreadable.under(&of_job).next().is_some();
        !view.is_unreadable(&job_key) && !has_versions
    }
}

fn without_slot(view: &View, key: &Key, placement: &Placement) -> String {
    let job = view.jobs.get(&Key::job(key.segment(2), &placement.job));
    match job {
        None => "the job is gone".to_owned(),
        Some(job) if job.metadata.deletion_timestamp.is_some() => "the job is deleted".to_owned(),
        Some(job) if job.spec.stop => "the job is stopped".to_owned(),
        Some(job) if job.spec.group(&placement.group).is_none() => "the group is gone".to_owned(),
        Some(_) => "the group is smaller now".to_owned(),
    }
}

/// A version of a job, if its history still has it.
pub(crate) fn spec_of<'a>(view: &'a View, namespace: &str, job: &str, version: u64) -> Option<&'a JobSpec> {
    let history = view.versions.get(&Key::version(namespace, job, version)).map(|version| &version.spec);
    let current = || view.jobs.get(&Key::job(namespace, job)).filter(|job| job.version == version);
    history.or_else(|| current().map(|job| &job.spec))
}

/// A group at a version of its job.
pub(crate) fn group_at<'a>(
    view: &'a View,
    group: &GroupRef,
    version: u64,
) -> Option<(&'a JobSpec, &'a Group)> {
    let spec = spec_of(view, &group.namespace, &group.job, version)?;
    Some((spec, spec.group(&group.group)?))
}

/// The roster of a group.
pub(crate) fn roster_of<'a>(view: &'a View, group: &GroupRef) -> Option<(Key, &'a Roster)> {
    let key = Key::roster(&group.namespace, &group.job, &group.group);
    view.rosters.get(&key).map(|roster| (key, roster))
}
