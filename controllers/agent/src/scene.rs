//! One allocation as a decision sees it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemas::duration::Duration;
use schemas::group::Group;
use schemas::job::JobSpec;
use schemas::report::AllocationReport;
use schemas::service::{Check, Service};
use schemas::task::Task;

use crate::disk::DiskUse;
use crate::local::{AllocationId, CheckFact, Fact, Observed, Wanted};
use crate::memory::{Kill, TaskMemory};

/// A placed allocation whose job version is known.
pub(crate) struct Scene<'a> {
    pub(crate) id: &'a AllocationId,
    pub(crate) wanted: &'a Wanted,
    pub(crate) job: &'a JobSpec,
    pub(crate) group: &'a Group,
    pub(crate) tasks: Option<&'a BTreeMap<String, Observed>>,
    pub(crate) checks: Option<&'a BTreeMap<String, CheckFact>>,
    pub(crate) disk: Option<DiskUse>,
    pub(crate) reported: Option<&'a AllocationReport>,
    pub(crate) max_kill_timeout: Duration,
    pub(crate) now: Timestamp,
}

impl<'a> Scene<'a> {
    pub(crate) fn observed(&self, task: &str) -> Option<&'a Observed> {
        self.tasks.and_then(|tasks| tasks.get(task))
    }
    pub(crate) fn fact(&self, task: &str) -> Option<&'a Fact> {
        self.observed(task).map(|observed| &observed.fact)
    }
    pub(crate) fn is_alive(&self, task: &str) -> bool {
        self.fact(task).is_some_and(Fact::is_alive)
    }
    /// Whether the incarnation that is meant was not started yet and may be.
    pub(crate) fn needs_start(&self, task: &str, own: &TaskMemory) -> bool {
        self.observed(task).is_none_or(|seen| !seen.fact.is_alive() && seen.incarnation < own.incarnation)
    }
    /// How a task is asked to end.
    pub(crate) fn kill(&self, task: &Task) -> Kill {
        Kill { signal: task.stop_signal().to_owned(), grace: task.kill_timeout.min(self.max_kill_timeout) }
    }
    /// Every check of the group and its tasks.
    pub(crate) fn checks(&self) -> impl Iterator<Item = (String, &'a Service, &'a Check)> {
        checks_of(self.group)
    }
}

/// Every check of a group and its tasks, under `<service>/<check>`.
pub fn checks_of(group: &Group) -> impl Iterator<Item = (String, &Service, &Check)> {
    let services = group.services.iter().chain(group.tasks.iter().flat_map(|task| &task.services));
    services.flat_map(|service| {
        service.checks.iter().map(move |check| (check_id(service, check), service, check))
    })
}

fn check_id(service: &Service, check: &Check) -> String {
    let service = service.name.as_deref().unwrap_or_default();
    match &check.name {
        Some(name) => format!("{service}/{name}"),
        None => format!("{service}/service: {service:?} check"),
    }
}
