//! Whether a beat counts as a sign of life of its node, or comes from a second agent of the same name.
//!
//! A pure judgement of what the agent says against whoever holds the name. A refused beat changes nothing: the node
//! goes on being judged by the beats that counted.

use std::time::Duration;

use jiff::Timestamp;
use schemas::node::AgentBeat;

/// After how long without a beat of its predecessor an agent with the same id is let in: two beats were missed, so
/// the machine was restarted. Another id waits until the predecessor is called silent.
const SAME_ID_AFTER: Duration = Duration::from_secs(5);

/// A beat that does not count, by what the agent can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Beat to another server: this one cannot tell anybody what it hears.
    #[error("this server does not reach the store")]
    Deaf,
    /// Somebody has to do what is said.
    #[error("{0}")]
    Wrong(String),
}

/// Whoever holds a name, as a server knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holder {
    /// The session. Empty: an older agent, which cannot be told from another.
    pub(super) session: String,
    /// The node's id, as it registered.
    pub(super) id: String,
    /// Where it answers, for people.
    pub(super) address: String,
    /// The server that hears it, for people.
    pub(super) server: String,
    /// Since when the node has been heard, for people.
    pub(super) since: Option<Timestamp>,
    /// For how long it is known not to have beaten.
    pub(super) silent_for: Duration,
}

/// Judges a beat of a node whose name a living agent holds.
pub(super) fn admit(holder: &Holder, beat: &AgentBeat) -> Result<(), Refused> {
    let is_judged = !holder.session.is_empty() && !beat.session.is_empty();
    let is_successor = beat.session == holder.session || beat.follows.contains(&holder.session);
    let is_same_machine = !beat.id.is_empty() && beat.id == holder.id;
    let is_restarted = is_same_machine && holder.silent_for >= SAME_ID_AFTER;
    if !is_judged || is_successor || is_restarted {
        return Ok(());
    }
    Err(Refused::Wrong(words(holder, beat)))
}

fn words(holder: &Holder, beat: &AgentBeat) -> String {
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    let since = holder.since.map_or(String::new(), |since| format!(" since {since}"));
    let lives = format!(
        "another agent of this name lives: id {}, session {}, at {}, heard by {}{since}; this one is id {}, session {}. \
         It registers nothing, starts nothing and asks again. ",
        or_unknown(&holder.id),
        holder.session,
        or_unknown(&holder.address),
        or_unknown(&holder.server),
        or_unknown(&beat.id),
        beat.session,
    );
    let way_out = if beat.id == holder.id {
        "Both have one id, so this machine is a clone of the other, or its data directory is a copy: stop this agent, \
         and start it with a name of its own (--node NAME) and an empty --data-dir, or with --reset-node-id"
    } else {
        "If this machine is to be a node beside it, start this agent with a name of its own (--node NAME). If it \
         replaces that one, stop that one: this agent is let in by itself once that one is called silent"
    };
    lives + way_out
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// `id session follows`, the last with commas, against a holder of id `i1` and session `s1` that has been silent for so long.
    fn judged(words: &str, silent_seconds: u64) -> &'static str {
        let words: Vec<&str> = words.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
        let [id, session, follows] = words[..] else { panic!("three words") };
        let holder = Holder {
            session: "s1".into(),
            id: "i1".into(),
            silent_for: Duration::from_secs(silent_seconds),
            ..Holder::default()
        };
        let beat = AgentBeat {
            id: id.into(),
            session: session.into(),
            follows: follows.split(',').filter(|word| !word.is_empty()).map(Into::into).collect(),
            ..AgentBeat::default()
        };
        if admit(&holder, &beat).is_ok() { "in" } else { "out" }
    }

    #[test]
    fn a_name_has_one_living_agent() {
        let cases = [
            ("i1 s1 -", 0, "in", "the holder itself"),
            ("i1 s2 s1", 0, "in", "a restart that can prove it"),
            ("i1 s3 s2,s1", 0, "in", "the one between died before anybody heard of it"),
            ("i1 s9 s8,s7,s0", 0, "out", "none of a long line is who lives"),
            ("i1 s2 s0", 0, "out", "what it follows is not who lives"),
            ("i1 s2 -", 0, "out", "a copied directory or a cloned machine"),
            ("i1 s2 -", 4, "out", "one beat may be late"),
            ("i1 s2 -", 5, "in", "the machine was restarted"),
            ("i2 s2 -", 60, "out", "another machine waits until the other is called silent"),
            ("- - -", 0, "in", "an older agent cannot say who it is"),
        ];
        for (beat, silent, expected, why) in cases {
            assert_eq!(judged(beat, silent), expected, "{beat}: {why}");
        }
        let older = Holder::default();
        let newer = AgentBeat { id: "i2".into(), session: "s2".into(), ..AgentBeat::default() };
        assert_eq!(admit(&older, &newer), Ok(()), "an agent that gets an id keeps its node");
    }

    #[test]
    fn a_refusal_names_who_lives_and_the_way_out() {
        let holder = Holder {
            session: "s1".into(),
            id: "i1".into(),
            address: "10.0.0.1:4647".into(),
            server: "a".into(),
            since: Some(Timestamp::UNIX_EPOCH),
            silent_for: Duration::ZERO,
        };
        let beat = |id: &str| AgentBeat { id: id.into(), session: "s2".into(), ..AgentBeat::default() };
        assert_snapshot!(admit(&holder, &beat("i2")).unwrap_err(), @"another agent of this name lives: id i1, session s1, at 10.0.0.1:4647, heard by a since 1970-01-01T00:00:00Z; this one is id i2, session s2. It registers nothing, starts nothing and asks again. If this machine is to be a node beside it, start this agent with a name of its own (--node NAME). If it replaces that one, stop that one: this agent is let in by itself once that one is called silent");
        assert_snapshot!(admit(&holder, &beat("i1")).unwrap_err(), @"another agent of this name lives: id i1, session s1, at 10.0.0.1:4647, heard by a since 1970-01-01T00:00:00Z; this one is id i1, session s2. It registers nothing, starts nothing and asks again. Both have one id, so this machine is a clone of the other, or its data directory is a copy: stop this agent, and start it with a name of its own (--node NAME) and an empty --data-dir, or with --reset-node-id");
    }
}
