//! When which allocation is to be decided about again: one moment for each at most.

use std::collections::{BTreeMap, BTreeSet};

use agent::AllocationId;
use jiff::Timestamp;

/// The timers of all allocations.
#[derive(Debug, Default)]
pub(super) struct Timers {
    order: BTreeSet<(Timestamp, AllocationId)>,
    by_allocation: BTreeMap<AllocationId, Timestamp>,
}

impl Timers {
    /// Replaces the timer of an allocation.
    pub(super) fn set(&mut self, id: &AllocationId, at: Option<Timestamp>) {
        if let Some(before) = self.by_allocation.remove(id) {
            self.order.remove(&(before, id.clone()));
        }
        if let Some(at) = at {
            self.by_allocation.insert(id.clone(), at);
            self.order.insert((at, id.clone()));
        }
    }

    /// The next moment.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// The allocations whose time has come; they have no timer any more.
    pub(super) fn ring(&mut self, now: Timestamp) -> Vec<AllocationId> {
        let mut due = Vec::new();
        while let Some((_, id)) = self.order.first().filter(|(at, _)| *at <= now).cloned() {
            self.set(&id, None);
            due.push(id);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_has_one_timer_and_it_rings_once() {
        let second = |number| Timestamp::from_second(number).unwrap();
        let [one, other] = ["a", "b"].map(|name| AllocationId::new("default", name));
        let mut timers = Timers::default();
        timers.set(&one, Some(second(5)));
        timers.set(&other, Some(second(3)));
        timers.set(&one, Some(second(2)));
        assert_eq!(timers.next(), Some(second(2)));
        assert_eq!(timers.ring(second(3)), [one.clone(), other]);
        assert_eq!(timers.ring(second(9)), [], "the first timer was replaced");
        timers.set(&one, Some(second(5)));
        timers.set(&one, None);
        assert_eq!(timers.next(), None);
    }
}
