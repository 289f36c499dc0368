//! What the runtimes hold, put together from their listings, their events and the answers to orders.
//!
//! Events and answers may overtake each other, so every fact has an age: a listing that was asked for before a fact
//! was learnt does not overwrite it, and a start that is answered after the task's end was seen does not revive it.

use std::collections::{BTreeMap, BTreeSet};

use agent::{AllocationId, Exit, Fact, Observed, Refusal};
use jiff::Timestamp;

use drivers::TaskId;
use drivers::contract::{self, Ending, RunningTask, StartError, Started, TaskState};

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
    /// A start is on its way: until it is answered, what the runtime holds of earlier ones says nothing.
    is_being_started: bool,
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
        let is_being_started = observed.fact == Fact::Starting;
        self.held.insert(id.clone(), Held { driver: driver.to_owned(), age, is_being_started });
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

    /// The driver answered to a start. After [`StartError::StillAlive`] it is to be asked what it holds.
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
            Err(error @ StartError::PortTaken { port, .. }) => {
                let (refusal, message) = (Refusal::PortTaken(port), error.to_string());
                Fact::Refused { at: now, refusal, message }
            }
            Err(StartError::Recoverable(message)) => {
                Fact::Refused { at: now, refusal: Refusal::Passing, message }
            }
            Err(StartError::Fatal(message)) => Fact::Refused { at: now, refusal: Refusal::Final, message },
            Err(StartError::StillAlive(_)) => {
                let held = self.held.get_mut(id);
                return held.into_iter().for_each(|held| held.is_being_started = false);
            }
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
            let held = self.held.get(&task.id);
            let is_overtaken = held.is_some_and(|held| held.is_being_started)
                && observed(tasks, &task.id).is_some_and(|current| task.incarnation < current.incarnation);
            if younger(held) || is_overtaken {
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
            let is_being_started = self.held.get(&id).is_some_and(|held| held.is_being_started);
            let lost = observed(tasks, &id).is_some_and(|current| match current.fact {
                Fact::Running { .. } | Fact::Exited { .. } => true,
                Fact::Starting => !is_being_started,
                Fact::Refused { .. } => false,
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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A driver's book and what was learnt from it, as one line per fact.
    struct Book {
        reality: Reality,
        tasks: Tasks,
        id: TaskId,
    }

    impl Book {
        fn new() -> Book {
            let id = TaskId::new("default", "web.api.0-v0.0", "server").unwrap();
            Book { reality: Reality::default(), tasks: Tasks::new(), id }
        }
        fn start(mut self, incarnation: u32) -> Book {
            self.reality.starting(&mut self.tasks, "raw_exec", &self.id, incarnation);
            self
        }
        fn answer(mut self, incarnation: u32, answer: Result<Started, StartError>) -> Book {
            self.reality.started(&mut self.tasks, (&self.id, incarnation), answer, Timestamp::UNIX_EPOCH);
            self
        }
        /// The driver is asked and answers at once.
        fn look(mut self, holds: Option<(u32, TaskState)>) -> Book {
            let asked = self.reality.moment();
            let listing = holds.map(|(incarnation, state)| RunningTask {
                id: self.id.clone(),
                incarnation,
                started: Timestamp::UNIX_EPOCH,
                address: None,
                state,
            });
            self.reality.listed(&mut self.tasks, "raw_exec", asked, listing.into_iter().collect());
            self
        }
        fn shows(&self) -> String {
            let mut line = String::new();
            for (name, seen) in self.tasks.values().flatten() {
                let fact = match &seen.fact {
                    Fact::Starting => "starting",
                    Fact::Running { .. } => "running",
                    Fact::Exited { .. } => "exited",
                    Fact::Refused { .. } => "refused",
                };
                write!(line, "{name} #{} {fact}", seen.incarnation).unwrap();
            }
            line
        }
    }

    fn exited() -> TaskState {
        let exit =
            contract::Exit { ending: Ending::Code(1), oom: false, at: Timestamp::UNIX_EPOCH, message: None };
        TaskState::Exited(exit)
    }

    #[test]
    fn a_look_during_a_start_does_not_bring_back_the_former_incarnation() {
        let book = Book::new().look(Some((0, exited()))).start(1).look(Some((0, exited())));
        assert_eq!(book.shows(), "server #1 starting");
        assert_eq!(book.look(Some((1, TaskState::Running))).shows(), "server #1 running");
    }

    #[test]
    fn when_an_earlier_start_still_lives_the_next_look_says_what_is() {
        let alive = || Err(StartError::StillAlive("an earlier start is still alive".into()));
        let book = || Book::new().start(2).answer(2, alive());
        assert_eq!(book().shows(), "server #2 starting", "nothing is known yet");
        assert_eq!(book().look(Some((1, TaskState::Running))).shows(), "server #1 running");
        assert_eq!(book().look(Some((1, exited()))).shows(), "server #1 exited");
        assert_eq!(book().look(None).shows(), "", "it may be started again");
    }

    #[test]
    fn a_look_that_does_not_show_a_start_on_its_way_says_nothing() {
        assert_eq!(Book::new().start(0).look(None).shows(), "server #0 starting");
    }
}
