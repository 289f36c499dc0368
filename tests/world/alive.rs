//! Who beats, and who could hear it: a node that lives is never called down.
//!
//! L1: when a node is called down, its agent was not heard for a whole grace some time before, the times left out in
//! which nobody could hear (all servers stood still, or the store did).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long a node may be silent.
const GRACE: Duration = Duration::from_secs(6);
/// What is seen twice a second is seen late.
const SLACK: Duration = Duration::from_millis(1_500);
/// How long before it was called down the silence may lie.
const MEMORY: Duration = Duration::from_secs(45);

/// Remembers who was heard.
pub(crate) struct Alive {
    heard: BTreeMap<String, Vec<Instant>>,
    /// From when to when nobody could hear.
    deaf: Vec<(Instant, Instant)>,
    looked: Instant,
    /// Whether the rule holds now: not while the store loses what servers write.
    pub(crate) is_strict: bool,
    /// When nodes were called down.
    pub(crate) downs: Vec<(String, Instant)>,
}

impl Default for Alive {
    fn default() -> Alive {
        let (heard, deaf, downs) = Default::default();
        Alive { heard, deaf, looked: Instant::now(), is_strict: true, downs }
    }
}

impl Alive {
    /// These were heard.
    pub(crate) fn heard(&mut self, heard: BTreeMap<String, Vec<Instant>>) {
        for (node, beats) in heard {
            self.heard.entry(node).or_default().extend(beats);
        }
    }

    /// Whether anybody can hear now.
    pub(crate) fn look(&mut self, can_hear: bool) {
        let now = Instant::now();
        if !can_hear {
            self.deaf.push((self.looked, now));
        }
        self.looked = now;
    }

    /// A node is called down: the rule that this breaks.
    pub(crate) fn down(&mut self, node: &str) -> Option<String> {
        let now = Instant::now();
        self.downs.push((node.to_owned(), now));
        let beats = self.heard.get(node)?;
        let ends = beats.iter().skip(1).chain([&now]);
        let recent = beats.iter().zip(ends).filter(|(_, end)| now - **end < MEMORY);
        let silence = recent.map(|(begin, end)| self.heard_nothing(*begin, *end)).max().unwrap_or_default();
        let is_alive = self.is_strict && silence + SLACK < GRACE;
        is_alive
            .then(|| format!("L1: {node} is called down and was never silent for longer than {silence:?}"))
    }

    /// How long somebody could have heard and did not.
    fn heard_nothing(&self, begin: Instant, end: Instant) -> Duration {
        let overlap =
            |(from, to): &(Instant, Instant)| (*to).min(end).saturating_duration_since((*from).max(begin));
        (end - begin).saturating_sub(self.deaf.iter().map(overlap).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heard at these seconds, nobody could hear within those, called down at the end.
    fn told(beats: &[u64], deaf: (u64, u64), down: u64) -> bool {
        let begin = Instant::now() - Duration::from_secs(1_000);
        let at = |second: u64| begin + Duration::from_secs(second);
        let mut alive = Alive::default();
        let moved = Instant::now() - at(down);
        let at = |second: u64| at(second) + moved;
        alive.heard([("n1".to_owned(), beats.iter().map(|beat| at(*beat)).collect())].into());
        alive.deaf.push((at(deaf.0), at(deaf.1)));
        alive.down("n1").is_some()
    }

    #[test]
    fn l1_a_node_that_beats_is_not_called_down() {
        assert!(told(&[0, 2, 4, 6, 8], (0, 0), 9), "it was heard all the time");
        assert!(!told(&[0, 2, 4], (0, 0), 10), "it was silent");
        assert!(told(&[0, 2, 12, 14], (3, 11), 15), "nobody could hear");
        assert!(!told(&[0, 2, 12, 14], (3, 5), 15), "somebody could hear for long enough");
    }
}
