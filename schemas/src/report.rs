//! What really happens on a node, told by its agent alone.
//!
//! A [`Report`] (`/reports/<node>/<bucket>`) holds the state of up to [`BUCKET_SIZE`] allocations and
//! changes only when a state changes. [`Details`] (`/details/<node>/<namespace>/<allocation>`) hold what
//! people want to read about one allocation; no decision rests on them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::{Document, Encoding};
use crate::key::Revision;
use crate::placement::Placement;

/// How many allocations share one report document: a change rewrites at most this many.
pub const BUCKET_SIZE: usize = 64;

/// The states of some allocations of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// By `<namespace>/<allocation>`.
    #[serde(rename = "a")]
    pub allocations: BTreeMap<String, AllocationReport>,
}
impl Document for Report {
    const ENCODING: Encoding = Encoding::Compact;
}

/// The state of one allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocationReport {
    /// The revision that made the placement it is about: one made again under the same name is another
    /// allocation. 0 where an agent does not say.
    #[serde(rename = "p", skip_serializing_if = "is_unsaid")]
    pub placed: Revision,
    /// How far it is.
    #[serde(rename = "s")]
    pub state: ClientState,
    /// Whether it counts as healthy for its rollout: unknown until decided.
    #[serde(rename = "h", skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// The job version that runs, which follows the placement's `spec`.
    #[serde(rename = "v")]
    pub spec: u64,
    /// How often its tasks were restarted in all.
    #[serde(rename = "r", skip_serializing_if = "is_zero")]
    pub restarts: u32,
    /// When it entered the state, by the node's clock: to be shown, never to be reckoned with.
    #[serde(rename = "t", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How long it ran before it ended, in seconds: the reschedule policy asks for it.
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    pub ran_seconds: Option<u64>,
    /// Exit code of the task that decided the end.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it failed or waits, in a few words.
    #[serde(rename = "y", skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The port that somebody else on the machine had, so that it could not begin: no failure of its own. It is placed
    /// again at once, on another port or node.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub port_taken: Option<u16>,
    /// What it was placed as, once that document is missing: absence is no wish, so the node goes on and asks. The
    /// scheduler answers with a placement that adopts it, or that tells it to stop.
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    pub orphan: Option<Box<Placement>>,
}

impl AllocationReport {
    /// Whether it is about the placement that this revision made, and not about an earlier one of that name.
    pub fn is_about(&self, created: Revision) -> bool {
        is_unsaid(&self.placed) || self.placed == created
    }
}

/// How far an allocation is on its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientState {
    /// Not running yet.
    #[default]
    #[serde(alias = "p")]
    Pending,
    /// Its main tasks run.
    #[serde(alias = "r")]
    Running,
    /// It ended as it should: all tasks well, or stopped on demand.
    #[serde(alias = "c")]
    Complete,
    /// It ended badly.
    #[serde(alias = "f")]
    Failed,
}

impl ClientState {
    /// Whether nothing of it runs any more and nothing will.
    pub fn is_terminal(self) -> bool {
        match self {
            ClientState::Pending | ClientState::Running => false,
            ClientState::Complete | ClientState::Failed => true,
        }
    }
}

/// What people want to read about one allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// By task.
    pub tasks: BTreeMap<String, TaskDetails>,
    /// By `<service>/<check>`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, CheckDetails>,
}
impl Document for Details {}

/// One task of an allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskDetails {
    /// `pending`, `running` or `dead`.
    pub state: String,
    /// Whether it ended badly.
    pub failed: bool,
    /// How often it was restarted.
    pub restarts: u32,
    /// When it started last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// The last ten things that happened to it, oldest first.
    pub events: Vec<TaskEvent>,
}

/// One thing that happened to a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskEvent {
    /// One of Nomad's words: `Received`, `Task Setup`, `Started`, `Terminated`, `Restarting`, `Killing`…
    #[serde(rename = "type")]
    pub kind: String,
    /// When, by the node's clock.
    #[schemars(with = "Option<String>")]
    pub time: Option<Timestamp>,
    /// A sentence for people.
    pub message: String,
}

/// The last result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckDetails {
    /// `success`, `failure` or `pending`.
    pub status: String,
    /// What the check said, cut to a few lines.
    pub output: String,
    /// When, by the node's clock.
    #[schemars(with = "Option<String>")]
    pub time: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_unsaid(placed: &Revision) -> bool {
    *placed == Revision::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
