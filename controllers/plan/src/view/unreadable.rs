//! What it means that a document is there and cannot be read.
//!
//! It is neither absent nor what it said before: nothing is stopped, given up, deleted or made a second time because
//! of it, and it holds up nobody but those whom it concerns. Guards name its revision, so that its one writer can
//! replace it, and whatever rests on it can be committed. Who writes a kind, what is done meanwhile and how it is
//! mended is the table of [`Unreadable::of`]; all kinds are in it.

use schemas::key::{Key, Shape};

/// How an unreadable document of one kind is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its one writer.
    pub owner: &'static str,
    /// What holds until it is mended.
    pub meanwhile: &'static str,
    /// How it is mended.
    pub mended: &'static str,
}

impl Unreadable {
    /// The row of a document's kind.
    pub fn of(key: &Key) -> Unreadable {
        let kind = if key.shape() == Shape::Known { key.kind() } else { "" };
        let (owner, meanwhile, mended) = match kind {
            "jobs" => (
                "users",
                "what runs of the job goes on, and nothing about it is decided",
                "apply the job again, or delete it",
            ),
            "versions" => (
                "users",
                "instances of the version go on as they are",
                "the current version is written anew from the job; for an older one apply the job again",
            ),
            "rosters" => (
                "the deployment controller",
                "what runs of the group goes on, and nothing new starts",
                "it is derived from the placements; where these do not tell enough, apply the job again or delete it",
            ),
            "deployments" => (
                "the deployment controller",
                "no instance is replaced by the rollout",
                "it is derived from the rosters",
            ),
            "placements" => (
                "the scheduler",
                "its allocation counts as placed and its room as taken",
                "it is written anew as its slot wants it, or as a word to stop where no slot does",
            ),
            "reports" => (
                "the node's agent",
                "its allocations count as placed, their health as unknown",
                "the agent writes it anew",
            ),
            "details" => ("the node's agent", "events and checks are not shown", "the agent writes it anew"),
            "fingerprints" => (
                "the node's agent",
                "what runs on the node goes on, and nothing new is placed there",
                "the agent writes it anew",
            ),
            "nodes" => (
                "users",
                "what runs on the node goes on, and nothing new is placed there",
                "change the node: `encamp node eligibility` or a patch",
            ),
            "links" => (
                "the server that hears the node",
                "the node keeps its health for a grace",
                "the server writes it anew with the node's next beat",
            ),
            "beats" => ("the server", "its last sign of life counts", "the server's next beat replaces it"),
            "health" => (
                "the heartbeat controller",
                "what runs on the node goes on, and nothing new is placed there",
                "it is written anew as the node's link says",
            ),
            "leaders" => ("the servers", "nobody leads", "the next server takes the lead over"),
            "epoch" => ("the servers", "the name that was read last counts", "see `encamp operator store`"),
            _ => ("nobody known", "it is passed over", "delete it"),
        };
        Unreadable { owner, meanwhile, mended }
    }
}
