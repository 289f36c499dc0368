//! What must be remembered between decisions. It outlives the agent's process in a small file, and may be lost.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemas::agent_documents;
use schemas::duration::Duration;
use schemas::key::Revision;
use schemas::placement::Placement;
use schemas::report::TaskEvent;
use serde::{Deserialize, Serialize};

use crate::restart::Window;

/// How many events of a task are kept: as many as Nomad keeps.
const EVENTS_KEPT: usize = 10;

/// What is remembered of one allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocationMemory {
    /// The revision that made its placement.
    pub created: Revision,
    /// The placement itself, so that it can be asked for again should the document be lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Its tasks.
    pub tasks: BTreeMap<String, TaskMemory>,
    /// Why it is ending or has ended.
    pub ending: Option<Ending>,
    /// What is known of its health.
    pub health: HealthMemory,
    /// When its first main task started.
    pub first_started: Option<Timestamp>,
}

/// What is remembered of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskMemory {
    /// Which start is meant: 0 for the first.
    pub incarnation: u32,
    /// How far it is.
    pub phase: Phase,
    /// How often it was restarted in all.
    pub restarts: u32,
    /// The restarts that count now.
    pub window: Option<Window>,
    /// When the incarnation was seen to start.
    pub started: Option<Timestamp>,
    /// What runs it.
    pub driver: String,
    /// How it is asked to end.
    pub kill: Option<Kill>,
    /// When its turn to end came.
    pub stop_turn: Option<Timestamp>,
    /// Why it is being restarted although it runs.
    pub restart_wish: Option<RestartWish>,
    /// The last things that happened to it.
    pub events: Vec<TaskEvent>,
}

/// A restart of a running task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartWish {
    /// Why, for people.
    pub reason: String,
    /// Whether the restart policy counts it (a failing check) or not (somebody asked).
    pub counts: bool,
}

/// How a task is asked to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// With this signal.
    pub signal: String,
    /// By force after that time.
    pub grace: Duration,
}

/// How far a task is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// The incarnation should run.
    Up,
    /// The incarnation should run from then on.
    Delayed {
        /// When.
        until: Timestamp,
    },
    /// It will not run again.
    Dead {
        /// Whether it ended badly.
        failed: bool,
        /// Its last status, if it ran.
        code: Option<i32>,
        /// When.
        at: Timestamp,
    },
}

impl Phase {
    /// Whether it will not run again.
    pub fn is_dead(&self) -> bool {
        matches!(self, Phase::Dead { .. })
    }
    /// Whether it ended badly, for good.
    pub fn is_failed(&self) -> bool {
        matches!(self, Phase::Dead { failed: true, .. })
    }
}

/// The end of an allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Since when it is ending.
    pub since: Timestamp,
    /// Why.
    pub why: Why,
}

/// Why an allocation ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The placement says so.
    Wished {
        /// Why, for people.
        reason: String,
    },
    /// A task failed for good.
    TaskFailed {
        /// Which.
        task: String,
        /// Why, for people.
        reason: String,
    },
    /// Somebody else had a port of it before it began.
    PortTaken {
        /// Which.
        port: u16,
        /// Who, for people.
        reason: String,
    },
    /// The leader ended.
    LeaderEnded,
    /// All main tasks ended.
    MainEnded,
    /// It ran as long as it may.
    RanTooLong,
    /// It held more of the disk than its job asked for.
    DiskExceeded {
        /// How much.
        held_mb: u64,
        /// How much it may.
        size_mb: u64,
    },
    /// It had ended before, as the store knows; nothing else is remembered.
    EndedBefore,
}

impl Why {
    /// Whether the tasks are ended for what they did, which is a failure of theirs.
    pub(crate) fn is_fault_of_tasks(&self) -> bool {
        match self {
            Why::DiskExceeded { .. } => true,
            Why::Wished { .. }
            | Why::TaskFailed { .. }
            | Why::PortTaken { .. }
            | Why::LeaderEnded
            | Why::MainEnded
            | Why::RanTooLong
            | Why::EndedBefore => false,
        }
    }

    /// Whether tasks that run after the main ones still run.
    pub fn runs_poststop(&self) -> bool {
        match self {
            Why::Wished { .. } | Why::TaskFailed { .. } | Why::LeaderEnded | Why::MainEnded => true,
            // What runs on a disk that is full makes it fuller.
            Why::PortTaken { .. } | Why::RanTooLong | Why::DiskExceeded { .. } | Why::EndedBefore => false,
        }
    }
}

/// What is known of an allocation's health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthMemory {
    /// The job version it is about.
    pub spec: u64,
    /// Since when that version is meant: the deadline counts from here.
    pub from: Option<Timestamp>,
    /// The verdict, once there is one.
    pub healthy: Option<bool>,
}

impl TaskMemory {
    /// Its turn to run has come, unless it came before.
    pub(crate) fn take_turn(&mut self) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Up;
        }
    }

    /// Notes that something happened.
    pub fn event(&mut self, kind: &str, time: Timestamp, message: impl Into<String>) {
        // A runtime may say much; a document of the cluster may not.
        let mut message = message.into();
        message.truncate(agent_documents::cut(&message, agent_documents::SENTENCE_BYTES).len());
        self.events.push(TaskEvent { kind: kind.to_owned(), time: Some(time), message });
        let surplus = self.events.len().saturating_sub(EVENTS_KEPT);
        self.events.drain(..surplus);
    }
}
