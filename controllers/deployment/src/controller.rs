//! The deployment controller as the control loop knows it. Its roots are jobs.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::view::Stored;
use plan::{Controller, Plan, View, Write};
use schemas::key::Key;
use schemas::placement::Placement;

use crate::decide;

/// Writes rosters and deployments.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeploymentController;

impl Controller for DeploymentController {
    type Effect = Write;

    fn name(&self) -> &'static str {
        "deployment"
    }

    fn roots(&self, view: &View, changed: &Key) -> Vec<Key> {
        match changed.kind() {
            "jobs" | "versions" | "rosters" | "deployments" => {
                vec![Key::job(changed.segment(1), changed.segment(2))]
            }
            "placements" => jobs_named(view, changed.segment(2), changed.segment(3)),
            "reports" => jobs_reported(view, changed),
            "health" | "fingerprints" => jobs_on(view, changed.segment(1)),
            _ => Vec::new(),
        }
    }

    fn all_roots(&self, view: &View) -> Vec<Key> {
        // Rosters outlive their job if somebody removed it by force: they are cleaned up too.
        let jobs = view.jobs.iter().map(|(key, _)| key.clone());
        let orphans = view.rosters.iter().map(|(key, _)| Key::job(key.segment(1), key.segment(2)));
        jobs.chain(orphans).collect::<BTreeSet<Key>>().into_iter().collect()
    }

    fn plan(&self, view: &View, root: &Key, now: Timestamp) -> Plan<Write> {
        decide::decide(view, root, now)
    }
}

/// The job of an allocation. Names of jobs may hold dots, so every beginning that is a job counts.
fn jobs_named(view: &View, namespace: &str, allocation: &str) -> Vec<Key> {
    let ends = allocation.match_indices('.').map(|(at, _)| at);
    let keys = ends.map(|end| Key::job(namespace, &allocation[..end]));
    keys.filter(|key| view.jobs.get(key).is_some()).collect()
}

fn jobs_reported(view: &View, report: &Key) -> Vec<Key> {
    let Some(document) = view.reports.get(report) else { return jobs_on(view, report.segment(1)) };
    let names = document.allocations.keys().filter_map(|name| name.split_once('/'));
    let keys: BTreeSet<Key> =
        names.flat_map(|(namespace, allocation)| jobs_named(view, namespace, allocation)).collect();
    keys.into_iter().collect()
}

fn jobs_on(view: &View, node: &str) -> Vec<Key> {
    let root = |(key, row): (&Key, &Stored<Placement>)| Key::job(key.segment(2), &row.value.job);
    let keys: BTreeSet<Key> = view.placements.under(&["placements", node]).map(root).collect();
    keys.into_iter().collect()
}
