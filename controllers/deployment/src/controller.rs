//! Roots and the shape of a plan.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plan::view::JobRef;
use plan::{Controller, Draft, Plan, View, Write};
use schemas::job::Job;
use schemas::key::Key;
use schemas::roster::Roster;

use crate::fate::Fates;
use crate::target::Target;
use crate::{counted, every_node, removal, rollout};

/// Decides what must exist of every job.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deployer;

impl Controller for Deployer {
    type Effect = Write;

    fn name(&self) -> &'static str {
        "deployment"
    }

    fn roots(&self, view: &View, changed: &Key) -> Vec<Key> {
        match changed.kind() {
            "jobs" | "versions" | "rosters" | "deployments" => {
                vec![Key::job(changed.segment(1), changed.segment(2))]
            }
            "placements" => of_placement(view, changed),
            "reports" => of_report(view, changed),
            "health" | "fingerprints" | "tombstones" => of_node(view, changed.segment(1)),
            _ => Vec::new(),
        }
    }

    fn all_roots(&self, view: &View) -> Vec<Key> {
        let jobs = view.jobs.iter().map(|(key, _)| key.clone());
        let rosters = view.rosters.iter().map(|(key, _)| Key::job(key.segment(1), key.segment(2)));
        let roots: BTreeSet<Key> = jobs.chain(rosters).collect();
        roots.into_iter().collect()
    }

    fn plan(&self, view: &View, root: &Key, now: Timestamp) -> Plan<Write> {
        let job = JobRef { namespace: root.segment(1).to_owned(), job: root.segment(2).to_owned() };
        match view.jobs.get(root) {
            None => removal::sweep(view, &job),
            Some(document) if document.metadata.deletion_timestamp.is_some() => removal::remove(view, &job),
            Some(document) => keep(view, &job, document, now),
        }
    }
}

/// A job that should be what it says.
fn keep(view: &View, job: &JobRef, document: &Job, now: Timestamp) -> Plan<Write> {
    let Some(target) = Target::of(view, job, document) else {
        return Plan::nothing(&job.job, format!("version {} is not in the store yet", document.version));
    };
    let rollout_key = Key::deployment(&job.namespace, &job.job, target.version);
    let rollout = view.deployments.get(&rollout_key);
    let mut plan = Plan::empty();
    let mut rosters: BTreeMap<String, Roster> = BTreeMap::new();
    for group in target.groups() {
        let fates = Fates::of(view, job, &group.name);
        let roster = view.rosters.get(&Key::roster(&job.namespace, &job.job, &group.name));
        let answer = if target.spec.job_type.is_per_node() {
            every_node::group(&target, group, roster, &fates, rollout)
        } else {
            counted::group(&target, group, roster, &fates, &counted::Moment { rollout, now })
        };
        plan = plan.wake(answer.wake_at);
        rosters.insert(group.name.clone(), answer.roster);
    }
    let verdict = rollout::judge(view, job, &target, &rosters, now);
    plan = plan.wake(verdict.wake_at);

    let mut draft = Draft::new(view);
    let rests_on = [Key::job(&job.namespace, &job.job)];
    // What is over ends in the same step in which the next begins: never are two rollouts under way.
    let mut rollouts = Vec::new();
    for (version, deployment) in verdict.deployments {
        let key = Key::deployment(&job.namespace, &job.job, version);
        if view.deployments.get(&key) != Some(&deployment) {
            rollouts.push(Write::put(key, &deployment));
        }
    }
    draft.add(&rests_on, rollouts);
    for (group, roster) in &rosters {
        let key = Key::roster(&job.namespace, &job.job, group);
        if view.rosters.get(&key) != Some(roster) {
            draft.add(&rests_on, [Write::put(key, roster)]);
        }
    }
    for (key, _) in view.rosters.under(&["rosters", &job.namespace, &job.job]) {
        if !rosters.contains_key(key.segment(3)) {
            draft.add(&rests_on, [Write::Delete { key: key.clone() }]);
        }
    }
    Plan { steps: draft.steps(), ..plan }
}

/// The job of a placement; of one that is gone, whatever jobs its name may belong to.
fn of_placement(view: &View, key: &Key) -> Vec<Key> {
    let namespace = key.segment(2);
    if let Some(placement) = view.placements.get(key) {
        return vec![Key::job(namespace, &placement.job)];
    }
    let name = key.segment(3);
    let jobs = name.match_indices('.').map(|(at, _)| Key::job(namespace, &name[..at]));
    jobs.filter(|job| view.jobs.get(job).is_some()).collect()
}

fn of_report(view: &View, key: &Key) -> Vec<Key> {
    let node = key.segment(1);
    let Some(report) = view.reports.get(key) else { return Vec::new() };
    let names = report.allocations.keys().filter_map(|name| name.split_once('/'));
    let jobs: BTreeSet<Key> = names
        .filter_map(|(namespace, allocation)| {
            let placement = view.placements.get(&Key::placement(node, namespace, allocation))?;
            Some(Key::job(namespace, &placement.job))
        })
        .collect();
    jobs.into_iter().collect()
}

fn of_node(view: &View, node: &str) -> Vec<Key> {
    let placements = view.placements.under(&["placements", node]);
    let jobs: BTreeSet<Key> =
        placements.map(|(key, stored)| Key::job(key.segment(2), &stored.value.job)).collect();
    jobs.into_iter().collect()
}
