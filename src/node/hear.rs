//! What the loop makes of news, events and answers.

use std::time::Duration;

use agent::{AllocationId, Wanted};
use schemas::codec;
use schemas::entry::{Change, Entry};
use schemas::key::{Key, Revision};
use schemas::placement::Placement;
use tokio::task::JoinError;
use tokio::time::Instant;

use super::feed::{News, Whole};
use super::reality::{allocation_of, asked_to_stop};
use super::reports::Flight;
use super::run::{Agent, Pace, Saving};
use super::works::{self, Done, Pause};
use drivers::contract::{Event, RunningTask, StartError, Unavailable};
use store::{CommitError, Store};

/// How long to wait before asking again what was not answered.
pub(super) const AGAIN: Duration = Duration::from_millis(500);
/// How long to wait before reading reports that somebody else may be writing.
const READ_AGAIN: Duration = Duration::from_millis(20);
/// The least time between two savings of the memory: changes of this time are saved together.
const SAVE_GAP: Duration = Duration::from_millis(200);

impl<S: Store> Agent<S> {
    pub(super) fn on_news(&mut self, news: News) {
        match news {
            News::Silence => tracing::debug!("the store is out of reach; tasks go on"),
            News::Foreign(epoch) => self.on_foreign(&epoch),
            News::Whole(whole) => self.on_whole(&whole),
            News::Changes(batch) => {
                for change in batch.changes {
                    match change {
                        Change::Put(entry) => self.wish(&entry),
                        Change::Delete { key } => self.unwish(&key),
                    }
                }
            }
        }
    }

    /// Nothing that this store says is meant for what runs here: it goes on until somebody accepts the store.
    fn on_foreign(&mut self, epoch: &str) {
        if std::mem::replace(&mut self.is_abroad, true) {
            return;
        }
        let follows = self.follows.borrow();
        let epoch = if epoch.is_empty() { "without a name" } else { epoch };
        tracing::error!(
            follows = *follows,
            found = epoch,
            "the servers have another store: tasks go on as they are, and nothing new is taken from it; if it \
             is the right one: encamp operator store accept"
        );
    }

    fn on_whole(&mut self, whole: &Whole) {
        if std::mem::replace(&mut self.is_abroad, false) {
            tracing::info!(epoch = whole.epoch, "following the servers' store again");
        }
        if self.epoch != whole.epoch {
            self.epoch.clone_from(&whole.epoch);
            // Revisions and versions of another history mean nothing here.
            self.versions.clear();
            self.save();
        }
        self.local.disowned = whole.purged;
        if !self.local.complete {
            self.local.reports = self.reports.adopt(&whole.reports);
        } else if matches!(self.report_pace, Pace::From(_)) {
            // A store that was restored may hold what this node said long ago, and somebody may have taken it away.
            self.reports.compare(&whole.reports);
        }
        self.local.wishes.clear();
        self.local.unreadable.clear();
        whole.placements.iter().for_each(|entry| self.wish(entry));
        let another_had = |entry: &&Entry| whole.taken_over_at.is_some_and(|at| entry.created < at);
        let inherited = whole.placements.iter().filter(another_had);
        self.local.inherited = inherited.filter_map(|entry| AllocationId::of_placement(&entry.key)).collect();
        self.local.complete = true;
        let (store, node) = (self.world.store.clone(), self.config.name.clone());
        self.works.spawn(works::read_details(store, node));
        self.dirty.extend(self.local.allocations());
    }

    fn wish(&mut self, entry: &Entry) {
        let Some(id) = AllocationId::of_placement(&entry.key) else { return };
        let placement = match codec::decode::<Placement>(&entry.value) {
            Ok(placement) => placement,
            Err(error) => {
                tracing::error!(key = %entry.key, "a placement cannot be read: {error}");
                self.local.unreadable.insert(id);
                return;
            }
        };
        self.local.unreadable.remove(&id);
        let key = Key::version(id.namespace(), &placement.job, placement.spec);
        let job = self.version(key, entry.created);
        self.local.wishes.insert(id.clone(), Wanted { placement, created: entry.created, job });
        self.dirty.insert(id);
    }

    fn unwish(&mut self, key: &Key) {
        let Some(id) = AllocationId::of_placement(key) else { return };
        self.local.unreadable.remove(&id);
        self.local.wishes.remove(&id);
        self.dirty.insert(id);
        self.forget_versions();
    }

    pub(super) fn on_event(&mut self, driver: &str, event: Event) {
        match event {
            Event::Started { id, .. } => {
                if self.reality.driver_of(&id).is_none() {
                    self.look(driver);
                }
            }
            Event::Exited { id, incarnation, exit } => {
                self.reality.exited(&mut self.local.tasks, driver, (&id, incarnation), &exit);
                self.dirty.insert(allocation_of(&id));
            }
            Event::Resync => self.look(driver),
        }
    }

    pub(super) fn on_done(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(done) => self.on_answer(done),
            Err(error) => tracing::error!("a work of the agent failed: {error}"),
        }
    }

    fn on_answer(&mut self, done: Done) {
        match done {
            Done::Started { id, incarnation, answer } => {
                if let Err(error) = &answer {
                    tracing::warn!(task = %id, "did not start: {error}");
                }
                if matches!(answer, Err(StartError::StillAlive(_)))
                    && let Some(driver) = self.reality.driver_of(&id)
                {
                    let driver = driver.to_owned();
                    self.pause(AGAIN, Pause::Look(driver));
                }
                let now = self.world.clock.now();
                self.reality.started(&mut self.local.tasks, (&id, incarnation), answer, now);
                self.dirty.insert(allocation_of(&id));
            }
            Done::Removed(id) => {
                self.removing.remove(&id);
                // It may have been placed again under the same name.
                self.dirty.insert(id);
            }
            // Details that were not read are read again with the next listing.
            Done::Stopped { answer: Ok(()), .. } | Done::Sealed | Done::DetailsRead(Err(_)) => {}
            Done::Stopped { id, answer: Err(error) } => {
                tracing::warn!(task = %id, "was not stopped: {error}");
                asked_to_stop(&mut self.local.tasks, &id, None);
                self.pause(AGAIN, Pause::Decide(allocation_of(&id)));
            }
            Done::Forgot { id, answer: Ok(()) } => {
                self.reality.forgotten(&mut self.local.tasks, &id);
                self.dirty.insert(allocation_of(&id));
            }
            Done::Forgot { id, answer: Err(error) } => {
                tracing::warn!(task = %id, "was not forgotten: {error}");
                self.pause(AGAIN, Pause::Decide(allocation_of(&id)));
            }
            Done::Listed { driver, asked, answer } => self.on_listed(&driver, asked, answer),
            Done::Version { key, answer } => self.on_version_read(key, answer),
            Done::Reported { flight, answer } => self.on_reported(&flight, answer),
            Done::ReportsRead(Ok(entries)) => {
                self.reports.compare(&entries);
                self.may_report();
            }
            Done::ReportsRead(Err(_)) => self.pause(AGAIN, Pause::ReadReports),
            Done::DetailsRead(Ok(keys)) => self.on_details_read(&keys),
            Done::Saved => self.pause(SAVE_GAP, Pause::Save),
            Done::Detailed(Ok(_)) => self.details.landed(),
            Done::Detailed(Err(error)) => {
                tracing::debug!("details were not written: {error}");
                self.details.again();
            }
        }
    }

    fn on_listed(&mut self, driver: &str, asked: u64, answer: Result<Vec<RunningTask>, Unavailable>) {
        self.unasked.remove(driver);
        match answer {
            Ok(listing) => {
                let changed = self.reality.listed(&mut self.local.tasks, driver, asked, listing);
                self.dirty.extend(changed);
                self.look_failures.remove(driver);
                if self.local.blind.remove(driver) {
                    self.dirty.extend(self.local.allocations());
                }
            }
            Err(error) => {
                let failures = self.look_failures.entry(driver.to_owned()).or_default();
                if *failures == 0 {
                    tracing::warn!(driver, "the driver does not answer, its tasks are left alone: {error}");
                }
                *failures += 1;
                let pause = AGAIN.saturating_mul(1 << (*failures).min(6));
                if self.local.blind.contains(driver) {
                    self.pause(pause, Pause::Look(driver.to_owned()));
                }
            }
        }
    }

    fn on_reported(&mut self, flight: &Flight, answer: Result<Revision, CommitError>) {
        match &answer {
            Ok(_) => self.details.carried_landed(),
            Err(_) => self.details.carried_again(),
        }
        match answer {
            Ok(revision) => {
                self.reports.landed(&flight.buckets, revision, &flight.txn);
                self.are_reports_stuck = false;
                self.may_report();
            }
            Err(error @ (CommitError::NotApplied | CommitError::Full)) => {
                if !std::mem::replace(&mut self.are_reports_stuck, true) {
                    tracing::warn!("reports are sent again until they are written: {error}");
                }
                self.reports.again(&flight.buckets);
                self.report_pace = Pace::From(Instant::now() + AGAIN);
            }
            Err(error @ (CommitError::Conflict | CommitError::Unknown | CommitError::TooLarge)) => {
                tracing::warn!("reading this node's reports again: {error}");
                self.reports.again(&flight.buckets);
                self.pause(READ_AGAIN, Pause::ReadReports);
            }
        }
    }

    pub(super) fn on_passed(&mut self, pause: Pause) {
        match pause {
            Pause::Look(driver) => self.look(&driver),
            Pause::Decide(id) => {
                self.dirty.insert(id);
            }
            Pause::ReadReports => {
                let (store, node) = (self.world.store.clone(), self.config.name.clone());
                self.works.spawn(works::read_reports(store, node));
            }
            Pause::Fetch(key) => self.fetch_again(key),
            Pause::Measure => self.measure(),
            Pause::Measured(measured, took) => self.on_measured(measured, took),
            Pause::Save => {
                if std::mem::replace(&mut self.saving, Saving::Idle) == Saving::BusyAndDirty {
                    self.save();
                }
            }
        }
    }
}
