//! A cluster in which the real controllers decide and pretended agents obey: no clock, no network, no waiting.

use std::collections::{BTreeMap, BTreeSet};

use deployment::Deployer;
use jiff::Timestamp;
use plan::fixture::{apply, at, effects, write};
use plan::{Controller, Plan, View, Write};
use scheduler::Scheduler;
use schemas::deployment::Deployment;
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::placement::{Placement, Wish};
use schemas::report::{AllocationReport, ClientState, Report};

use crate::safety;

/// Choices made beforehand, used over and over: the same choices give the same history.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    all: Vec<u8>,
    next: usize,
}

impl Choices {
    pub(crate) fn new(all: Vec<u8>) -> Choices {
        Choices { all, next: 0 }
    }

    /// One of `0..number`.
    pub(crate) fn pick(&mut self, number: usize) -> usize {
        self.next += 1;
        usize::from(self.all[self.next % self.all.len()]) % number.max(1)
    }
}

/// The cluster, its time and what must stay true from one moment to the next.
pub(crate) struct World {
    pub(crate) view: View,
    pub(crate) seconds: i64,
    pub(crate) choices: Choices,
    pub(crate) log: Vec<String>,
    finished: BTreeMap<Key, Deployment>,
}

/// Whether anything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Nothing,
    Something,
}

impl World {
    pub(crate) fn new(choices: Vec<u8>) -> World {
        World {
            view: View::default(),
            seconds: 0,
            choices: Choices::new(choices),
            log: Vec::new(),
            finished: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        at(self.seconds)
    }

    /// What people and machines do, in the words of the fixture.
    pub(crate) fn say(&mut self, line: &str) {
        self.log.push(format!("> {line}"));
        write(&mut self.view, line);
    }

    /// Somebody writes what nobody can read. What is derived of a rollout in its place is another document.
    pub(crate) fn spoil(&mut self, key: &Key) {
        self.finished.remove(key);
        self.say(&format!("garbage {key}"));
    }

    fn roots(&self) -> Vec<(&'static dyn Controller<Effect = Write>, Key)> {
        let deployer: &'static dyn Controller<Effect = Write> = &Deployer;
        let scheduler: &'static dyn Controller<Effect = Write> = &Scheduler;
        let mut roots: Vec<_> =
            deployer.all_roots(&self.view).into_iter().map(|root| (deployer, root)).collect();
        roots.extend(scheduler.all_roots(&self.view).into_iter().map(|root| (scheduler, root)));
        roots
    }

    /// One controller plans one root and commits all of it, or only a beginning: it may be killed.
    pub(crate) fn control(&mut self) -> Did {
        let mut roots = self.roots();
        let chosen = self.choices.pick(roots.len());
        let (controller, root) = roots.swap_remove(chosen);
        let steps = self.choices.pick(4);
        self.carry_out(controller, &root, steps)
    }

    fn carry_out(&mut self, controller: &dyn Controller<Effect = Write>, root: &Key, steps: usize) -> Did {
        let mut plan = controller.plan(&self.view, root, self.now());
        assert_eq!(plan, controller.plan(&self.view, root, self.now()), "the same view gives the same plan");
        if plan.is_empty() {
            return Did::Nothing;
        }
        plan.steps.truncate(steps);
        self.log.push(format!("{} at +{}:\n{}", controller.name(), self.seconds, effects(&self.view, &plan)));
        self.commit(&plan);
        Did::Something
    }

    fn commit(&mut self, plan: &Plan<Write>) {
        let (mut last, mut wrong) = (self.view.clone(), Vec::new());
        let applied = apply(&mut self.view, plan, |view| {
            wrong.extend(safety::check(view).err());
            wrong.extend(safety::between(&last, view).err());
            last = view.clone();
        });
        if let Err(broken) = applied {
            wrong.push(format!("the plan could not be committed: {broken:?}"));
        }
        wrong.extend(self.finished_again().err());
        assert!(wrong.is_empty(), "{}\n\n{}", wrong.join("\n"), self.log.join("\n"));
    }

    /// A finished rollout never changes.
    fn finished_again(&mut self) -> Result<(), String> {
        for (key, row) in self.view.deployments.iter() {
            if let Some(known) = self.finished.get(key)
                && *known != row.value
                && self.view.jobs.get(&Key::job(key.segment(1), key.segment(2))).is_some()
            {
                return Err(format!("{key} was finished and has changed"));
            }
            if row.value.status.is_terminal() {
                self.finished.insert(key.clone(), row.value.clone());
            }
        }
        let view = &self.view;
        self.finished.retain(|key, _| view.deployments.get(key).is_some());
        Ok(())
    }

    fn is_up(&self, node: &str) -> bool {
        self.view.health.get(&Key::health(node)).is_some_and(|health| health.state == NodeState::Ready)
    }

    /// The agent of one node takes one allocation one step further.
    pub(crate) fn act(&mut self) -> Did {
        let mut due = self.due();
        if due.is_empty() {
            return Did::Nothing;
        }
        let (key, report) = due.swap_remove(self.choices.pick(due.len()));
        self.report(&key, report);
        Did::Something
    }

    /// What agents have yet to report, by placement; nothing for a placement that is gone.
    fn due(&self) -> Vec<(Key, Option<AllocationReport>)> {
        let mut due: Vec<_> = self
            .view
            .placements
            .iter()
            .filter(|(key, _)| self.is_up(key.segment(1)))
            .filter_map(|(key, row)| Some((key.clone(), Some(self.next(key, &row.value)?))))
            .collect();
        for (report_key, row) in self.view.reports.iter() {
            let node = report_key.segment(1);
            let gone = row.value.allocations.keys().filter_map(|name| {
                let (namespace, allocation) = name.split_once('/')?;
                let key = Key::placement(node, namespace, allocation);
                self.view.placements.get(&key).is_none().then_some((key, None))
            });
            due.extend(gone.filter(|_| self.is_up(node)));
        }
        due
    }

    /// pending → running → healthy, or whatever the image is said to do.
    fn next(&self, key: &Key, placement: &Placement) -> Option<AllocationReport> {
        let known = self.view.indexes.report(key);
        let report = known.cloned().unwrap_or_default();
        if report.state.is_terminal() {
            return None;
        }
        let next = if placement.wish == Wish::Run {
            self.run(key, placement, report)
        } else {
            AllocationReport { state: ClientState::Complete, ..report }
        };
        (known != Some(&next)).then_some(next)
    }

    fn run(&self, key: &Key, placement: &Placement, report: AllocationReport) -> AllocationReport {
        let version = Key::version(key.segment(2), &placement.job, placement.spec);
        let spec = self.view.versions.get(&version).map(|version| &version.spec);
        let group = spec.and_then(|spec| spec.group(&placement.group));
        let image = group.and_then(|group| group.tasks[0].config.get("image")?.as_str()).unwrap_or_default();
        let is_batch = spec.is_some_and(|spec| spec.job_type.is_batch());
        match (report.state, image) {
            (ClientState::Pending, _) => {
                AllocationReport { state: ClientState::Running, spec: placement.spec, ..report }
            }
            (ClientState::Running, "bad") => AllocationReport { state: ClientState::Failed, ..report },
            (ClientState::Running, "sick") => AllocationReport { healthy: Some(false), ..report },
            (ClientState::Running, _) if is_batch => {
                AllocationReport { state: ClientState::Complete, ran_seconds: Some(9), ..report }
            }
            (ClientState::Running, _) => {
                AllocationReport { healthy: Some(true), spec: placement.spec, ..report }
            }
            (ClientState::Complete | ClientState::Failed, _) => report,
        }
    }

    fn report(&mut self, placement: &Key, report: Option<AllocationReport>) {
        let (node, name) =
            (placement.segment(1), format!("{}/{}", placement.segment(2), placement.segment(3)));
        let key = Key::report(node, 0);
        let mut document: Report = self.view.reports.get(&key).cloned().unwrap_or_default();
        match report {
            Some(report) => {
                self.log.push(format!("agent {node}: {name} {:?} {:?}", report.state, report.healthy));
                document.allocations.insert(name, report);
            }
            None => drop(document.allocations.remove(&name)),
        }
        self.view.suppose(&[Write::put(key, &document)]);
    }

    /// A running instance dies by itself.
    pub(crate) fn kill(&mut self) {
        let running: Vec<Key> = self
            .view
            .placements
            .iter()
            .filter(|(key, _)| self.is_up(key.segment(1)))
            .filter(|(key, _)| {
                self.view.indexes.report(key).is_some_and(|report| report.state == ClientState::Running)
            })
            .map(|(key, _)| key.clone())
            .collect();
        if let Some(key) = running.get(self.choices.pick(running.len())) {
            let report = self.view.indexes.report(key).cloned().unwrap_or_default();
            let dead = AllocationReport {
                state: ClientState::Failed,
                healthy: Some(false),
                ran_seconds: Some(3),
                ..report
            };
            self.report(key, Some(dead));
        }
    }

    /// Everybody does all there is to do, again and again, until nobody has anything left; time goes on to
    /// whatever is waited for.
    pub(crate) fn settle(&mut self) {
        for _ in 0..4_000 {
            let mut did = self.act();
            for (controller, root) in self.roots() {
                if self.carry_out(controller, &root, usize::MAX) == Did::Something {
                    did = Did::Something;
                }
            }
            if did == Did::Nothing && !self.sleep() {
                return;
            }
        }
        panic!("never silent\n{}", self.log[self.log.len().saturating_sub(60)..].join("\n"));
    }

    /// Goes on to the next moment that a plan waits for.
    fn sleep(&mut self) -> bool {
        let now = self.now();
        let wakes = self.roots().into_iter().filter_map(|(controller, root)| {
            controller.plan(&self.view, &root, now).wake_at.filter(|at| *at > now)
        });
        let Some(next) = wakes.min() else { return false };
        self.seconds += next.duration_since(now).as_secs().max(1);
        true
    }

    /// What runs and is healthy, per group: the places.
    pub(crate) fn healthy(&self, job: &str) -> BTreeSet<String> {
        let rows = self.view.placements.iter().filter(|(_, row)| row.value.job == job);
        rows.filter(|(key, row)| row.value.wish == Wish::Run && is_healthy(&self.view, key))
            .map(|(_, row)| format!("{}.{}", row.value.group, row.value.index))
            .collect()
    }
}

/// Whether the agent says that a placement's instance runs and is healthy.
pub(crate) fn is_healthy(view: &View, placement: &Key) -> bool {
    let report = view.indexes.report(placement);
    report.is_some_and(|report| report.state == ClientState::Running && report.healthy == Some(true))
}
