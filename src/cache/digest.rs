//! The comparison of a cache with its store, now and then: old versions of etcd lose events of a watch.
//!
//! A listing takes its time and the cache goes on meanwhile. So the keys that changed since the listing was asked
//! for are set aside, and the others are compared once the cache has come as far as the listing: what differs then
//! was never told. A store that never stands still is compared like any other.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::BoxFuture;
use schemas::entry::Change;
use schemas::key::{Key, Prefix, Revision};
use tokio::time::{Interval, MissedTickBehavior};

use super::difference::{Known, difference};
use store::{Listing, ReadError, Store};

/// One comparison after the other.
pub(super) struct Digest<'a, S> {
    store: &'a S,
    ticks: Interval,
    asking: Option<BoxFuture<'a, Result<Listing, ReadError>>>,
    listed: Option<Listing>,
    /// The keys that changed since the listing was asked for.
    touched: BTreeSet<Key>,
}

impl<'a, S: Store> Digest<'a, S> {
    /// Compares at this pace, not at once.
    pub(super) fn every(time: Duration, store: &'a S) -> Self {
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + time, time);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Digest { store, ticks, asking: None, listed: None, touched: BTreeSet::new() }
    }

    /// Waits until something is to be done and does it. May be dropped at any moment and called again.
    pub(super) async fn step(&mut self) {
        if let Some(asking) = &mut self.asking {
            let listing = asking.await;
            self.asking = None;
            self.listed = listing.ok();
        } else {
            self.ticks.tick().await;
            self.touched.clear();
            self.listed = None;
            let store = self.store;
            self.asking = Some(Box::pin(async move { store.list(&Prefix::all()).await }));
        }
    }

    /// Notes what the watch told.
    pub(super) fn told(&mut self, changes: &[Change]) {
        if self.asking.is_some() || self.listed.is_some() {
            self.touched.extend(changes.iter().map(|change| change.key().clone()));
        }
    }

    /// What the watch should have told and did not, once the cache has come as far as the listing.
    pub(super) fn missed(&mut self, known: &Known, at: Revision) -> Vec<Change> {
        let Some(listing) = self.listed.take_if(|listing| listing.revision <= at) else { return Vec::new() };
        let mut changes = difference(known, listing.entries, listing.revision);
        changes.retain(|change| !self.touched.contains(change.key()));
        changes
    }
}
