//! A machine whose tasks are entries in a table: the ground truth of what runs.
//!
//! The table outlives the agent, as processes do; switching the machine off clears it. Tasks behave as their
//! `args` say: `run_for=seconds` (for ever if absent), then end with `exit=code` (0 if absent); `start_fails`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use encamp::clock::Clock;
use encamp::drivers::contract::{
    Driver, Ending, Event, Exit, Fingerprint, Launch, RunningTask, SignalFailure, StartError, Started,
    TaskState, Unavailable,
};
use encamp::drivers::{Signal, TaskId};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::broadcast;

/// How likely the runtime misbehaves, in thousandths of the calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Troubles {
    /// A start fails for now.
    pub(crate) start_fails: u32,
    /// A start hangs for half a minute, then goes on.
    pub(crate) start_hangs: u32,
    /// The longest a start or a stop takes, in milliseconds.
    pub(crate) slow_ms: u64,
}

/// How long a start that hangs does.
const HANG: Duration = Duration::from_secs(30);

/// One machine.
#[derive(Clone)]
pub(crate) struct Machine {
    clock: Clock,
    shared: Arc<Mutex<Shared>>,
    events: broadcast::Sender<Event>,
}

struct Shared {
    tasks: BTreeMap<String, Task>,
    journal: Vec<Happening>,
    troubles: Troubles,
    rng: StdRng,
    is_on: bool,
}

#[derive(Clone, Debug)]
struct Task {
    id: TaskId,
    incarnation: u32,
    started: Timestamp,
    state: TaskState,
}

/// What happened to a task on the machine, for the checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// An incarnation began.
    Began(TaskId, u32),
    /// It ended by itself or with its machine.
    Ended(TaskId, u32),
    /// Its agent ended it.
    Stopped(TaskId, u32),
    /// The machine was switched off: nothing is known of what began on it.
    Off,
}

impl Machine {
    /// A machine that is on.
    pub(crate) fn new(clock: Clock, seed: u64) -> Machine {
        let (events, _) = broadcast::channel(1024);
        let shared = Shared {
            tasks: BTreeMap::new(),
            journal: Vec::new(),
            troubles: Troubles::default(),
            rng: StdRng::seed_from_u64(seed),
            is_on: true,
        };
        Machine { clock, shared: Arc::new(Mutex::new(shared)), events }
    }

    /// From now on these troubles happen.
    pub(crate) fn set(&self, troubles: Troubles) {
        self.shared.lock().unwrap().troubles = troubles;
    }

    /// Switches the machine on.
    pub(crate) fn switch_on(&self) {
        self.shared.lock().unwrap().is_on = true;
    }

    /// Switches the machine off: everything on it is gone.
    pub(crate) fn switch_off(&self) {
        let mut shared = self.shared.lock().unwrap();
        shared.is_on = false;
        let ended: Vec<Happening> =
            shared.living().map(|task| Happening::Ended(task.id.clone(), task.incarnation)).collect();
        shared.journal.extend(ended);
        shared.journal.push(Happening::Off);
        shared.tasks.clear();
    }

    /// Who is alive.
    pub(crate) fn alive(&self) -> Vec<TaskId> {
        self.shared.lock().unwrap().living().map(|task| task.id.clone()).collect()
    }

    /// What has happened since the last time this was asked.
    pub(crate) fn take_journal(&self) -> Vec<Happening> {
        std::mem::take(&mut self.shared.lock().unwrap().journal)
    }

    /// Ends a random living task, as a crash would.
    pub(crate) fn crash_one(&self) {
        let chosen = {
            let mut shared = self.shared.lock().unwrap();
            let living: Vec<TaskId> = shared.living().map(|task| task.id.clone()).collect();
            if living.is_empty() {
                return;
            }
            let at = shared.rng.random_range(0..living.len());
            living[at].clone()
        };
        self.end(&chosen, None, Ending::Code(1), Happening::Ended);
    }

    /// Ends a task, if it lives and is the incarnation that is meant.
    fn end(&self, id: &TaskId, only: Option<u32>, ending: Ending, happening: fn(TaskId, u32) -> Happening) {
        let exit = Exit { ending, oom: false, at: self.clock.now(), message: None };
        let incarnation = {
            let mut shared = self.shared.lock().unwrap();
            let Some(task) = shared.tasks.get_mut(id.as_str()) else { return };
            if task.state != TaskState::Running || only.is_some_and(|only| only != task.incarnation) {
                return;
            }
            task.state = TaskState::Exited(exit.clone());
            let incarnation = task.incarnation;
            shared.journal.push(happening(id.clone(), incarnation));
            incarnation
        };
        drop(self.events.send(Event::Exited { id: id.clone(), incarnation, exit }));
    }

    fn trouble(&self) -> (bool, Duration) {
        let mut shared = self.shared.lock().unwrap();
        let Troubles { start_fails, start_hangs, slow_ms } = shared.troubles;
        let mut happens =
            |thousandths: u32| thousandths > 0 && shared.rng.random_ratio(thousandths.min(1000), 1000);
        let (fails, hangs) = (happens(start_fails), happens(start_hangs));
        let slow = if slow_ms == 0 { 0 } else { shared.rng.random_range(0..=slow_ms) };
        (fails, if hangs { HANG } else { Duration::from_millis(slow) })
    }

    fn begin(&self, launch: &Launch) -> Result<Started, StartError> {
        let at = self.clock.now();
        let mut shared = self.shared.lock().unwrap();
        if !shared.is_on {
            return Err(StartError::Recoverable("the machine is off".into()));
        }
        if let Some(task) = shared.tasks.get(launch.id.as_str()) {
            if task.incarnation == launch.incarnation {
                return Ok(Started { at: task.started, already: true, address: None });
            }
            if task.state == TaskState::Running {
                return Err(StartError::StillAlive("an older incarnation is alive".into()));
            }
        }
        let task = Task {
            id: launch.id.clone(),
            incarnation: launch.incarnation,
            started: at,
            state: TaskState::Running,
        };
        shared.tasks.insert(launch.id.as_str().to_owned(), task);
        shared.journal.push(Happening::Began(launch.id.clone(), launch.incarnation));
        Ok(Started { at, already: false, address: None })
    }

    /// Lets a task end when its configuration says so.
    fn schedule_end(&self, launch: &Launch) {
        let Some(seconds) = word(launch, "run_for").and_then(|word| word.parse().ok()) else { return };
        let code = word(launch, "exit").and_then(|word| word.parse().ok()).unwrap_or(0);
        let (machine, id, incarnation) = (self.clone(), launch.id.clone(), launch.incarnation);
        let ending = Ending::Code(code);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            machine.end(&id, Some(incarnation), ending, Happening::Ended);
        });
    }
}

/// What the task's arguments say about something.
fn word(launch: &Launch, name: &str) -> Option<String> {
    let words = launch.config.get("args")?.as_array()?.iter().filter_map(|word| word.as_str());
    let mut words = words.map(|word| word.split_once('=').unwrap_or((word, "")));
    words.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

impl Shared {
    fn living(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().filter(|task| task.state == TaskState::Running)
    }
}

impl Driver for Machine {
    fn fingerprint(&self) -> BoxFuture<'_, Fingerprint> {
        Box::pin(async { Fingerprint { detected: true, healthy: true, ..Fingerprint::default() } })
    }

    fn running(&self) -> BoxFuture<'_, Result<Vec<RunningTask>, Unavailable>> {
        Box::pin(async {
            let shared = self.shared.lock().unwrap();
            let shown = shared.tasks.values().map(|task| RunningTask {
                id: task.id.clone(),
                incarnation: task.incarnation,
                started: task.started,
                address: None,
                state: task.state.clone(),
            });
            Ok(shown.collect())
        })
    }

    fn start(&self, launch: Launch) -> BoxFuture<'_, Result<Started, StartError>> {
        Box::pin(async move {
            let (fails, slow) = self.trouble();
            tokio::time::sleep(slow).await;
            if word(&launch, "start_fails").is_some() {
                return Err(StartError::Fatal("told to fail".into()));
            }
            if fails {
                return Err(StartError::Recoverable("the runtime is out of luck".into()));
            }
            let started = self.begin(&launch)?;
            if !started.already {
                self.schedule_end(&launch);
                drop(self.events.send(Event::Started { id: launch.id, incarnation: launch.incarnation }));
            }
            Ok(started)
        })
    }

    fn signal<'a>(&'a self, _: &'a TaskId, _: Signal) -> BoxFuture<'a, Result<(), SignalFailure>> {
        Box::pin(async { Ok(()) })
    }

    fn stop<'a>(&'a self, id: &'a TaskId, _: Signal, _: Duration) -> BoxFuture<'a, Result<(), Unavailable>> {
        Box::pin(async move {
            let (_, slow) = self.trouble();
            let machine = self.clone();
            let id = id.clone();
            tokio::spawn(async move {
                tokio::time::sleep(slow).await;
                machine.end(&id, None, Ending::Signal(15), Happening::Stopped);
            });
            Ok(())
        })
    }

    fn forget<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<(), Unavailable>> {
        Box::pin(async move {
            let mut shared = self.shared.lock().unwrap();
            if shared.tasks.get(id.as_str()).is_some_and(|task| task.state != TaskState::Running) {
                shared.tasks.remove(id.as_str());
            }
            Ok(())
        })
    }

    fn events(&self) -> BoxStream<'static, Event> {
        let receiver = self.events.subscribe();
        futures::stream::unfold(receiver, |mut receiver| async move {
            match receiver.recv().await {
                Ok(event) => Some((event, receiver)),
                Err(broadcast::error::RecvError::Lagged(_)) => Some((Event::Resync, receiver)),
                Err(broadcast::error::RecvError::Closed) => None,
            }
        })
        .boxed()
    }
}
