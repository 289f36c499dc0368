//! The cut itself: every table at one revision, and how changes reach tables and indexes together.

use std::collections::BTreeMap;

use schemas::deployment::Deployment;
use schemas::entry::{Change, Entry};
use schemas::job::{Job, Version};
use schemas::key::{Key, Revision};
use schemas::leader::Leader;
use schemas::liveness::{Brake, BrakeRelease, HeartbeatSettings};
use schemas::node::{Beat, Fingerprint, Health, Link, Node};
use schemas::placement::Placement;
use schemas::report::{Details, Report};
use schemas::roster::Roster;

use super::{Counters, Indexes, Open, Sight, Table};
use crate::Guard;

/// The cluster at one revision.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Everything up to here is in the tables, nothing after it.
    pub revision: Revision,
    /// `/epoch` as it stands there: which store this is; empty as long as it has no name.
    pub epoch: String,
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
    /// Documents that could not be read, and why: noted, never guessed at.
    pub unreadable: BTreeMap<Key, String>,
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

    /// How often and when a document was written, if the view holds one there.
    pub fn counters(&self, key: &Key) -> Option<Counters> {
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
            "settings" if *key == Key::heartbeat_settings() => self.settings.counters(key),
            "brakes" => self.brakes.counters(key),
            "releases" => self.releases.counters(key),
            "leaders" => self.leaders.counters(key),
            _ => None,
        }
    }

    /// The guard that a document is as this view knows it, or still is not there.
    pub fn as_seen(&self, key: &Key) -> Guard {
        match self.counters(key) {
            Some(counters) => Guard::At(key.clone(), counters.modified),
            None => Guard::Absent(key.clone()),
        }
    }

    fn put(&mut self, entry: &Entry) {
        self.unreadable.remove(&entry.key);
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
            "settings" if entry.key == Key::heartbeat_settings() => self.settings.put(entry).map(drop),
            "brakes" => self.brakes.put(entry).map(drop),
            "releases" => self.releases.put(entry).map(drop),
            "leaders" => self.leaders.put(entry).map(drop),
            "epoch" => {
                self.epoch = String::from_utf8_lossy(&entry.value).into_owned();
                Ok(())
            }
            // Kinds that no controller decides by are not held.
            _ => Ok(()),
        };
        if let Err(error) = read {
            // The last good reading is no longer true; none is better than an old one.
            self.delete(&entry.key);
            self.unreadable.insert(entry.key.clone(), error.to_string());
        }
    }

    fn delete(&mut self, key: &Key) {
        self.unreadable.remove(key);
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
            "settings" => drop(self.settings.delete(key)),
            "brakes" => drop(self.brakes.delete(key)),
            "releases" => drop(self.releases.delete(key)),
            "leaders" => drop(self.leaders.delete(key)),
            "epoch" => self.epoch.clear(),
            _ => {}
        }
    }
}
