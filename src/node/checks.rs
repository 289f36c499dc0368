//! Checks of services: which are running, and what their results add up to.
//!
//! A check runs while a main task of its allocation runs, and begins anew with every start: a result of the task's
//! last life says nothing about this one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent::{AllocationId, CheckFact, CheckStatus, Fact, VersionFact, checks_of};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::probe::{Probe, Prober};
use super::run::Agent;
use drivers::TaskId;
use store::Store;

/// Results on their way to the loop.
const RESULT_ROOM: usize = 256;

/// All checks that run.
pub(super) struct Checks {
    prober: Arc<dyn Prober>,
    running: BTreeMap<AllocationId, BTreeMap<String, Running>>,
    tests: JoinSet<()>,
    results: mpsc::Sender<Tested>,
    births: u64,
}

struct Running {
    probe: Probe,
    /// The starts of the tasks it began with.
    life: Vec<Timestamp>,
    birth: u64,
    successes_in_row: u32,
    handle: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// One result.
pub(super) struct Tested {
    allocation: AllocationId,
    check: String,
    birth: u64,
    answer: Result<String, String>,
}

impl Checks {
    pub(super) fn new(prober: Arc<dyn Prober>) -> (Checks, mpsc::Receiver<Tested>) {
        let (results, receiver) = mpsc::channel(RESULT_ROOM);
        let (running, tests) = (BTreeMap::new(), JoinSet::new());
        (Checks { prober, running, tests, results, births: 0 }, receiver)
    }

    /// Runs exactly these checks of an allocation. Answers which have begun, and what they are until the first test.
    fn sync(
        &mut self,
        id: &AllocationId,
        wanted: BTreeMap<String, Probe>,
        life: &[Timestamp],
    ) -> Vec<(String, CheckStatus)> {
        // Ends of tests are of no interest, only their memory is.
        while self.tests.try_join_next().is_some() {}
        let mut own = self.running.remove(id).unwrap_or_default();
        own.retain(|check, running| wanted.get(check) == Some(&running.probe) && running.life == life);
        let mut begun = Vec::new();
        for (check, probe) in wanted {
            let std::collections::btree_map::Entry::Vacant(place) = own.entry(check) else { continue };
            begun.push((place.key().clone(), probe.status_at_first));
            let running = self.begin(id, place.key(), probe, life);
            place.insert(running);
        }
        if !own.is_empty() {
            self.running.insert(id.clone(), own);
        }
        begun
    }

    fn begin(&mut self, id: &AllocationId, check: &str, probe: Probe, life: &[Timestamp]) -> Running {
        self.births += 1;
        let birth = self.births;
        let (prober, results) = (self.prober.clone(), self.results.clone());
        let (allocation, name, tested) = (id.clone(), check.to_owned(), probe.clone());
        let handle = self.tests.spawn(async move {
            let mut pause = tested.interval / 2;
            loop {
                tokio::time::sleep(pause).await;
                pause = tested.interval;
                let answer = test(&*prober, &tested).await;
                let result = Tested { allocation: allocation.clone(), check: name.clone(), birth, answer };
                if results.send(result).await.is_err() {
                    return;
                }
            }
        });
        Running { probe, life: life.to_vec(), birth, successes_in_row: 0, handle }
    }
}

async fn test(prober: &dyn Prober, probe: &Probe) -> Result<String, String> {
    let answer = tokio::time::timeout(probe.timeout, prober.test(&probe.target)).await;
    answer.unwrap_or_else(|_| Err(format!("no answer within {}", span(probe.timeout))))
}

fn span(time: Duration) -> schemas::duration::Duration {
    time.into()
}

impl<S: Store> Agent<S> {
    /// Runs the checks that an allocation should have now. As long as the version is not known that it goes over to,
    /// those it has go on: they may be the same, and what serves must not look ill meanwhile.
    pub(super) fn sync_checks(&mut self, id: &AllocationId) {
        if self.local.wishes.get(id).is_some_and(|wanted| !matches!(wanted.job, VersionFact::Known(_))) {
            return;
        }
        let life = self.life(id);
        let wanted = if life.is_empty() { BTreeMap::new() } else { self.probes(id) };
        if wanted.is_empty() && !self.checks.running.contains_key(id) {
            return;
        }
        let now = self.world.clock.now();
        for (check, status) in self.checks.sync(id, wanted, &life) {
            let fact = CheckFact { status, since: now, failures_in_row: 0, output: String::new() };
            self.local.checks.entry(id.clone()).or_default().insert(check, fact);
        }
    }

    /// When the running main tasks of an allocation started; nothing if it is ending or none runs.
    fn life(&self, id: &AllocationId) -> Vec<Timestamp> {
        let is_ending = self.local.memory.get(id).is_none_or(|memory| memory.ending.is_some());
        let Some(group) = self.group(id).filter(|_| !is_ending) else { return Vec::new() };
        let tasks = self.local.tasks.get(id);
        let mains = group.tasks.iter().filter(|task| task.is_main());
        mains
            .filter_map(|task| match tasks?.get(&task.name)?.fact {
                Fact::Running { since, .. } => Some(since),
                Fact::Starting | Fact::Exited { .. } | Fact::Refused { .. } => None,
            })
            .collect()
    }

    fn group(&self, id: &AllocationId) -> Option<&schemas::group::Group> {
        let wanted = self.local.wishes.get(id)?;
        match &wanted.job {
            VersionFact::Known(job) => job.group(&wanted.placement.group),
            VersionFact::Fetching | VersionFact::Missing => None,
        }
    }

    fn probes(&self, id: &AllocationId) -> BTreeMap<String, Probe> {
        let (Some(wanted), Some(group)) = (self.local.wishes.get(id), self.group(id)) else {
            return BTreeMap::new();
        };
        let task = |name: &str| {
            let task = group.task(name)?;
            let id = TaskId::new(id.namespace(), id.allocation(), name).ok()?;
            Some((task.driver.clone(), id))
        };
        let host_ip = self.world.machine.host_ip();
        let probe = |service, check| Probe::of((service, check), &wanted.placement, host_ip, task);
        checks_of(group).map(|(name, service, check)| (name, probe(service, check))).collect()
    }

    /// Takes in a result.
    pub(super) fn on_tested(&mut self, tested: Tested) {
        let Tested { allocation, check, birth, answer } = tested;
        let running = self.checks.running.get_mut(&allocation).and_then(|own| own.get_mut(&check));
        let Some(running) = running.filter(|running| running.birth == birth) else { return };
        let fact = self.local.checks.get_mut(&allocation).and_then(|own| own.get_mut(&check));
        let Some(fact) = fact else { return };
        let before = fact.status;
        match answer {
            Ok(output) => {
                running.successes_in_row += 1;
                fact.failures_in_row = 0;
                fact.output = output;
                if running.successes_in_row > running.probe.success_before_passing {
                    fact.status = CheckStatus::Passing;
                }
            }
            Err(output) => {
                running.successes_in_row = 0;
                fact.failures_in_row += 1;
                fact.output = output;
                if fact.failures_in_row > running.probe.failures_before_critical {
                    fact.status = CheckStatus::Failing;
                }
            }
        }
        if fact.status != before {
            fact.since = self.world.clock.now();
            self.details.touch(&allocation);
        }
        if fact.status != before || fact.failures_in_row > 0 {
            self.dirty.insert(allocation);
        }
    }
}
