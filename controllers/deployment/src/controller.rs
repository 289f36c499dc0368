//! Roots and the shape of a plan.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plan::view::JobRef;
use plan::{Controller, Draft, Plan, View, Write};
use schemas::deployment::Deployment;
use schemas::group::Group;
use schemas::job::Job;
use schemas::key::{Key, Shape};
use schemas::roster::Roster;

use crate::fate::Fates;
use crate::target::Target;
use crate::{counted, every_node, misplaced, recovery, removal, revert, rollout};

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
            _ if changed.shape() != Shape::Known => Vec::new(),
            "jobs" | "versions" | "rosters" | "deployments" => {
                vec![Key::job(changed.segment(1), changed.segment(2))]
            }
            "placements" => of_placement(view, changed),
            "reports" => of_report(view, changed),
            "health" | "fingerprints" | "nodes" | "tombstones" => of_node(view, changed.segment(1)),
            _ => Vec::new(),
        }
    }

    fn all_roots(&self, view: &View) -> Vec<Key> {
        let jobs = view.jobs.iter().map(|(key, _)| key.clone());
        let rosters = view.rosters.iter().map(|(key, _)| Key::job(key.segment(1), key.segment(2)));
        let kinds = ["jobs", "versions", "rosters", "deployments"].into_iter();
        let unreadable = kinds.flat_map(|kind| view.unreadable.under(&[kind]));
        let unreadable = unreadable.filter(|(key, _)| key.shape() == Shape::Known);
        let unreadable = unreadable.map(|(key, _)| Key::job(key.segment(1), key.segment(2)));
        let roots: BTreeSet<Key> = jobs.chain(rosters).chain(unreadable).collect();
        roots.into_iter().collect()
    }

    fn plan(&self, view: &View, root: &Key, now: Timestamp) -> Plan<Write> {
        let job = JobRef { namespace: root.segment(1).to_owned(), job: root.segment(2).to_owned() };
        match view.jobs.get(root) {
            // What it wants is not known: nothing is taken away, and nothing is added.
            None if view.is_unreadable(root) => Plan::nothing(&job.job, "the job cannot be read"),
            None => removal::sweep(view, &job),
            Some(document) if document.metadata.deletion_timestamp.is_some() => removal::remove(view, &job),
            Some(document) => keep(view, &job, document, now),
        }
    }
}

/// A job that should be what it says.
fn keep(view: &View, job: &JobRef, document: &Job, now: Timestamp) -> Plan<Write> {
    let target = Target::of(view, job, document);
    let rollout = recovery::rollout(view, job, target.version);
    let back = revert::back(view, job, document, rollout.as_deref(), now);
    if !back.is_empty() {
        let mut draft = Draft::new(view);
        draft.add(&[Key::deployment(&job.namespace, &job.job, target.version)], back);
        let why = format!("version {} failed: going back", target.version);
        return Plan { steps: draft.steps(), ..Plan::nothing(&job.job, why) };
    }
    let Wanted { rosters, unknown, mut plan } = wanted(view, job, &target, rollout.as_deref(), now);
    let mut draft = Draft::new(view);
    let rests_on = [Key::job(&job.namespace, &job.job)];
    draft.add(&rests_on, recovery::version(view, job, document, now));
    // How a rollout goes is not judged by instances of which too little is known.
    let is_known = unknown.is_empty() && !rosters.values().any(|roster| rests_on_unreadable(&target, roster));
    if is_known {
        let verdict = rollout::judge(view, job, &target, (&rosters, rollout.as_deref()), now);
        plan = plan.wake(verdict.wake_at);
        // What is over ends in the same step in which the next begins: never are two rollouts under way.
        let mut rollouts = recovery::unjudged(view, job, (&target, &verdict), rollout.as_deref(), now);
        for (version, deployment) in verdict.deployments {
            let key = Key::deployment(&job.namespace, &job.job, version);
            if view.deployments.get(&key) != Some(&deployment) {
                rollouts.push(Write::put(key, &deployment));
            }
        }
        draft.add(&rests_on, rollouts);
    }
    for (group, roster) in &rosters {
        let key = Key::roster(&job.namespace, &job.job, group);
        if view.rosters.get(&key) != Some(roster) {
            draft.add(&rests_on, [Write::put(key, roster)]);
        }
    }
    let of_job = ["rosters", &job.namespace, &job.job];
    let readable = view.rosters.under(&of_job).map(|(key, _)| key);
    for key in readable.chain(view.unreadable.under(&of_job).map(|(key, _)| key)) {
        if !rosters.contains_key(key.segment(3)) && !unknown.contains(key.segment(3)) {
            draft.add(&rests_on, [Write::Delete { key: key.clone() }]);
        }
    }
    Plan { steps: draft.steps(), ..plan }
}

/// What a job should be.
struct Wanted {
    /// By group.
    rosters: BTreeMap<String, Roster>,
    /// Groups whose roster cannot be read and not be derived either: what they have stays.
    unknown: BTreeSet<String>,
    /// When to look again, and what there is to say.
    plan: Plan<Write>,
}

fn wanted(
    view: &View,
    job: &JobRef,
    target: &Target<'_>,
    rollout: Option<&Deployment>,
    now: Timestamp,
) -> Wanted {
    let mut wanted = Wanted { rosters: BTreeMap::new(), unknown: BTreeSet::new(), plan: Plan::empty() };
    let mut known: Vec<(&Group, Option<Cow<'_, Roster>>)> = Vec::new();
    for group in target.groups() {
        match recovery::roster(view, job, target, group) {
            Ok(roster) => known.push((group, roster)),
            Err(why) => {
                wanted.unknown.insert(group.name.clone());
                let why = format!("the roster of group {:?} cannot be read: {why}", group.name);
                wanted.plan = wanted.plan.note(&job.job, why);
            }
        }
    }
    let rosters = known.iter().filter_map(|(group, roster)| Some((group.name.as_str(), roster.as_deref()?)));
    let misplaced = misplaced::misplaced(view, job, target, &rosters.collect());
    for (group, roster) in &known {
        let fates = Fates::of(view, job, &group.name);
        let answer = if target.spec.job_type.is_per_node() {
            every_node::group(target, group, roster.as_deref(), &fates, rollout)
        } else {
            let moment = counted::Moment { rollout, misplaced: &misplaced, now };
            counted::group(target, group, roster.as_deref(), &fates, &moment)
        };
        wanted.plan = wanted.plan.wake(answer.wake_at);
        wanted.rosters.insert(group.name.clone(), answer.roster);
    }
    wanted
}

/// Whether an instance runs a version that cannot be read.
fn rests_on_unreadable(target: &Target<'_>, roster: &Roster) -> bool {
    let every = roster.every_node.iter().flat_map(|every| every.nodes.values().chain([&every.default]));
    let mut specs = roster.slots.iter().map(|run| &run.slot).chain(every).map(|slot| slot.spec);
    specs.any(|spec| spec != target.version && target.is_unreadable(spec))
}

/// The job of a placement; of one that is gone, whatever jobs its name may belong to.
fn of_placement(view: &View, key: &Key) -> Vec<Key> {
    let namespace = key.segment(2);
    if let Some(placement) = view.placements.get(key) {
        return vec![Key::job(namespace, &placement.job)];
    }
    let name = key.segment(3);
    let jobs =
        name.match_indices('.').filter(|(at, _)| *at > 0).map(|(at, _)| Key::job(namespace, &name[..at]));
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

/// The jobs that have something on a node, and those that run on every node that fits.
fn of_node(view: &View, node: &str) -> Vec<Key> {
    let placements = view.placements.under(&["placements", node]);
    let placed = placements.map(|(key, stored)| Key::job(key.segment(2), &stored.value.job));
    let every = view.indexes.every_node().map(|roster| Key::job(roster.segment(1), roster.segment(2)));
    let jobs: BTreeSet<Key> = placed.chain(every).collect();
    jobs.into_iter().collect()
}
