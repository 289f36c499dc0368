//! The cut itself: every table at one revision, and how changes reach tables and indexes together.

use std::collections::BTreeSet;

use schemas::deployment::Deployment;
use schemas::entry::{Change, Entry};
use schemas::epoch::Epoch;
use schemas::job::{Job, Version};
use schemas::key::{Key, Revision, Shape};
use schemas::leader::Leader;
use schemas::liveness::{Brake, BrakeRelease, HeartbeatSettings};
use schemas::node::{Beat, Fingerprint, Health, Link, Node};
use schemas::placement::Placement;
use schemas::report::{Details, Report};
use schemas::roster::Roster;
use schemas::tombstone::Tombstone;

use super::{Counters, Indexes, Open, Sight, Table};
use crate::Guard;

/// The cluster at one revision.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Everything up to here is in the tables, nothing after it.
    pub revision: Revision,
    /// `/epoch` as it stands there: which store this is; empty as long as it has no name.
    pub epoch: Epoch,
    /// `/jobs/<namespace>/<job>`
    pub jobs: Table<Job>,
    /// `/versions/<namespace>/<job>/<version>`
    pub versions: Table<Version>,
    /// `/rosters/<namespace>/<job>/<group>`
    pub rosters: Table<Roster>,
    /// `/deployments/<namespace>/<job>/<version>`
    pub deployments: Table<Deployment>,
    /// `/placements/<node>/<namespace>/<allocation>`
    pub placements: Table<Placement>,
    /// `/reports/<node>/<bucket>`; by allocation: [`Indexes::report`].
    pub reports: Table<Report>,
    /// `/details/<node>/<namespace>/<allocation>`
    pub details: Table<Details>,
    /// `/fingerprints/<node>`
    pub fingerprints: Table<Fingerprint>,
    /// `/nodes/<node>`
    pub nodes: Table<Node>,
    /// `/links/<node>`
    pub links: Table<Link>,
    /// `/beats/<server>`
    pub beats: Table<Beat>,
    /// `/health/<node>`
    pub health: Table<Health>,
    /// `/tombstones/<node>`
    pub tombstones: Table<Tombstone>,
    /// `/settings/heartbeat`
    pub settings: Table<HeartbeatSettings>,
    /// `/brakes/nodes`
    pub brakes: Table<Brake>,
    /// `/releases/nodes`
    pub releases: Table<BrakeRelease>,
    /// `/leaders/<controller>`
    pub leaders: Table<Leader>,
    /// What follows from the tables.
    pub indexes: Indexes,
    /// When this process heard from the servers; kept by whoever applies the changes.
    pub sight: Sight,
    /// Where rosters, placements and reports differ.
    pub open: Open,
    /// Documents that are there and cannot be read, and why. What that means for each kind:
    /// [`super::Unreadable`].
    pub unreadable: Table<String>,
    /// Keys of kinds that are not known here.
    pub unknown: BTreeSet<Key>,
}

impl View {
    /// A view of a whole listing.
    pub fn of(revision: Revision, entries: &[Entry]) -> View {
        let mut view = View { revision, ..View::default() };
        for entry in entries {
            view.put(entry);
        }
        view
    }

    /// Takes in one whole revision.
    pub fn apply(&mut self, revision: Revision, changes: &[Change]) {
        assert!(revision >= self.revision, "revisions come in order: {revision} after {}", self.revision);
        for change in changes {
            match change {
                Change::Put(entry) => self.put(entry),
                Change::Delete { key } => self.delete(key),
            }
        }
        self.revision = revision;
    }

    /// How often and when a document was written, if there is one, readable or not.
    pub fn counters(&self, key: &Key) -> Option<Counters> {
        self.unreadable.counters(key).or_else(|| self.counters_of_readable(key))
    }

    fn counters_of_readable(&self, key: &Key) -> Option<Counters> {
        match key.kind() {
            "jobs" => self.jobs.counters(key),
            "versions" => self.versions.counters(key),
            "rosters" => self.rosters.counters(key),
            "deployments" => self.deployments.counters(key),
            "placements" => self.placements.counters(key),
            "reports" => self.reports.counters(key),
            "details" => self.details.counters(key),
            "fingerprints" => self.fingerprints.counters(key),
            "nodes" => self.nodes.counters(key),
            "links" => self.links.counters(key),
            "beats" => self.beats.counters(key),
            "health" => self.health.counters(key),
            "tombstones" => self.tombstones.counters(key),
            "settings" if *key == Key::heartbeat_settings() => self.settings.counters(key),
            "brakes" => self.brakes.counters(key),
            "releases" => self.releases.counters(key),
            "leaders" => self.leaders.counters(key),
            _ => None,
        }
    }

    /// Whether the agent of that fingerprint takes its wishes from this store.
    pub fn is_followed_by(&self, fingerprint: &Fingerprint) -> bool {
        fingerprint.follows.is_empty() || self.epoch.continues(&fingerprint.follows)
    }

    /// The guard that a document is as this view knows it, or still is not there.
    pub fn as_seen(&self, key: &Key) -> Guard {
        match self.counters(key) {
            Some(counters) => Guard::At(key.clone(), counters.modified),
            None => Guard::Absent(key.clone()),
        }
    }

    /// Whether a document is there and cannot be read: neither absent, nor what it said before.
    pub fn is_unreadable(&self, key: &Key) -> bool {
        self.unreadable.get(key).is_some()
    }

    /// Whether an agent of that name ever spoke, whether or not its words can be read.
    pub fn knows_node(&self, node: &str) -> bool {
        let key = Key::fingerprint(node);
        self.fingerprints.get(&key).is_some() || self.is_unreadable(&key)
    }

    fn put(&mut self, entry: &Entry) {
        match entry.key.shape() {
            Shape::Known => {}
            Shape::Malformed => {
                return self.unreadable.hold(entry, "no document of its kind has such a key".to_owned());
            }
            Shape::Unknown => {
                self.unknown.insert(entry.key.clone());
                return;
            }
        }
        let was_unreadable = self.unreadable.delete(&entry.key).is_some();
        let read = match entry.key.kind() {
            "jobs" => self.jobs.put(entry).map(drop),
            "versions" => self.versions.put(entry).map(drop),
            "rosters" => self.rosters.put(entry).map(|_| self.refold_roster(&entry.key)),
            "deployments" => self.deployments.put(entry).map(drop),
            "placements" => self.placements.put(entry).map(|old| {
                self.indexes.placement(&entry.key, old.as_ref(), self.placements.stored(&entry.key));
                self.refold_placement(&entry.key, old.as_ref());
            }),
            "reports" => self.reports.put(entry).map(|old| self.refold_report(&entry.key, old.as_ref())),
            "details" => self.details.put(entry).map(drop),
            "fingerprints" => self.fingerprints.put(entry).map(|old| {
                if old.is_none() {
                    self.refold_node(entry.key.segment(1));
                }
            }),
            "nodes" => self.nodes.put(entry).map(drop),
            "links" => self.links.put(entry).map(drop),
            "beats" => self.beats.put(entry).map(drop),
            "health" => self.health.put(entry).map(drop),
            "tombstones" => self.tombstones.put(entry).map(|_| self.refold_tombstone(entry.key.segment(1))),
            "settings" if entry.key == Key::heartbeat_settings() => self.settings.put(entry).map(drop),
            "brakes" => self.brakes.put(entry).map(drop),
            "releases" => self.releases.put(entry).map(drop),
            "leaders" => self.leaders.put(entry).map(drop),
            "epoch" => Epoch::read(&entry.value).map(|epoch| self.epoch = epoch),
            // Kinds that no controller decides by are not held.
            _ => Ok(()),
        };
        if let Err(error) = read {
            // The last good reading is no longer true. That there is something stays true.
            self.unreadable.hold(entry, error.to_string());
            if !was_unreadable {
                self.forget_reading(&entry.key);
            }
            self.refold_unreadable(&entry.key);
        }
    }

    fn delete(&mut self, key: &Key) {
        self.unknown.remove(key);
        let was_unreadable = self.unreadable.delete(key).is_some();
        if key.shape() != Shape::Known {
            return;
        }
        self.forget_reading(key);
        if was_unreadable {
            self.refold_unreadable(key);
        }
        if key.kind() == "epoch" {
            self.epoch = Epoch::default();
        }
    }

    /// Takes a document's reading, if there is one, out of the tables and indexes.
    fn forget_reading(&mut self, key: &Key) {
        match key.kind() {
            "jobs" => drop(self.jobs.delete(key)),
            "versions" => drop(self.versions.delete(key)),
            "rosters" => {
                drop(self.rosters.delete(key));
                self.refold_roster(key);
            }
            "deployments" => drop(self.deployments.delete(key)),
            "placements" => {
                let old = self.placements.delete(key);
                self.indexes.placement(key, old.as_ref(), None);
                self.refold_placement(key, old.as_ref());
            }
            "reports" => {
                let old = self.reports.delete(key);
                self.refold_report(key, old.as_ref());
            }
            "details" => drop(self.details.delete(key)),
            "fingerprints" => {
                drop(self.fingerprints.delete(key));
                self.refold_node(key.segment(1));
            }
            "nodes" => drop(self.nodes.delete(key)),
            "links" => drop(self.links.delete(key)),
            "beats" => drop(self.beats.delete(key)),
            "health" => drop(self.health.delete(key)),
            "tombstones" => {
                self.tombstones.delete(key);
                self.refold_tombstone(key.segment(1));
            }
            "settings" => drop(self.settings.delete(key)),
            "brakes" => drop(self.brakes.delete(key)),
            "releases" => drop(self.releases.delete(key)),
            "leaders" => drop(self.leaders.delete(key)),
            _ => {}
        }
    }
}
