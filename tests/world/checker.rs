//! Looks at every revision of the store and at what really runs, and says which rule is broken.
//!
//! The rules carry the numbers of the project's invariant list. Those that one revision shows by itself are in
//! `rules`; here are those that need a memory of what was.

use std::collections::{BTreeMap, BTreeSet};

use encamp::drivers::TaskId;
use encamp::store::Batch;
use plan::View;
use schemas::deployment::DeploymentStatus;
use schemas::entry::Change;
use schemas::key::{Key, Revision};
use schemas::node::NodeState;
use schemas::placement::Wish;
use schemas::report::ClientState;

use crate::machine::Happening;
use crate::rules;

/// What never changes of a placement: job, group, index, version, attempt.
type Identity = (String, String, String, u64, u32);

/// Remembers what a single revision cannot tell.
#[derive(Default)]
pub(crate) struct Checker {
    view: View,
    identities: BTreeMap<Key, Identity>,
    ended: BTreeMap<Key, ClientState>,
    rollouts: BTreeMap<Key, DeploymentStatus>,
    /// By node and task: the incarnation that began last, and the revision that was seen then.
    began: BTreeMap<(String, TaskId), (u32, Revision)>,
    /// What the story itself took away, for no reason of the cluster's.
    pub(crate) vandalised: BTreeSet<Key>,
    /// Every broken rule found, with the revision.
    pub(crate) breaches: Vec<String>,
}

impl Checker {
    /// The store as of the last revision seen.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Takes in one revision and checks everything that follows from the store alone.
    /// Gives the nodes that were called down.
    pub(crate) fn revision(&mut self, batch: &Batch) -> Vec<String> {
        let mut made = Vec::new();
        let was_ready: Vec<Key> = batch
            .changes
            .iter()
            .map(Change::key)
            .filter(|key| self.health(key) == Some(NodeState::Ready))
            .cloned()
            .collect();
        for change in &batch.changes {
            let key = change.key();
            match change {
                Change::Delete { .. } => {
                    let has_ended = key.kind() != "placements" || self.view.indexes.is_gone(key);
                    if has_ended {
                        self.identities.remove(key);
                    } else if self.view.placements.get(key).is_some() && !self.vandalised.contains(key) {
                        self.breaches
                            .push(format!("A1: {key} was deleted, and nobody had said that it ended"));
                    }
                    self.ended.remove(key);
                    self.rollouts.remove(key);
                }
                Change::Put(_) if key.kind() == "placements" && self.view.placements.get(key).is_none() => {
                    made.push(key.clone());
                }
                Change::Put(_) => {}
            }
        }
        self.view.apply(batch.revision, &batch.changes);
        let mut found = rules::broken(&self.view);
        found.extend(rules::unreadable(&self.view, &self.vandalised));
        found.extend(made.iter().flat_map(|key| rules::unfounded(&self.view, key)));
        found.extend(self.identity(batch));
        found.extend(self.ends());
        found.extend(self.finished(batch));
        let revision = batch.revision;
        self.breaches.extend(found.into_iter().map(|text| format!("at revision {revision}: {text}")));
        let down = was_ready.iter().filter(|key| self.health(key) == Some(NodeState::Down));
        down.map(|key| key.segment(1).to_owned()).collect()
    }

    fn health(&self, key: &Key) -> Option<NodeState> {
        self.view.health.get(key).map(|health| health.state)
    }

    /// I7: a placement stays what it was made as.
    fn identity(&mut self, batch: &Batch) -> Vec<String> {
        let mut breaches = Vec::new();
        for key in batch.changes.iter().map(Change::key) {
            let Some(placement) = self.view.placements.get(key) else { continue };
            let identity = (
                placement.job.clone(),
                placement.group.clone(),
                placement.index.to_string(),
                placement.version,
                placement.attempt,
            );
            let known = self.identities.entry(key.clone()).or_insert_with(|| identity.clone());
            if *known != identity {
                breaches.push(format!("I7: {key} was {known:?} and is {identity:?}"));
            }
        }
        breaches
    }

    /// I8: an end is an end.
    fn ends(&mut self) -> Vec<String> {
        let mut breaches = Vec::new();
        let keys: Vec<Key> = self.view.placements.iter().map(|(key, _)| key.clone()).collect();
        for key in keys {
            let state = self.view.indexes.report(&key).map(|report| report.state);
            match (self.ended.get(&key), state) {
                (Some(end), Some(now)) if *end != now => {
                    breaches.push(format!("I8: {key} had ended as {end:?} and is {now:?}"));
                }
                (None, Some(now)) if now.is_terminal() => drop(self.ended.insert(key, now)),
                (_, _) => {}
            }
        }
        breaches
    }

    /// I11: what is over of a rollout never changes.
    fn finished(&mut self, batch: &Batch) -> Vec<String> {
        let mut breaches = Vec::new();
        for key in batch.changes.iter().map(Change::key).filter(|key| key.kind() == "deployments") {
            let Some(rollout) = self.view.deployments.get(key) else { continue };
            let before = self.rollouts.insert(key.clone(), rollout.status);
            if let Some(end) = before.filter(|before| before.is_terminal() && *before != rollout.status) {
                breaches.push(format!("I11: {key} was {end:?} and is {:?}", rollout.status));
            }
        }
        breaches
    }

    /// I22 and I23: nothing begins twice, and what is wanted is stopped by nobody.
    pub(crate) fn happened(&mut self, node: &str, happening: &Happening) {
        let at = |id: &TaskId| Key::placement(node, id.namespace(), id.allocation());
        match happening {
            Happening::Began(id, incarnation) => {
                let was =
                    self.began.insert((node.to_owned(), id.clone()), (*incarnation, self.view.revision));
                let made = self.view.placements.stored(&at(id)).map(|stored| stored.created);
                let is_again = was.is_some_and(|(last, seen)| {
                    *incarnation <= last && made.is_some_and(|made| made <= seen)
                });
                if is_again {
                    self.breaches
                        .push(format!("I23: {} of {node} began again as #{incarnation}", id.as_str()));
                }
            }
            Happening::Stopped(id, incarnation) => {
                let seen = self.began.get(&(node.to_owned(), id.clone())).map(|(_, seen)| *seen);
                let key = at(id);
                let is_wanted = self.view.placements.stored(&key).is_some_and(|stored| {
                    stored.value.wish == Wish::Run && seen.is_some_and(|seen| stored.created <= seen)
                });
                if is_wanted && !self.view.indexes.is_gone(&key) {
                    let what = format!(
                        "I23: {} #{incarnation} of {node} was stopped while it was wanted",
                        id.as_str()
                    );
                    self.breaches.push(what);
                }
            }
            Happening::Ended(..) => {}
            Happening::Off => self.began.retain(|(other, _), _| other != node),
        }
    }

    /// I22: at most one incarnation of a task is alive, and only where its allocation was placed.
    pub(crate) fn reality<'a>(&mut self, alive: impl Iterator<Item = (&'a str, Vec<TaskId>)>) {
        let mut seen: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (node, ids) in alive {
            for id in ids {
                let placement = Key::placement(node, id.namespace(), id.allocation());
                if self.view.placements.get(&placement).is_none() && !self.identities.contains_key(&placement)
                {
                    let what = format!("I22: {} runs on {node}, where it was not placed", id.as_str());
                    self.breaches.push(what);
                }
                seen.entry(id.as_str().to_owned()).or_default().insert(node);
            }
        }
        for (id, nodes) in seen.into_iter().filter(|(_, nodes)| nodes.len() > 1) {
            self.breaches.push(format!("I22: {id} is alive on {nodes:?}"));
        }
    }
}
