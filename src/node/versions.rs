//! The job versions that this node's placements refer to.
//!
//! A version never changes while its job lives. A job that is deleted and made again counts its versions from 0
//! again, so what was read once answers for no placement that is younger, unless an older one lives beside it.

use std::collections::BTreeSet;
use std::time::Duration;

use agent::{AllocationId, VersionFact, Wanted};
use schemas::job::Version;
use schemas::key::{Key, Revision};

use super::hear::AGAIN;
use super::run::Agent;
use super::works::{self, Pause};
use store::{ReadError, Store};

/// How long to wait for a job version that the store does not have.
const MISSING_AGAIN: Duration = Duration::from_secs(5);
/// A moment that keeps a store that lags behind its own watch from being asked without end.
const SOON: Duration = Duration::from_millis(20);

/// A version as it was read.
#[derive(Clone, Debug)]
pub(super) struct ReadVersion {
    fact: VersionFact,
    /// The store was at least here then.
    at: Revision,
}

/// What the store answered: where it stood, and the version if it has it.
pub(crate) type VersionAnswer = Result<(Revision, Option<Box<Version>>), ReadError>;

impl<S: Store> Agent<S> {
    /// What is known of the version that a new placement refers to; fetches it if nothing is.
    pub(super) fn version(&mut self, key: Key, created: Revision) -> VersionFact {
        if let Some(read) = self.versions.get(&key)
            && (read.at >= created || self.is_used(&key, read.at))
        {
            return read.fact.clone();
        }
        self.versions.insert(key.clone(), ReadVersion { fact: VersionFact::Fetching, at: created });
        self.works.spawn(works::fetch(self.world.store.clone(), key));
        VersionFact::Fetching
    }

    /// Whether a placement made by then still lives, and with it its job.
    fn is_used(&self, key: &Key, by: Revision) -> bool {
        let mut wishes = self.local.wishes.iter();
        wishes.any(|(id, wanted)| wanted.created <= by && version_key(id, wanted) == *key)
    }

    /// Drops job versions that no placement refers to any more.
    pub(super) fn forget_versions(&mut self) {
        if self.versions.len() > 2 * self.local.wishes.len() + 8 {
            let wishes = self.local.wishes.iter();
            let used: BTreeSet<Key> = wishes.map(|(id, wanted)| version_key(id, wanted)).collect();
            self.versions.retain(|key, _| used.contains(key));
        }
    }

    pub(super) fn on_version_read(&mut self, key: Key, answer: VersionAnswer) {
        match answer {
            Ok((at, Some(version))) => self.on_version(key, VersionFact::Known(version.spec.into()), at),
            Ok((at, None)) => {
                tracing::warn!(%key, "a placement refers to a job version that is not there");
                self.on_version(key.clone(), VersionFact::Missing, at);
                self.pause(MISSING_AGAIN, Pause::Fetch(key));
            }
            Err(ReadError::Unavailable) => self.pause(AGAIN, Pause::Fetch(key)),
        }
    }

    fn on_version(&mut self, key: Key, fact: VersionFact, at: Revision) {
        let mut is_too_old = false;
        for (id, wanted) in &mut self.local.wishes {
            if version_key(id, wanted) != key {
                continue;
            }
            if wanted.created <= at {
                wanted.job = fact.clone();
                self.dirty.insert(id.clone());
            } else {
                is_too_old = true;
            }
        }
        if is_too_old {
            // Asked before the youngest placement was made, and perhaps before its job was.
            self.pause(SOON, Pause::Fetch(key));
        } else {
            self.versions.insert(key, ReadVersion { fact, at });
        }
    }

    pub(super) fn fetch_again(&mut self, key: Key) {
        if self.local.wishes.iter().any(|(id, wanted)| version_key(id, wanted) == key) {
            self.works.spawn(works::fetch(self.world.store.clone(), key));
        } else {
            self.versions.remove(&key);
        }
    }
}

fn version_key(id: &AllocationId, wanted: &Wanted) -> Key {
    Key::version(id.namespace(), &wanted.placement.job, wanted.placement.spec)
}
