//! Agents that obey: what is to run runs and is healthy, what is to stop has ended.

use std::collections::BTreeMap;

use plan::view::JobRef;
use plan::{View, Write};
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::{Placement, Wish};
use schemas::report::{AllocationReport, ClientState, Report};

/// The report document that holds what is pretended: no agent has as many buckets.
const PRETENDED: u32 = u32::MAX;

/// The reports that agents would make of one job's placements by now; none where all is said.
pub(super) fn obey(view: &View, job: &JobRef) -> Vec<Write> {
    let mut reports: BTreeMap<Key, Report> = BTreeMap::new();
    for key in view.indexes.placements_of_job(job).filter(|key| is_heard(view, key.segment(1))) {
        let Some(next) = view.placements.get(key).and_then(|placement| next(view, key, placement)) else {
            continue;
        };
        let document = Key::report(key.segment(1), PRETENDED);
        let said = || view.reports.get(&document).cloned().unwrap_or_default();
        let name = format!("{}/{}", key.segment(2), key.segment(3));
        reports.entry(document.clone()).or_insert_with(said).allocations.insert(name, next);
    }
    reports.into_iter().map(|(key, report)| Write::put(key, &report)).collect()
}

fn is_heard(view: &View, node: &str) -> bool {
    view.health.get(&Key::health(node)).is_some_and(|health| health.state == NodeState::Ready)
}

/// What would be reported next, unless it was.
fn next(view: &View, key: &Key, placement: &Placement) -> Option<AllocationReport> {
    let known = view.indexes.report(key);
    if known.is_some_and(|report| report.state.is_terminal()) {
        return None;
    }
    let report = known.cloned().unwrap_or_default();
    let next = match placement.wish {
        Wish::Run => AllocationReport {
            state: ClientState::Running,
            healthy: Some(true),
            spec: placement.spec,
            ..report
        },
        Wish::Stop { .. } => AllocationReport { state: ClientState::Complete, ..report },
    };
    (known != Some(&next)).then_some(next)
}
