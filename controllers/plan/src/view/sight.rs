//! When this process last heard from each server: the one thing in a view that the store does not hold.
//!
//! Beats are compared by this process's own clock alone; what the machines of other servers think the time
//! is never matters. Silence counts only while somebody is heard, if only this process's own server: who was cut
//! off or asleep has heard nothing, and in a store that takes no writes nobody can beat; neither is news of others.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemas::key::Key;

/// Without any beat for this long the process sees nothing: its own server beats once a second.
const BLIND_AFTER: SignedDuration = SignedDuration::from_secs(3);

/// What was heard, and since when there was anything to hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    heard: BTreeMap<String, Timestamp>,
    since: Option<Timestamp>,
    last: Option<Timestamp>,
    unreadable: BTreeMap<Key, Timestamp>,
}

impl Sight {
    /// A server's beat has changed.
    pub fn heard(&mut self, server: &str, now: Timestamp) {
        let is_gap = self.last.is_none_or(|last| now.duration_since(last) > BLIND_AFTER);
        if is_gap || self.since.is_none_or(|since| since > now) {
            self.since = Some(now);
        }
        self.last = Some(now);
        self.heard.insert(server.to_owned(), now);
    }

    /// A document was found to be unreadable, or not to be any more.
    pub fn found(&mut self, key: &Key, is_unreadable: bool, now: Timestamp) {
        if is_unreadable {
            self.unreadable.entry(key.clone()).or_insert(now);
        } else {
            self.unreadable.remove(key);
        }
    }

    /// Since when a document is unreadable and servers could be heard to mend it, as far as this process can tell;
    /// nothing if it cannot.
    pub fn unreadable_since(&self, key: &Key, now: Timestamp) -> Option<Timestamp> {
        let found = self.unreadable.get(key)?;
        let last = self.last.filter(|last| now.duration_since(*last) <= BLIND_AFTER)?;
        self.since.filter(|since| *since <= last).map(|since| since.max(*found))
    }

    /// Since when a server is silent, as far as this process can tell; nothing if it cannot.
    pub fn silent_since(&self, server: &str, now: Timestamp) -> Option<Timestamp> {
        let last = self.last.filter(|last| now.duration_since(*last) <= BLIND_AFTER)?;
        let since = self.since.filter(|since| *since <= last)?;
        Some(self.heard.get(server).map_or(since, |heard| since.max(*heard)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn silence_counts_only_while_somebody_is_heard() {
        let mut sight = Sight::default();
        assert_eq!(sight.silent_since("s1", at(0)), None, "nothing heard yet");
        sight.heard("own", at(0));
        assert_eq!(sight.silent_since("s1", at(0)), Some(at(0)), "the grace begins with sight");
        for second in 1..=5 {
            sight.heard("own", at(second));
        }
        sight.heard("s1", at(5));
        assert_eq!(sight.silent_since("s1", at(7)), Some(at(5)));
        assert_eq!(sight.silent_since("s1", at(60)), None, "hearing nobody is blindness, not silence");
        sight.heard("own", at(60));
        assert_eq!(sight.silent_since("s1", at(61)), Some(at(60)), "and sight begins anew after it");
    }
}
