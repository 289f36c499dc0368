//! Planners and agents in turns until nobody has anything left to do.

use std::collections::BTreeMap;

use deployment::Deployer;
use jiff::Timestamp;
use plan::view::JobRef;
use plan::{Controller, Note, Plan, View, Write};
use scheduler::Scheduler;
use schemas::codec;
use schemas::group::Group;
use schemas::job::{Job, JobSpec, Version};
use schemas::key::Key;

use super::agents;
use super::outcome::{Outcome, Standing};

/// How many steps a rollout is followed for at its own pace. One that would take more is followed in fewer, larger
/// ones: it takes as long to foresee as to plan each of them, and what becomes of each instance is the same.
const STEPS: u32 = 32;
/// How often everybody has a turn at most: a step of a rollout takes three.
const TURNS: u32 = 8 * STEPS;

/// What becomes of every group of a job if these documents are written. The view is a copy, to be written on.
pub fn forecast(mut next: View, job: &JobRef, writes: &[Write], now: Timestamp) -> BTreeMap<String, Outcome> {
    let before = Standing::of(&next, job);
    next.suppose(&writes.iter().map(hurried).collect::<Vec<_>>());
    let root = Key::job(&job.namespace, &job.job);
    let mut notes: Vec<Note> = Vec::new();
    for _ in 0..TURNS {
        let reports = agents::obey(&next, job);
        let mut is_over = reports.is_empty();
        if !is_over {
            next.suppose(&reports);
        }
        let plan = Deployer.plan(&next, &root, now);
        is_over &= !carry_out(&mut next, &plan);
        notes.clear();
        for root in Scheduler.all_roots(&next) {
            let plan = Scheduler.plan(&next, &root, now);
            is_over &= !carry_out(&mut next, &plan);
            notes.extend(plan.notes);
        }
        if is_over {
            break;
        }
    }
    before.outcomes(&next, job, &notes)
}

/// Makes a plan true; whether it wanted anything. Nobody else writes here, so every guard holds.
fn carry_out(view: &mut View, plan: &Plan<Write>) -> bool {
    plan.steps.iter().for_each(|step| drop(view.suppose(&step.effects)));
    !plan.is_empty()
}

/// A write of a job or a version whose rollout takes no more steps than are followed.
fn hurried(write: &Write) -> Write {
    let Write::Put { key, value } = write else { return write.clone() };
    match key.kind() {
        "jobs" => {
            let Ok(mut job) = codec::decode::<Job>(value) else { return write.clone() };
            hurry(&mut job.spec);
            job.written = None;
            Write::put(key.clone(), &job)
        }
        "versions" => {
            let Ok(mut version) = codec::decode::<Version>(value) else { return write.clone() };
            hurry(&mut version.spec);
            Write::put(key.clone(), &version)
        }
        _ => write.clone(),
    }
}

fn hurry(spec: &mut JobSpec) {
    for group in &mut spec.groups {
        let least = Group::count(group).div_ceil(STEPS);
        if let Some(update) = &mut group.update {
            // All at once stays all at once.
            update.max_parallel = update.max_parallel.map(|most| if most == 0 { 0 } else { most.max(least) });
        }
    }
}
