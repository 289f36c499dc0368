//! One plan for one job.

use jiff::Timestamp;
use plan::{Draft, Plan, View, Write};
use schemas::key::Key;
use schemas::roster::{EveryNode, Roster, Slot};

/// What to do about one job now.
pub(crate) fn decide(view: &View, root: &Key, _now: Timestamp) -> Plan<Write> {
    let mut draft = Draft::new(view);
    let Some(job) = view.jobs.get(root) else { return Plan::empty() };
    for group in &job.spec.groups {
        let key = Key::roster(root.segment(1), root.segment(2), &group.name);
        let slot = Slot::new(job.version);
        let roster = if job.spec.job_type.is_per_node() {
            let every = EveryNode { default: slot, nodes: std::collections::BTreeMap::new() };
            Roster { slots: Vec::new(), every_node: Some(every) }
        } else {
            let count = if job.spec.stop { 0 } else { group.count() };
            Roster::of_numbered((0..count).map(|index| (index, slot.clone())))
        };
        if view.rosters.get(&key) != Some(&roster) {
            draft.add(std::slice::from_ref(root), [Write::put(key, &roster)]);
        }
    }
    Plan { steps: draft.steps(), ..Plan::empty() }
}
