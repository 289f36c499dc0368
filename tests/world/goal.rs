//! What a cluster that was left alone must come to: I34.

use std::collections::{BTreeMap, BTreeSet};

use plan::View;
use plan::view::{GroupRef, JobRef, Stored};
use schemas::deployment::DeploymentStatus;
use schemas::group::Group;
use schemas::job::{Job, JobSpec, JobType};
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::Wish;
use schemas::report::ClientState;
use schemas::roster::{Index, Slot, SlotState, allocation_name};

use crate::cluster::Node;
use crate::rules::has_own_hosts;

/// The store and the machines side by side.
pub(crate) struct Goal<'a> {
    view: &'a View,
    on: BTreeSet<&'a str>,
    /// By node: the allocations that are alive.
    alive: BTreeMap<&'a str, BTreeSet<String>>,
    unmet: Vec<String>,
}

/// What is not yet as it should be.
pub(crate) fn unmet(view: &View, nodes: &[Node]) -> Vec<String> {
    let alive = nodes.iter().map(|node| {
        let tasks = node.machine.alive().into_iter();
        let names = tasks.map(|id| format!("{}/{}", id.namespace(), id.allocation()));
        (node.name.as_str(), names.collect())
    });
    let on = nodes.iter().filter(|node| node.is_on()).map(|node| node.name.as_str()).collect();
    let mut goal = Goal { view, on, alive: alive.collect(), unmet: Vec::new() };
    goal.nodes(nodes);
    goal.placements();
    for (key, job) in view.jobs.iter() {
        goal.job(key, job);
    }
    let rosters = view.rosters.iter().map(|(key, _)| key);
    for key in rosters.filter(|key| view.jobs.get(&Key::job(key.segment(1), key.segment(2))).is_none()) {
        goal.unmet.push(format!("{key} belongs to no job"));
    }
    goal.unmet
}

impl Goal<'_> {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            let state = self.view.health.get(&Key::health(&node.name)).map(|health| health.state);
            let wanted = if node.is_on() { NodeState::Ready } else { NodeState::Down };
            if state != Some(wanted) && (node.is_on() || state.is_some()) {
                self.unmet.push(format!("{} is {state:?}, not {wanted:?}", node.name));
            }
        }
    }

    /// I25: what runs is wanted, what is not wanted has ended.
    fn placements(&mut self) {
        for (node, allocations) in &self.alive {
            for allocation in allocations {
                let (namespace, name) = allocation.split_once('/').unwrap();
                let placement = self.view.placements.get(&Key::placement(node, namespace, name));
                if placement.is_none_or(|placement| placement.wish != Wish::Run) {
                    self.unmet.push(format!("{allocation} runs on {node} and should not"));
                }
            }
        }
        for (key, placement) in self.view.placements.iter() {
            let is_open = placement.value.wish != Wish::Run && !self.view.indexes.is_gone(key);
            if is_open && self.on.contains(key.segment(1)) {
                self.unmet.push(format!("{key} has not ended"));
            }
        }
    }

    fn job(&mut self, key: &Key, stored: &Stored<Job>) {
        let job = &stored.value;
        if job.metadata.deletion_timestamp.is_some() {
            self.unmet.push(format!("{key} is still there"));
            return;
        }
        let (namespace, name) = (key.segment(1), key.segment(2));
        let rollout = self.view.deployments.get(&Key::deployment(namespace, name, job.version));
        let status = rollout.map(|rollout| rollout.status);
        let is_watched = !job.spec.job_type.is_batch() && !job.spec.stop;
        if is_watched && !status.is_some_and(DeploymentStatus::is_terminal) {
            self.unmet.push(format!("the rollout of {key} v{} is {rollout:?}", job.version));
        }
        let has_to_go_back = status == Some(DeploymentStatus::Failed)
            && rollout.and_then(|rollout| rollout.reverted_to).is_some();
        if has_to_go_back {
            self.unmet.push(format!("{key} v{} has failed and is still the newest", job.version));
        }
        let spec = &job.spec;
        let reference = JobRef { namespace: namespace.to_owned(), job: name.to_owned() };
        for group in &spec.groups {
            let group_ref = reference.group(&group.name);
            let roster = self.view.rosters.get(&Key::roster(namespace, name, &group.name));
            for index in self.places(spec, group) {
                let slot = roster.and_then(|roster| roster.slot_at(&index));
                let Some(slot) = slot else {
                    self.unmet.push(format!("{key} {} has no slot {index}", group.name));
                    continue;
                };
                if slot.spec != job.version && status != Some(DeploymentStatus::Failed) {
                    self.unmet.push(format!("{key} slot {index} is at v{}", slot.spec));
                }
                self.slot(&group_ref, (&index, slot), (spec.job_type, group));
            }
        }
    }

    /// Where instances of a group should be.
    fn places(&self, spec: &JobSpec, group: &Group) -> Vec<Index> {
        if spec.stop {
            Vec::new()
        } else if spec.job_type.is_per_node() {
            self.on.iter().map(|node| Index::Node((*node).to_owned())).collect()
        } else {
            (0..group.count()).map(Index::Number).collect()
        }
    }

    /// Whether every node that is on has an instance of a group.
    fn is_everywhere(&self, group: &GroupRef) -> bool {
        let placements = self.view.indexes.placements_of_group(group);
        let wanted = placements.filter(|key| {
            let placement = self.view.placements.get(key);
            placement.is_some_and(|placement| placement.wish == Wish::Run) && !self.view.indexes.is_gone(key)
        });
        let nodes: BTreeSet<&str> = wanted.map(|key| key.segment(1)).collect();
        self.on.is_subset(&nodes)
    }

    fn slot(
        &mut self,
        group: &GroupRef,
        (index, slot): (&Index, &Slot),
        (job_type, asked): (JobType, &Group),
    ) {
        let is_batch = job_type.is_batch();
        let name = allocation_name(&group.job, &group.group, index, slot.version, slot.attempt);
        match slot.state {
            SlotState::Complete if is_batch => return,
            // Given up, as the job's own policy says.
            SlotState::Failed => return,
            SlotState::Complete | SlotState::Wait { .. } => {
                self.unmet.push(format!("{name} is {:?}", slot.state));
                return;
            }
            SlotState::Run => {}
        }
        let placed: Vec<&Key> = self.view.indexes.placements_of_allocation(&group.namespace, &name).collect();
        if placed.is_empty() && has_own_hosts(asked) && self.is_everywhere(group) {
            return; // There is no node left for it.
        }
        let [key] = placed[..] else {
            self.unmet.push(format!("{name} has the placements {placed:?}"));
            return;
        };
        let report = self.view.indexes.report(key);
        let is_right = report.is_some_and(|report| {
            report.state == ClientState::Running && report.healthy == Some(true) && report.spec == slot.spec
        });
        let is_alive = self
            .alive
            .get(key.segment(1))
            .is_some_and(|alive| alive.contains(&format!("{}/{name}", group.namespace)));
        if is_batch || !is_right || !is_alive {
            self.unmet.push(format!("{key}: alive {is_alive}, reported {report:?}"));
        }
    }
}
