//! What the agent does.

use std::fmt;

use schemas::report::AllocationReport;

use crate::local::AllocationId;
use crate::memory::{AllocationMemory, Kill};

/// One thing to do. Acts of a plan may be done at the same time; each may fail and is then decided again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Keep this for the next decision; nothing: forget it.
    Remember(AllocationId, Option<Box<AllocationMemory>>),
    /// Make the folders and start a task.
    Start {
        /// Of which allocation.
        allocation: AllocationId,
        /// Which task.
        task: String,
        /// Which start of it.
        incarnation: u32,
    },
    /// Ask a task to end.
    Stop {
        /// Of which allocation.
        allocation: AllocationId,
        /// Which task.
        task: String,
        /// How; the driver's own way if nothing is known.
        kill: Option<Kill>,
        /// Why, for people and logs.
        reason: String,
    },
    /// Remove what the runtime keeps of an ended task.
    Forget {
        /// Of which allocation.
        allocation: AllocationId,
        /// Which task.
        task: String,
    },
    /// Remove the folders of an allocation that is over.
    Remove(AllocationId),
    /// Write this state; nothing: remove it.
    Report(AllocationId, Option<AllocationReport>),
}

impl Act {
    /// Which allocation it is about.
    pub fn allocation(&self) -> &AllocationId {
        match self {
            Act::Remember(allocation, _)
            | Act::Start { allocation, .. }
            | Act::Stop { allocation, .. }
            | Act::Forget { allocation, .. }
            | Act::Remove(allocation)
            | Act::Report(allocation, _) => allocation,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Remember(allocation, Some(_)) => write!(f, "remember {allocation}"),
            Act::Remember(allocation, None) => write!(f, "forget all of {allocation}"),
            Act::Start { allocation, task, incarnation } => {
                write!(f, "start {allocation}/{task} #{incarnation}")
            }
            Act::Stop { allocation, task, kill: Some(Kill { signal, grace }), reason } => {
                write!(f, "stop {allocation}/{task} with {signal} in {grace}: {reason}")
            }
            Act::Stop { allocation, task, kill: None, reason } => {
                write!(f, "stop {allocation}/{task}: {reason}")
            }
            Act::Forget { allocation, task } => write!(f, "forget {allocation}/{task}"),
            Act::Remove(allocation) => write!(f, "remove the folders of {allocation}"),
            Act::Report(allocation, Some(report)) => write!(f, "report {allocation} {}", sentence(report)),
            Act::Report(allocation, None) => write!(f, "unreport {allocation}"),
        }
    }
}

/// A report as one line.
fn sentence(report: &AllocationReport) -> String {
    let AllocationReport {
        placed: _,
        state,
        healthy,
        spec,
        restarts,
        since: _,
        ran_seconds,
        exit_code,
        reason,
        port_taken,
        orphan,
    } = report;
    let mut words = vec![format!("{state:?} v{spec}").to_lowercase()];
    words.extend(healthy.map(|healthy| if healthy { "healthy" } else { "unhealthy" }.to_owned()));
    words.extend(orphan.as_ref().map(|_| "orphan".to_owned()));
    words.extend((*restarts > 0).then(|| format!("restarts={restarts}")));
    words.extend(ran_seconds.map(|seconds| format!("ran={seconds}s")));
    words.extend(exit_code.map(|code| format!("exit={code}")));
    words.extend(port_taken.map(|port| format!("taken={port}")));
    words.extend((!reason.is_empty()).then(|| format!("({reason})")));
    words.join(" ")
}
