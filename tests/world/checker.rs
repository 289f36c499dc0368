//! Looks at every revision of the store and at what really runs, and says which rule is broken.
//!
//! The rules carry the numbers of the project's invariant list.

use std::collections::{BTreeMap, BTreeSet};

use encamp::store::Batch;
use plan::View;
use schemas::entry::Change;
use schemas::key::Key;
use schemas::placement::{Placement, Wish};
use schemas::report::ClientState;

use crate::cluster::Node;

/// Remembers what a single revision cannot tell.
#[derive(Default)]
pub(crate) struct Checker {
    view: View,
    identities: BTreeMap<Key, (String, String, String, u64, u32)>,
    ended: BTreeMap<Key, ClientState>,
    /// Every broken rule found, with the revision.
    pub(crate) breaches: Vec<String>,
}

impl Checker {
    /// The store as of the last revision seen.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Takes in one revision and checks everything that follows from the store alone.
    pub(crate) fn revision(&mut self, batch: &Batch) {
        for change in &batch.changes {
            if let Change::Delete { key } = change {
                self.identities.remove(key);
                self.ended.remove(key);
            }
        }
        self.view.apply(batch.revision, &batch.changes);
        let mut found = Vec::new();
        found.extend(self.one_live_placement_per_slot());
        found.extend(self.capacity_and_ports());
        found.extend(self.identity_and_ends(batch));
        found.extend(self.references());
        found.extend(self.view.unreadable.iter().map(|(key, why)| format!("unreadable {key}: {why}")));
        let revision = batch.revision;
        self.breaches.extend(found.into_iter().map(|text| format!("at revision {revision}: {text}")));
    }

    /// I1 and I3: wanted and not ended, each place of a group has one placement, and no more places than slots.
    fn one_live_placement_per_slot(&self) -> Vec<String> {
        let mut live: BTreeMap<(String, String, String, String), Vec<&Key>> = BTreeMap::new();
        for (key, placement) in self.placements() {
            if placement.wish == Wish::Run && !self.view.indexes.is_gone(key) {
                let place = (
                    key.segment(2).to_owned(),
                    placement.job.clone(),
                    placement.group.clone(),
                    placement.index.to_string(),
                );
                live.entry(place).or_default().push(key);
            }
        }
        let doubled = live.into_iter().filter(|(_, keys)| keys.len() > 1);
        doubled.map(|(place, keys)| format!("I3: {place:?} is wanted more than once: {keys:?}")).collect()
    }

    /// I4 and I5: nothing is promised twice on a node.
    fn capacity_and_ports(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        for (key, fingerprint) in self.view.fingerprints.iter() {
            let node = key.segment(1);
            let usage = self.view.indexes.usage(node);
            if !usage.amount.fits_in(fingerprint.value.usable()) {
                breaches.push(format!("I4: {node} has promised {:?}", usage.amount));
            }
            let doubled: Vec<&u16> =
                usage.ports.iter().filter(|(_, n)| **n > 1).map(|(port, _)| port).collect();
            if !doubled.is_empty() {
                breaches.push(format!("I5: ports {doubled:?} of {node} are promised twice"));
            }
        }
        breaches
    }

    /// I7 and I8: a placement stays what it was made as, and an end is an end.
    fn identity_and_ends(&mut self, batch: &Batch) -> Vec<String> {
        let mut breaches = Vec::new();
        for change in &batch.changes {
            let key = change.key();
            if let Some(placement) = self.view.placements.get(key) {
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
        }
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

    /// I20: what is placed is some version of some job.
    fn references(&self) -> Vec<String> {
        let missing = self.placements().filter(|(key, placement)| {
            let version = Key::version(key.segment(2), &placement.job, placement.spec);
            let wanted = placement.wish == Wish::Run && !self.view.indexes.is_gone(key);
            wanted && self.view.versions.get(&version).is_none()
        });
        missing
            .map(|(key, placement)| format!("I20: {key} runs version {}, which is unknown", placement.spec))
            .collect()
    }

    fn placements(&self) -> impl Iterator<Item = (&Key, &Placement)> {
        self.view.placements.iter().map(|(key, stored)| (key, &stored.value))
    }

    /// I22: at most one incarnation of a task is alive, and only where its allocation was placed.
    pub(crate) fn reality(&mut self, nodes: &[Node]) {
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for machine in nodes.iter().map(|node| &node.machine) {
            for (id, _) in machine.alive() {
                let placement = Key::placement(machine.name(), id.namespace(), id.allocation());
                seen.entry(id.as_str().to_owned()).or_default().insert(machine.name().to_owned());
                if self.view.placements.get(&placement).is_none() && !self.identities.contains_key(&placement)
                {
                    self.breaches.push(format!(
                        "I22: {} runs on {}, where it was not placed",
                        id.as_str(),
                        machine.name()
                    ));
                }
            }
        }
        for (id, nodes) in seen.into_iter().filter(|(_, nodes)| nodes.len() > 1) {
            self.breaches.push(format!("I22: {id} is alive on {nodes:?}"));
        }
    }
}
