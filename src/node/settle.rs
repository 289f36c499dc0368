//! From decisions to acts.

use agent::{Act, AllocationId, Local, decide};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::launch::Ask;
use super::reality::asked_to_stop;
use super::run::{Agent, Pace, Saving};
use super::standing::Standing;
use super::works::Probe;
use super::{saved, works};
use drivers::TaskId;
use store::Store;

impl<S: Store> Agent<S> {
    /// Decides about every allocation that may need it, and does what was decided.
    pub(super) fn settle(&mut self) {
        if *self.standing.borrow() == Standing::Refused {
            // What runs under the name is another's to decide about. All that is left to do waits.
            return;
        }
        while let Some(id) = self.dirty.pop_first() {
            if self.removing.contains(&id) {
                // New folders must not be made while the old ones go; it is decided about afterwards.
                continue;
            }
            // A check that a new version changed begins anew before its old result could count for that version.
            self.sync_checks(&id);
            let plan = decide(&self.local, &id, self.world.clock.now());
            plan.notes.iter().for_each(|note| tracing::trace!("{note}"));
            self.timers.set(&id, plan.wake_at);
            for act in plan.steps.into_iter().flat_map(|step| step.effects) {
                tracing::debug!("{act}");
                self.act(act);
            }
            self.sync_checks(&id);
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Remember(id, Some(memory)) => {
                self.details.touch(&id);
                self.local.memory.insert(id, *memory);
                self.save();
            }
            Act::Remember(id, None) => {
                self.details.touch(&id);
                self.local.memory.remove(&id);
                self.local.checks.remove(&id);
                self.probes.remove(&id);
                self.local.disk.remove(&id);
                self.save();
            }
            Act::Start { allocation, task, incarnation } => self.start(&allocation, &task, incarnation),
            Act::Stop { allocation, task, kill, reason } => {
                let Some(id) = task_id(&allocation, &task) else { return };
                tracing::info!(task = %id, "stopping: {reason}");
                asked_to_stop(&mut self.local.tasks, &id, Some(self.world.clock.now()));
                let driver = self.driver_of(&id);
                self.works.spawn(works::stop(driver, id, kill));
            }
            Act::Forget { allocation, task } => {
                let Some(id) = task_id(&allocation, &task) else { return };
                let driver = self.driver_of(&id);
                self.works.spawn(works::forget(driver, id));
            }
            Act::Remove(id) => {
                self.removing.insert(id.clone());
                self.works.spawn(works::remove(self.world.disk.clone(), id));
            }
            Act::Report(id, report) => {
                match &report {
                    Some(report) => self.local.reports.insert(id.clone(), report.clone()),
                    None => self.local.reports.remove(&id),
                };
                if report.as_ref().is_some_and(|report| report.state.is_terminal()) {
                    // Nothing of it will run again; logs and other files stay to be read.
                    self.works.spawn(works::take_off_secrets(self.world.disk.clone(), id.clone()));
                }
                self.reports.set(&id, report);
            }
        }
    }

    fn start(&mut self, allocation: &AllocationId, task: &str, incarnation: u32) {
        let wanted = self.local.wishes.get(allocation);
        let Some(ask) =
            wanted.and_then(|wanted| Ask::of(allocation, wanted, (task, incarnation), self.here.host_ip()))
        else {
            return;
        };
        tracing::info!(task = %ask.id, incarnation, "starting");
        let probe = self.probe(&ask);
        let name = ask.task.driver.clone();
        self.reality.starting(&mut self.local.tasks, &name, &ask.id, incarnation);
        let driver = self.world.drivers.get(&name).cloned();
        let span = tracing::info_span!("start", task = %ask.id, incarnation);
        let start = works::start(driver, self.world.disk.clone(), (ask, self.here.clone()), probe);
        self.works.spawn(start.instrument(span));
    }

    /// What to wait for before a task of an allocation starts: whether somebody else has its ports. As long as a task of
    /// it is alive these may be its own, and then what was found before it began is what counts.
    fn probe(&mut self, ask: &Ask) -> Option<Probe> {
        let Local { tasks, memory, .. } = &self.local;
        let is_ending = memory.get(&ask.allocation).is_some_and(|memory| memory.ending.is_some());
        let own = tasks.get(&ask.allocation);
        let is_begun = own.is_some_and(|tasks| tasks.values().any(|seen| seen.fact.is_alive()));
        if !is_begun && !is_ending && !ask.ports.is_empty() {
            let probe = works::probe(self.world.machine.clone(), ask.ports.clone());
            self.probes.insert(ask.allocation.clone(), probe);
        }
        self.probes.get(&ask.allocation).filter(|_| !is_ending).cloned()
    }

    fn driver_of(&self, id: &TaskId) -> Option<std::sync::Arc<dyn drivers::Driver>> {
        self.reality.driver_of(id).and_then(|name| self.world.drivers.get(name)).cloned()
    }

    /// Sends what is to be reported, unless something is on its way or was just sent.
    pub(super) fn send_reports(&mut self) {
        let Pace::From(at) = self.report_pace else { return };
        if self.local.complete
            && !self.is_abroad
            && at <= Instant::now()
            && self.standing.borrow().may_speak()
            && let Some(mut flight) = self.reports.take()
        {
            self.carry_details(&mut flight);
            self.report_pace = Pace::Busy;
            self.works.spawn(works::send(self.world.store.clone(), flight));
        }
    }

    /// Reports may be sent again at once: what changed while the last was on its way goes together.
    pub(super) fn may_report(&mut self) {
        self.report_pace = Pace::From(Instant::now());
    }

    /// Saves the memory, or again when the current saving is over.
    pub(super) fn save(&mut self) {
        self.saving = match self.saving {
            Saving::Idle => {
                let bytes = saved::encode(&self.local.memory, &self.follows.borrow());
                self.works.spawn(works::save(self.world.disk.clone(), bytes));
                Saving::Busy
            }
            Saving::Busy | Saving::BusyAndDirty => Saving::BusyAndDirty,
        };
    }
}

pub(super) fn task_id(allocation: &AllocationId, task: &str) -> Option<TaskId> {
    TaskId::new(allocation.namespace(), allocation.allocation(), task)
        .inspect_err(|error| tracing::error!("{error}"))
        .ok()
}
