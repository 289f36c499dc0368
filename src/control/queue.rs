//! Which root is planned next: each once, however often it was named; late ones in time; failing ones
//! with growing pauses; none while its last plan is still being committed or not yet seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use schemas::key::{Key, Revision};
use tokio::time::Instant;

/// The first pause after a failure, and the longest: client-go's defaults are 5 ms and 1,000 s; half a
/// minute is as long as an operator waits for a cluster to heal.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(30));

/// The roots that are to be planned.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: VecDeque<Key>,
    queued: BTreeSet<Key>,
    busy: BTreeMap<Key, Again>,
    waiting_for: BTreeMap<Key, Revision>,
    timers: BTreeSet<(Instant, Key)>,
    wake_at: BTreeMap<Key, Instant>,
    failures: BTreeMap<Key, u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    No,
    Yes,
}

impl Queue {
    /// Names a root. Named while busy, it comes again afterwards.
    pub(super) fn push(&mut self, root: Key) {
        if let Some(again) = self.busy.get_mut(&root) {
            *again = Again::Yes;
        } else if self.queued.insert(root.clone()) {
            self.ready.push_back(root);
        }
    }

    /// Names a root from `at` on; of several wishes the earliest counts.
    pub(super) fn push_at(&mut self, root: Key, at: Instant) {
        if self.wake_at.get(&root).is_some_and(|earlier| *earlier <= at) {
            return;
        }
        if let Some(later) = self.wake_at.insert(root.clone(), at) {
            self.timers.remove(&(later, root.clone()));
        }
        self.timers.insert((at, root));
    }

    /// The next root that may be planned with a view at `seen`; it is busy until [`Queue::done`].
    pub(super) fn pop(&mut self, seen: Revision, now: Instant) -> Option<Key> {
        self.ring(now);
        for _ in 0..self.ready.len() {
            let root = self.ready.pop_front()?;
            if self.waiting_for.get(&root).is_some_and(|revision| *revision > seen) {
                self.ready.push_back(root);
                continue;
            }
            self.waiting_for.remove(&root);
            self.queued.remove(&root);
            self.forget_timer(&root);
            self.busy.insert(root.clone(), Again::No);
            return Some(root);
        }
        None
    }

    /// The plan of a root was committed, last at `committed`: it is not planned again before the view is there.
    pub(super) fn done(&mut self, root: &Key, committed: Option<Revision>) {
        self.failures.remove(root);
        let again = self.busy.remove(root);
        if let Some(revision) = committed {
            self.waiting_for.insert(root.clone(), revision);
        }
        // After an own write the plan may go on: it is asked again once the write is seen.
        if again == Some(Again::Yes) || committed.is_some() {
            self.push(root.clone());
        }
    }

    /// The plan of a root could not be committed: again after a pause.
    pub(super) fn failed(&mut self, root: &Key, now: Instant) {
        self.busy.remove(root);
        let failures = self.failures.entry(root.clone()).or_default();
        let pause = BACKOFF.0.saturating_mul(1 << (*failures).min(20)).min(BACKOFF.1);
        *failures += 1;
        self.push_at(root.clone(), now + pause);
    }

    /// When the next timer rings.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// How many roots are named, timers left out.
    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    fn ring(&mut self, now: Instant) {
        while let Some((at, root)) = self.timers.first().cloned() {
            if at > now {
                return;
            }
            self.forget_timer(&root);
            self.push(root);
        }
    }

    fn forget_timer(&mut self, root: &Key) {
        if let Some(at) = self.wake_at.remove(root) {
            self.timers.remove(&(at, root.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(name: &str) -> Key {
        Key::job("default", name)
    }

    #[test]
    fn a_root_named_twice_comes_once_and_again_if_named_while_busy() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.push(root("a"));
        queue.push(root("a"));
        assert_eq!(queue.pop(Revision(1), now), Some(root("a")));
        queue.push(root("a"));
        assert_eq!(queue.pop(Revision(1), now), None, "never twice at once");
        queue.done(&root("a"), None);
        assert_eq!(queue.pop(Revision(1), now), Some(root("a")));
        queue.done(&root("a"), None);
        assert_eq!(queue.pop(Revision(1), now), None);
    }

    #[test]
    fn after_a_commit_a_root_waits_until_the_view_is_there() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.push(root("a"));
        assert_eq!(queue.pop(Revision(1), now), Some(root("a")));
        queue.done(&root("a"), Some(Revision(9)));
        queue.push(root("b"));
        assert_eq!(queue.pop(Revision(8), now), Some(root("b")), "others do not wait");
        assert_eq!(queue.pop(Revision(8), now), None);
        assert_eq!(queue.pop(Revision(9), now), Some(root("a")));
    }

    #[test]
    fn failures_pause_longer_and_longer_and_a_success_forgets_them() {
        let (mut queue, mut now) = (Queue::default(), Instant::now());
        queue.push(root("a"));
        for pause_ms in [5, 10, 20] {
            assert_eq!(queue.pop(Revision(1), now), Some(root("a")));
            queue.failed(&root("a"), now);
            assert_eq!(queue.next_timer(), Some(now + Duration::from_millis(pause_ms)));
            now += Duration::from_millis(pause_ms);
        }
        assert_eq!(queue.pop(Revision(1), now), Some(root("a")));
        queue.done(&root("a"), None);
        queue.push(root("a"));
        assert_eq!(queue.pop(Revision(1), now), Some(root("a")));
        queue.failed(&root("a"), now);
        assert_eq!(queue.next_timer(), Some(now + Duration::from_millis(5)));
    }
}
