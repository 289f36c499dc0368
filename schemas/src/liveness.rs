//! How silence of nodes is judged: the settings, the brake on mass loss, and the word that releases it.
//!
//! `HeartbeatSettings` is what people decided, `Brake` what the heartbeat controller makes of many nodes that fall
//! silent at once, `BrakeRelease` a person's word that lets the silent nodes go.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::Document;
use crate::duration::Duration;
use crate::node::NodeSpec;

/// How often an agent beats.
pub const BEAT_EVERY: Duration = Duration::from_seconds(2);
/// The shortest grace: two beats, so that one may be lost.
pub const SHORTEST_GRACE: Duration = BEAT_EVERY.times(2);
/// The longest grace.
pub const LONGEST_GRACE: Duration = Duration::from_hours(24);

/// How silence is judged (`/settings/heartbeat`). Without this document the defaults hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HeartbeatSettings {
    /// How long a node or a server may be silent, from 4s to 24h. Default: 6s, three missed beats.
    pub grace: Duration,
    /// How long a node may be silent that a server has not heard since the server started, took over or was paused,
    /// from `grace` to 24h. Default: 30s.
    pub restart_grace: Duration,
    /// What holds when many nodes fall silent at once.
    pub brake: BrakeSettings,
}
impl Document for HeartbeatSettings {}
impl Default for HeartbeatSettings {
    fn default() -> HeartbeatSettings {
        // Agents find another server within one beat, so six seconds leave room for two lost tries. A machine that
        // starts anew is often back within half a minute.
        let (grace, restart_grace) = (Duration::from_seconds(6), Duration::from_seconds(30));
        HeartbeatSettings { grace, restart_grace, brake: BrakeSettings::default() }
    }
}

/// What holds when many nodes fall silent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct BrakeSettings {
    /// Whether there is a brake. Default: true.
    pub enabled: bool,
    /// From which share of all nodes it holds, in percent, from 1 to 100. Default: 50.
    pub percent: u32,
    /// In clusters of how many nodes there is a brake. Default: 3.
    pub min_nodes: u32,
    /// While it holds, one node at most is given up in this time, from 1s to 24h. Default: 10s.
    pub one_node_every: Duration,
}
impl Default for BrakeSettings {
    fn default() -> BrakeSettings {
        let one_node_every = Duration::from_seconds(10);
        BrakeSettings { enabled: true, percent: 50, min_nodes: 3, one_node_every }
    }
}

impl HeartbeatSettings {
    /// How long this node may be silent.
    pub fn grace_of(&self, node: Option<&NodeSpec>) -> Duration {
        node.and_then(|spec| spec.heartbeat_grace).unwrap_or(self.grace)
    }

    /// The same, while it was not heard yet by whoever listens.
    pub fn restart_grace_of(&self, node: Option<&NodeSpec>) -> Duration {
        self.restart_grace.max(self.grace_of(node))
    }

    /// What is wrong, by field.
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let HeartbeatSettings { grace, restart_grace, brake } = *self;
        let BrakeSettings { enabled: _, percent, min_nodes: _, one_node_every } = brake;
        let mut found: Vec<(&'static str, String)> =
            grace_mistake(grace).map(|message| ("grace", message)).into_iter().collect();
        if restart_grace < grace || restart_grace > LONGEST_GRACE {
            found.push(("restartGrace", format!("{restart_grace} is not from {grace} (`grace`) to 24h")));
        }
        if !(1..=100).contains(&percent) {
            found.push(("brake.percent", format!("{percent} is not from 1 to 100")));
        }
        if one_node_every < Duration::from_seconds(1) || one_node_every > LONGEST_GRACE {
            found.push(("brake.oneNodeEvery", format!("{one_node_every} is not from 1s to 24h")));
        }
        found
    }
}

/// What is wrong with a grace.
pub fn grace_mistake(grace: Duration) -> Option<String> {
    let is_well = (SHORTEST_GRACE..=LONGEST_GRACE).contains(&grace);
    let why = || format!("{grace} is not from {SHORTEST_GRACE} (two beats) to 24h");
    (!is_well).then(why)
}

/// The brake on mass loss (`/brakes/nodes`), written by the heartbeat controller when something changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Brake {
    /// Since when it holds, by the controller's clock; nothing while it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// When the next node may be given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next: Option<Timestamp>,
    /// The silent nodes that are not given up yet.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub waiting: BTreeSet<String>,
}
impl Document for Brake {}

/// A person's word that lets the silent nodes go (`/releases/nodes`). It is about one silence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BrakeRelease {
    /// The silence that is meant: since when the brake held.
    #[schemars(with = "Option<String>")]
    pub silence: Option<Timestamp>,
    /// Who said so.
    pub by: String,
    /// When.
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
}
impl Document for BrakeRelease {}

impl Brake {
    /// Whether this word is about the present silence.
    pub fn is_released_by(&self, release: Option<&BrakeRelease>) -> bool {
        self.since.is_some() && release.is_some_and(|release| release.silence == self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_bounds_are_refused_with_the_bounds() {
        let told = |settings: HeartbeatSettings| {
            let told = settings.mistakes().into_iter().map(|(field, why)| format!("{field}: {why}"));
            told.collect::<Vec<_>>().join("; ")
        };
        let settings = HeartbeatSettings::default();
        assert_eq!(told(settings), "");
        let grace = Duration::from_seconds(3);
        assert_eq!(
            told(HeartbeatSettings { grace, ..settings }),
            "grace: 3s is not from 4s (two beats) to 24h"
        );
        let restart_grace = Duration::from_seconds(5);
        let short = HeartbeatSettings { restart_grace, ..settings };
        assert_eq!(told(short), "restartGrace: 5s is not from 6s (`grace`) to 24h");
        let brake = BrakeSettings { percent: 0, one_node_every: Duration::ZERO, ..BrakeSettings::default() };
        let said = "brake.percent: 0 is not from 1 to 100; brake.oneNodeEvery: 0s is not from 1s to 24h";
        assert_eq!(told(HeartbeatSettings { brake, ..settings }), said);
    }

    #[test]
    fn a_word_is_about_one_silence() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let brake = Brake { since: at(7), ..Brake::default() };
        let word = |second| BrakeRelease { silence: at(second), ..BrakeRelease::default() };
        assert!(brake.is_released_by(Some(&word(7))));
        assert!(!brake.is_released_by(Some(&word(6))), "an older silence");
        assert!(
            !Brake::default().is_released_by(Some(&BrakeRelease::default())),
            "there is nothing to release"
        );
    }
}
