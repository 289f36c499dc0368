//! Everything the agent knows at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use schemas::duration::Duration;
use schemas::job::JobSpec;
use schemas::key::{Key, Revision};
use schemas::placement::Placement;
use schemas::report::AllocationReport;
use serde::{Deserialize, Serialize};

use crate::disk::DiskUse;
use crate::memory::AllocationMemory;

/// `<namespace>/<allocation>`, unique on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllocationId(String);

impl AllocationId {
    /// Joins the two names.
    pub fn new(namespace: &str, allocation: &str) -> AllocationId {
        AllocationId(format!("{namespace}/{allocation}"))
    }
    /// Reads it back from a report.
    pub fn from_report(text: &str) -> AllocationId {
        AllocationId(text.to_owned())
    }
    /// The allocation that a placement's key names; the allocation itself may contain slashes.
    pub fn of_placement(key: &Key) -> Option<AllocationId> {
        let mut parts = key.as_str().splitn(4, '/').skip(1);
        let (Some("placements"), Some(_node), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        rest.contains('/').then(|| AllocationId(rest.to_owned()))
    }
    /// The allocation that the key of details names.
    pub fn of_details(key: &Key) -> Option<AllocationId> {
        let mut parts = key.as_str().splitn(4, '/').skip(1);
        let (Some("details"), Some(_node), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        rest.contains('/').then(|| AllocationId(rest.to_owned()))
    }
    /// The namespace of the job.
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }
    /// The allocation's name.
    pub fn allocation(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, allocation)| allocation)
    }
    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AllocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything the agent knows at one moment.
#[derive(Clone, Debug)]
pub struct Local {
    /// The placements of this node.
    pub wishes: BTreeMap<AllocationId, Wanted>,
    /// Placements that exist and cannot be read: nothing is decided about them.
    pub unreadable: BTreeSet<AllocationId>,
    /// Whether `wishes` were once seen whole: only then is it known that one is missing. That alone is no wish.
    pub complete: bool,
    /// The node was purged at this revision: what was placed before it is to end.
    pub disowned: Option<Revision>,
    /// What the runtimes hold.
    pub tasks: BTreeMap<AllocationId, BTreeMap<String, Observed>>,
    /// Drivers that have not said yet what they hold: nothing is decided about their tasks.
    pub blind: BTreeSet<String>,
    /// The last results of checks, by `<service>/<check>`.
    pub checks: BTreeMap<AllocationId, BTreeMap<String, CheckFact>>,
    /// What allocations hold on the disk, as last measured.
    pub disk: BTreeMap<AllocationId, DiskUse>,
    /// What earlier decisions left behind. May be lost.
    pub memory: BTreeMap<AllocationId, AllocationMemory>,
    /// What this node last reported, or is about to.
    pub reports: BTreeMap<AllocationId, AllocationReport>,
    /// Allocations that another machine was running under this node's name: it may run them still.
    pub inherited: BTreeSet<AllocationId>,
    /// The longest time that a task may take to end.
    pub max_kill_timeout: Duration,
}

impl Default for Local {
    fn default() -> Local {
        Local {
            wishes: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            complete: false,
            disowned: None,
            tasks: BTreeMap::new(),
            blind: BTreeSet::new(),
            checks: BTreeMap::new(),
            disk: BTreeMap::new(),
            memory: BTreeMap::new(),
            reports: BTreeMap::new(),
            inherited: BTreeSet::new(),
            max_kill_timeout: Duration::from_seconds(30),
        }
    }
}

impl Local {
    /// Every allocation that is wished, held, remembered or reported.
    pub fn allocations(&self) -> BTreeSet<AllocationId> {
        let Local {
            wishes,
            unreadable: _,
            complete: _,
            disowned: _,
            tasks,
            blind: _,
            checks: _,
            disk: _,
            memory,
            reports,
            inherited: _,
            max_kill_timeout: _,
        } = self;
        wishes.keys().chain(tasks.keys()).chain(memory.keys()).chain(reports.keys()).cloned().collect()
    }
}

/// A placement as the store holds it, with the job version it refers to.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The placement.
    pub placement: Placement,
    /// The revision that made it: a placement made again under the same name is another allocation.
    pub created: Revision,
    /// The job version it runs.
    pub job: VersionFact,
}

impl Wanted {
    /// Whether this is the placement that a revision made, or stands for it.
    pub fn is_from(&self, created: Revision) -> bool {
        self.created == created || self.placement.adopts == Some(created)
    }
}

/// What is known of a job version.
#[derive(Clone, Debug)]
pub enum VersionFact {
    /// It is being fetched.
    Fetching,
    /// The store does not have it.
    Missing,
    /// This.
    Known(Arc<JobSpec>),
}

/// A task as its runtime shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Which start of it: 0 for the first.
    pub incarnation: u32,
    /// What it does.
    pub fact: Fact,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The runtime was told to start it and has not answered.
    Starting,
    /// It runs.
    Running {
        /// Since when.
        since: Timestamp,
        /// When it was asked to end, if it was.
        asked_to_stop: Option<Timestamp>,
    },
    /// All of it has ended.
    Exited {
        /// When.
        at: Timestamp,
        /// How.
        exit: Exit,
    },
    /// It did not start.
    Refused {
        /// When.
        at: Timestamp,
        /// What helps.
        refusal: Refusal,
        /// Why, for people.
        message: String,
    },
}

/// What helps a task that did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// To try again.
    Passing,
    /// Only a change of the job.
    Final,
    /// Another port or node: somebody else has this port.
    PortTaken(u16),
}

impl Fact {
    /// Whether something of it runs or may run.
    pub fn is_alive(&self) -> bool {
        match self {
            Fact::Starting | Fact::Running { .. } => true,
            Fact::Exited { .. } | Fact::Refused { .. } => false,
        }
    }
}

/// How a task ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// Its status as a shell shows it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether the memory limit ended it.
    pub oom: bool,
    /// What else there is to say.
    pub message: String,
}

impl Exit {
    /// Whether it ended as it should.
    pub fn is_success(&self) -> bool {
        self.code == 0 && self.signal.is_none()
    }
}

/// The last result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFact {
    /// What it is.
    pub status: CheckStatus,
    /// Since when it has had this status.
    pub since: Timestamp,
    /// How many tests have failed in a row.
    pub failures_in_row: u32,
    /// What the last test said.
    pub output: String,
}

/// Whether a check passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// Not tested yet.
    Pending,
    /// It passes.
    Passing,
    /// It fails.
    Failing,
}
