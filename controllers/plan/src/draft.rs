//! Gathers writes into steps that fit a transaction.

use std::collections::BTreeSet;

use schemas::key::Key;

use crate::{Guard, Step, View, Write};

/// The most guards and the most writes of one step: etcd takes 128 of each, the control loop adds its own.
pub const STEP_LIMIT: usize = 100;

/// Gathers writes into steps. Every write is guarded by what the view knew of its key; writes of one call
/// stay together, with what they rest on; a step that is full is followed by another.
#[derive(Debug)]
pub struct Draft<'a> {
    view: &'a View,
    full: Vec<Step<Write>>,
    writes: Vec<Write>,
    seen: BTreeSet<Key>,
}

impl<'a> Draft<'a> {
    /// An empty draft of a plan made from this view.
    pub fn new(view: &'a View) -> Draft<'a> {
        Draft { view, full: Vec::new(), writes: Vec::new(), seen: BTreeSet::new() }
    }

    /// These writes together, if the documents under `rests_on` are as the view knows them. A document that
    /// an earlier step of the draft rewrites must not be rested on.
    pub fn add(&mut self, rests_on: &[Key], writes: impl IntoIterator<Item = Write>) {
        let writes: Vec<Write> = writes.into_iter().collect();
        if writes.is_empty() {
            return;
        }
        assert!(writes.len() <= STEP_LIMIT, "{} writes cannot stay together in one step", writes.len());
        let keys: BTreeSet<Key> =
            writes.iter().map(|write| write.key().clone()).chain(rests_on.iter().cloned()).collect();
        let guards = self.seen.len() + keys.difference(&self.seen).count();
        if guards > STEP_LIMIT || self.writes.len() + writes.len() > STEP_LIMIT {
            self.close();
        }
        self.seen.extend(keys);
        self.writes.extend(writes);
    }

    /// What follows happens only after all of this.
    pub fn close(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        let effects = std::mem::take(&mut self.writes);
        if !effects.is_empty() {
            let guards: Vec<Guard> = seen.iter().map(|key| self.view.as_seen(key)).collect();
            self.full.push(Step { guards, effects });
        }
    }

    /// The steps.
    pub fn steps(mut self) -> Vec<Step<Write>> {
        self.close();
        self.full
    }
}
