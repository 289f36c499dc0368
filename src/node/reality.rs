//! What the runtimes hold, put together from their listings, their events and the answers to orders.
//!
//! Events and answers may overtake each other, so every fact has an age: a listing that was asked for before a fact
//! was learnt does not overwrite it, and a start that is answered after the task's end was seen does not revive it.

use std::collections::{BTreeMap, BTreeSet};

use agent::{AllocationId, Exit, Fact, Observed};
use jiff::Timestamp;

use super::drivers::TaskId;
use super::drivers::contract::{self, Ending, RunningTask, StartError, Started, TaskState};

/// Tasks by allocation, as decisions see them.
pub(crate) type Tasks = BTreeMap<AllocationId, BTreeMap<String, Observed>>;

/// The book of which driver holds which task.
#[derive(Debug, Default)]
pub(crate) struct Reality {
    held: BTreeMap<TaskId, Held>,
    age: u64,
}

#[derive(Debug)]
struct Held {
    driver: String,
    age: u64,
}

/// The allocation of a task.
pub(crate) fn allocation_of(id: &TaskId) -> AllocationId {
    AllocationId::new(id.namespace(), id.allocation())
}

impl Reality {
    /// A moment: what is learnt from now on is younger.
    pub(crate) fn moment(&mut self) -> u64 {
        self.age += 1;
        self.age
    }

    /// The driver that holds a task.
    pub(crate) fn driver_of(&self, id: &TaskId) -> Option<&str> {
        self.held.get(id).map(|held| held.driver.as_str())
    }

    fn learn(&mut self, tasks: &mut Tasks, driver: &str, id: &TaskId, observed: Observed) {
        let age = self.moment();
        self.held.insert(id.clone(), Held { driver: driver.to_owned(), age });
        tasks.entry(allocation_of(id)).or_default().insert(id.task().to_owned(), observed);
    }

    fn drop_task(&mut self, tasks: &mut Tasks, id: &TaskId) {
        self.held.remove(id);
        let allocation = allocation_of(id);
        if let Some(own) = tasks.get_mut(&allocation) {
            own.remove(id.task());
            if own.is_empty() {
                tasks.remove(&allocation);
            }
        }
    }

    /// The driver was told to start a task.
    pub(crate) fn starting(&mut self, tasks: &mut Tasks, driver: &str, id: &TaskId, incarnation: u32) {
        self.learn(tasks, driver, id, Observed { incarnation, fact: Fact::Starting });
    }

    /// The driver answered to a start.
    pub(crate) fn started(
        &mut self,
        tasks: &mut Tasks,
        (id, incarnation): (&TaskId, u32),
        answer: Result<Started, StartError>,
        now: Timestamp,
    ) {
        let Some(current) = observed(tasks, id) else { return };
        if current.incarnation != incarnation || current.fact != Fact::Starting {
            return;
        }
        let fact = match answer {
            Ok(started) => Fact::Running { since: started.at, asked_to_stop: None },
            Err(StartError::Recoverable(message)) => Fact::Refused { at: now, fatal: false, message },
            Err(StartError::Fatal(message)) => Fact::Refused { at: now, fatal: true, message },
        };
        let Some(driver) = self.driver_of(id).map(str::to_owned) else { return };
        self.learn(tasks, &driver, id, Observed { incarnation, fact });
    }

    /// The runtime forgot a task.
    pub(crate) fn forgotten(&mut self, tasks: &mut Tasks, id: &TaskId) {
        self.drop_task(tasks, id);
    }

    /// An event told that an incarnation ended.
    pub(crate) fn exited(
        &mut self,
        tasks: &mut Tasks,
        driver: &str,
        (id, incarnation): (&TaskId, u32),
        exit: &contract::Exit,
    ) {
        let current = observed(tasks, id);
        if current.is_some_and(|current| current.incarnation > incarnation || !current.fact.is_alive()) {
            return;
        }
        let fact = Fact::Exited { at: exit.at, exit: exit_of(exit) };
        self.learn(tasks, driver, id, Observed { incarnation, fact });
    }

    /// The driver told all that it holds, asked at `asked`. Answers which allocations may have changed.
    pub(crate) fn listed(
        &mut self,
        tasks: &mut Tasks,
        driver: &str,
        asked: u64,
        listing: Vec<RunningTask>,
    ) -> Vec<AllocationId> {
        let mut changed = Vec::new();
        let younger = |held: Option<&Held>| held.is_some_and(|held| held.age > asked);
        let of_driver = self.held.iter().filter(|(_, held)| held.driver == driver);
        let mut missing: BTreeSet<TaskId> = of_driver.map(|(id, _)| id.clone()).collect();
        for task in listing {
            missing.remove(&task.id);
            if younger(self.held.get(&task.id)) {
                continue;
            }
            let fact = match &task.state {
                TaskState::Exited(exit) => Fact::Exited { at: exit.at, exit: exit_of(exit) },
                TaskState::Running => Fact::Running {
                    since: task.started,
                    asked_to_stop: observed(tasks, &task.id).and_then(|current| match current.fact {
                        Fact::Running { asked_to_stop, .. } => asked_to_stop,
                        Fact::Starting | Fact::Exited { .. } | Fact::Refused { .. } => None,
                    }),
                },
            };
            changed.push(allocation_of(&task.id));
            self.learn(tasks, driver, &task.id, Observed { incarnation: task.incarnation, fact });
        }
        for id in missing.into_iter().filter(|id| !younger(self.held.get(id))).collect::<Vec<_>>() {
            let lost = observed(tasks, &id).is_some_and(|current| match current.fact {
                Fact::Running { .. } | Fact::Exited { .. } => true,
                Fact::Starting | Fact::Refused { .. } => false,
            });
            if lost {
                tracing::warn!(task = %id, driver, "the runtime no longer knows a task");
                changed.push(allocation_of(&id));
                self.drop_task(tasks, &id);
            }
        }
        changed
    }
}

/// Notes that a task was asked to end, or (nothing) that the order did not reach its runtime.
pub(crate) fn asked_to_stop(tasks: &mut Tasks, id: &TaskId, when: Option<Timestamp>) {
    let own = tasks.get_mut(&allocation_of(id)).and_then(|own| own.get_mut(id.task()));
    if let Some(Observed { fact: Fact::Running { asked_to_stop, .. }, .. }) = own {
        *asked_to_stop = when;
    }
}

fn observed<'a>(tasks: &'a Tasks, id: &TaskId) -> Option<&'a Observed> {
    tasks.get(&allocation_of(id)).and_then(|own| own.get(id.task()))
}

fn exit_of(exit: &contract::Exit) -> Exit {
    let signal = match exit.ending {
        Ending::Signal(number) => Some(number),
        Ending::Code(_) | Ending::Unseen => None,
    };
    Exit { code: exit.code(), signal, oom: exit.oom, message: exit.message.clone().unwrap_or_default() }
}
