//! Which specification a job should run now.

use std::collections::BTreeMap;

use fit::{Demand, Facts, Standing, may_take};
use plan::View;
use plan::view::JobRef;
use schemas::deployment::DeploymentStatus;
use schemas::diff::{Effect, replaces};
use schemas::group::Group;
use schemas::job::{Job, JobSpec};
use schemas::key::Key;
use schemas::roster::{Slot, SlotState};

use crate::rolling::Course;

/// What should run.
pub(crate) struct Target<'a> {
    view: &'a View,
    job: &'a JobRef,
    /// The job's version.
    pub(crate) version: u64,
    /// Its specification.
    pub(crate) spec: &'a JobSpec,
    /// Nothing should run.
    pub(crate) is_stopped: bool,
}

impl<'a> Target<'a> {
    /// What the job says.
    pub(crate) fn of(view: &'a View, job: &'a JobRef, document: &'a Job) -> Target<'a> {
        let is_stopped = document.spec.stop || document.spec.is_template();
        Target { view, job, version: document.version, spec: &document.spec, is_stopped }
    }

    /// Whether a version of the job is in the store and cannot be read.
    pub(crate) fn is_unreadable(&self, version: u64) -> bool {
        self.view.is_unreadable(&Key::version(&self.job.namespace, &self.job.job, version))
    }

    /// The groups that should exist.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &'a Group> + use<'a> {
        self.spec.groups.iter()
    }

    /// Whether some node may yet get an instance of a group that runs on every node.
    pub(crate) fn awaits_a_node(&self, group: &Group) -> bool {
        if !self.spec.job_type.is_per_node() || group.count() == 0 {
            return false;
        }
        let demand = Demand::new(self.spec, group);
        self.view.fingerprints.iter().any(|(key, row)| {
            let facts = Facts { name: key.segment(1), fingerprint: &row.value };
            let standing = Standing::of(self.view, facts.name, facts.fingerprint);
            may_take(&demand, standing, facts).is_ok()
        })
    }

    /// What going from an earlier version to the target does to a group. Of a version that is forgotten
    /// nothing is known, so its allocations are replaced.
    fn effect(&self, from: u64, group: &Group) -> Effect {
        if from == self.version {
            return Effect::Unchanged;
        }
        let forgotten = || Effect::Destructive { reasons: vec![format!("version {from} is forgotten")] };
        let Some(old) = spec_of(self.view, self.job, from) else { return forgotten() };
        match old.group(&group.name) {
            Some(old_group) => replaces(old, old_group, self.spec, group),
            None => Effect::Create,
        }
    }

    /// Which way a rollout leads: back, if its version repeats an earlier one since that between failed.
    pub(crate) fn course(&self) -> Course {
        let (namespace, job) = (&self.job.namespace, &self.job.job);
        let version = self.view.versions.get(&Key::version(namespace, job, self.version));
        let left = version.and_then(|version| version.revert.as_ref()).map(|revert| revert.from);
        let left = left.and_then(|left| self.view.deployments.get(&Key::deployment(namespace, job, left)));
        match left.map(|rollout| rollout.status) {
            Some(DeploymentStatus::Failed) => Course::Back,
            Some(DeploymentStatus::Running | DeploymentStatus::Successful | DeploymentStatus::Cancelled)
            | None => Course::Forward,
        }
    }

    /// How many may be replaced at a time, if replacing is done in steps and watched by a rollout.
    pub(crate) fn max_parallel(&self, group: &Group) -> Option<usize> {
        let max_parallel = group.update.filter(|_| !self.spec.job_type.is_batch())?.max_parallel();
        (max_parallel > 0).then_some(max_parallel as usize)
    }
}

/// How slots of one group take the target over. Most come from few versions: each is compared once.
pub(crate) struct TakingOver<'t, 'a> {
    target: &'t Target<'a>,
    group: &'t Group,
    effects: BTreeMap<u64, Effect>,
}

impl<'t, 'a> TakingOver<'t, 'a> {
    pub(crate) fn new(target: &'t Target<'a>, group: &'t Group) -> TakingOver<'t, 'a> {
        TakingOver { target, group, effects: BTreeMap::new() }
    }

    /// A slot that takes the target over in place if it can, and whether it must be replaced instead.
    pub(crate) fn slot(&mut self, slot: Slot) -> (Slot, bool) {
        let TakingOver { target, group, effects } = self;
        if slot.spec != target.version && target.is_unreadable(slot.spec) {
            // What a change from there would do is not known: the instance stays as it is.
            return (slot, false);
        }
        match effects.entry(slot.spec).or_insert_with(|| target.effect(slot.spec, group)) {
            // One that was given up has nothing to take a change over: a new version is a new chance.
            Effect::Unchanged | Effect::InPlace { .. }
                if slot.state == SlotState::Failed && slot.spec != target.version =>
            {
                (slot, true)
            }
            Effect::Unchanged | Effect::InPlace { .. } => (Slot { spec: target.version, ..slot }, false),
            Effect::Destructive { .. } | Effect::Create | Effect::Destroy => (slot, true),
        }
    }
}

fn spec_of<'a>(view: &'a View, job: &JobRef, version: u64) -> Option<&'a JobSpec> {
    view.versions.get(&Key::version(&job.namespace, &job.job, version)).map(|version| &version.spec)
}
