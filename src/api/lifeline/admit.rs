//! Whether a beat counts as a sign of life of its node.
//!
//! A pure judgement of what the agent says against the last beat that counted. A refused beat changes nothing: the
//! node goes on being judged by the beats that counted.

use schemas::node::AgentBeat;

/// A beat that does not count, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Judges a beat of a node, whose last beat that counted is `known`.
pub(super) fn admit(_node: &str, _known: Option<&AgentBeat>, _beat: &AgentBeat) -> Result<(), Refused> {
    Ok(())
}
