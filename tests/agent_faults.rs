//! The agent on a store that fails, with runtimes that forget to tell, killed again and again: afterwards exactly
//! what is wished runs, the reports say so, and silence falls. One thread, paused time, a seed; no I/O at all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use encamp::clock::Clock;
use encamp::drivers::contract::{
    Ending, Event, Exit, Fingerprint, RunningTask, SignalFailure, StartError, Started, TaskState, Unavailable,
};
use encamp::drivers::{Driver, Launch, Signal, TaskId};
use encamp::node::disk::NoDisk;
use encamp::node::identity::Identity;
use encamp::node::lifeline::{Heard, Lifeline, Unheard};
use encamp::node::machine::{FixedMachine, MachineFacts};
use encamp::node::probe::{Prober, Target};
use encamp::node::{AgentConfig, World, run};
use encamp::store::{CommitError, Limits, Listing, Memory, ReadError, Store, Txn, Watch, WatchError};
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{BoxStream, StreamExt as _};
use jiff::Timestamp;
use plan::Write;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use schemas::codec::decode;
use schemas::job::{JobSpec, Version};
use schemas::key::{Key, Prefix, Revision};
use schemas::node::{AgentBeat, Amount};
use schemas::placement::{Placement, Wish};
use schemas::report::{ClientState, Report};
use schemas::roster::Index;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;

const ALLOCATIONS: u32 = 5;

/// Dice that everything faulty shares.
#[derive(Clone)]
struct Dice(Arc<Mutex<(StdRng, bool)>>);

impl Dice {
    /// Whether something goes wrong now; never once all is mended.
    fn fails(&self, probability: f64) -> bool {
        let mut dice = self.0.lock().unwrap();
        dice.1 && dice.0.random_bool(probability)
    }
    fn below(&self, bound: u64) -> u64 {
        self.0.lock().unwrap().0.random_range(0..bound)
    }
    fn mend(&self) {
        self.0.lock().unwrap().1 = false;
    }
}

#[derive(Clone)]
struct Faulty {
    store: Memory,
    dice: Dice,
}

impl Store for Faulty {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        tokio::time::sleep(Duration::from_millis(self.dice.below(5))).await;
        if self.dice.fails(0.2) { Err(ReadError::Unavailable) } else { self.store.list(prefix).await }
    }
    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        tokio::time::sleep(Duration::from_millis(self.dice.below(5))).await;
        if self.dice.fails(0.15) {
            return Err(CommitError::NotApplied);
        }
        if self.dice.fails(0.1) {
            return Err(CommitError::Unknown);
        }
        let answer = self.store.commit(txn).await;
        if self.dice.fails(0.15) { Err(CommitError::Unknown) } else { answer }
    }
    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        if self.dice.fails(0.3) {
            return Err(if self.dice.fails(0.5) { WatchError::Compacted } else { WatchError::Broken });
        }
        let (watch, dice) = (self.store.watch(prefix, after).await?, self.dice.clone());
        let broken = watch.map(move |batch| if dice.fails(0.1) { Err(WatchError::Broken) } else { batch });
        // After the first error a watch is over.
        let until = broken.scan(false, |over, batch| {
            let item = (!*over).then_some(batch);
            *over |= item.as_ref().is_some_and(Result::is_err);
            std::future::ready(item)
        });
        Ok(until.boxed())
    }
}

/// A runtime that outlives agents, and asserts what must hold of its tasks.
#[derive(Clone)]
struct Fake {
    tasks: Arc<Mutex<BTreeMap<TaskId, RunningTask>>>,
    events: broadcast::Sender<Event>,
    dice: Dice,
    clock: Clock,
}

impl Fake {
    fn end(&self, id: &TaskId, ending: Ending) {
        let exit = Exit { ending, oom: false, at: self.clock.now(), message: None };
        let mut tasks = self.tasks.lock().unwrap();
        let Some(task) = tasks.get_mut(id).filter(|task| task.state == TaskState::Running) else { return };
        task.state = TaskState::Exited(exit.clone());
        if !self.dice.fails(0.2) {
            self.events.send(Event::Exited { id: id.clone(), incarnation: task.incarnation, exit }).ok();
        }
    }
    fn alive(&self) -> Vec<TaskId> {
        let tasks = self.tasks.lock().unwrap();
        tasks.values().filter(|task| task.state == TaskState::Running).map(|task| task.id.clone()).collect()
    }
}

impl Driver for Fake {
    fn fingerprint(&self) -> BoxFuture<'_, Fingerprint> {
        std::future::ready(Fingerprint { detected: true, healthy: true, ..Fingerprint::default() }).boxed()
    }
    fn running(&self) -> BoxFuture<'_, Result<Vec<RunningTask>, Unavailable>> {
        async {
            tokio::time::sleep(Duration::from_millis(self.dice.below(20))).await;
            if self.dice.fails(0.3) {
                return Err(Unavailable("the runtime is away".into()));
            }
            Ok(self.tasks.lock().unwrap().values().cloned().collect())
        }
        .boxed()
    }
    fn start(&self, launch: Launch) -> BoxFuture<'_, Result<Started, StartError>> {
        async move {
            tokio::time::sleep(Duration::from_millis(self.dice.below(30))).await;
            if self.dice.fails(0.1) {
                return Err(StartError::Recoverable("no luck".into()));
            }
            let at = self.clock.now();
            {
                let mut tasks = self.tasks.lock().unwrap();
                if let Some(task) = tasks.get(&launch.id) {
                    if task.incarnation == launch.incarnation {
                        return Ok(Started { at: task.started, already: true, address: None });
                    }
                    assert_ne!(task.state, TaskState::Running, "{} is started over a living one", launch.id);
                }
                let (id, incarnation) = (launch.id.clone(), launch.incarnation);
                let task =
                    RunningTask { id, incarnation, started: at, address: None, state: TaskState::Running };
                tasks.insert(launch.id.clone(), task);
            }
            // The answer may come after the end.
            tokio::time::sleep(Duration::from_millis(self.dice.below(30))).await;
            Ok(Started { at, already: false, address: None })
        }
        .boxed()
    }
    fn signal<'a>(&'a self, _id: &'a TaskId, _signal: Signal) -> BoxFuture<'a, Result<(), SignalFailure>> {
        std::future::ready(Ok(())).boxed()
    }
    fn stop<'a>(
        &'a self,
        id: &'a TaskId,
        signal: Signal,
        grace: Duration,
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        if self.dice.fails(0.2) {
            return std::future::ready(Err(Unavailable("the runtime is away".into()))).boxed();
        }
        let (fake, id, patience) = (self.clone(), id.clone(), grace.mul_f64(0.5));
        tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            fake.end(&id, Ending::Signal(signal.number()));
        });
        std::future::ready(Ok(())).boxed()
    }
    fn forget<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<(), Unavailable>> {
        let mut tasks = self.tasks.lock().unwrap();
        if tasks.get(id).is_some_and(|task| task.state != TaskState::Running) {
            tasks.remove(id);
        }
        std::future::ready(Ok(())).boxed()
    }
    fn events(&self) -> BoxStream<'static, Event> {
        let events = BroadcastStream::new(self.events.subscribe());
        events.map(|event| event.unwrap_or(Event::Resync)).boxed()
    }
}

struct Nobody;
impl Lifeline for Nobody {
    fn beat<'a>(&'a self, _node: &'a str, _beat: &'a AgentBeat) -> BoxFuture<'a, Result<Heard, Unheard>> {
        std::future::ready(Ok(Heard::Holder)).boxed()
    }
}
impl Prober for Nobody {
    fn test<'a>(&'a self, _target: &'a Target) -> BoxFuture<'a, Result<String, String>> {
        std::future::ready(Ok(String::new())).boxed()
    }
}

struct Stage {
    store: Faulty,
    fake: Fake,
    disk: Arc<NoDisk>,
    attempts: BTreeMap<u32, u32>,
}

impl Stage {
    fn new(seed: u64) -> Stage {
        let dice = Dice(Arc::new(Mutex::new((StdRng::seed_from_u64(seed), true))));
        let store = Faulty { store: Memory::new(Limits::default()), dice: dice.clone() };
        let clock = Clock::simulated(Timestamp::UNIX_EPOCH);
        let fake = Fake { tasks: Arc::default(), events: broadcast::channel(64).0, dice, clock };
        Stage { store, fake, disk: Arc::default(), attempts: BTreeMap::new() }
    }

    fn live(&self) -> (tokio::task::JoinHandle<()>, CancellationToken) {
        let driver: Arc<dyn Driver> = Arc::new(self.fake.clone());
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let world = World {
            store: self.store.clone(),
            drivers: [("fake".to_owned(), driver)].into(),
            clock: self.fake.clock.clone(),
            disk: self.disk.clone(),
            lifeline: Arc::new(Nobody),
            machine: Arc::new(FixedMachine { facts: MachineFacts::default(), ip }),
            prober: Arc::new(Nobody),
            identity: Identity::default(),
        };
        let stop = CancellationToken::new();
        (tokio::spawn(run(AgentConfig::new("n1", "/none"), world, stop.clone())), stop)
    }

    async fn write(&self, writes: Vec<Write>) {
        self.store.store.commit(Txn { guards: vec![], writes }).await.unwrap();
    }

    fn placement(&self, index: u32, wish: Wish) -> Placement {
        Placement {
            job: "web".into(),
            group: "api".into(),
            index: Index::Number(index),
            version: 0,
            attempt: self.attempts.get(&index).copied().unwrap_or(0),
            spec: 0,
            wish,
            claim: Amount::default(),
            cores: vec![],
            ports: vec![],
            adopts: None,
            placed_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Another wish about one slot.
    async fn wish(&mut self) {
        let dice = self.store.dice.clone();
        let index = u32::try_from(dice.below(u64::from(ALLOCATIONS))).unwrap();
        let run = self.placement(index, Wish::Run);
        let key = Key::placement("n1", "default", &run.allocation());
        let stop = Wish::Stop { reason: "no longer wished".into(), unfit: false };
        match dice.below(4) {
            0 => self.forget_ended().await,
            1 => self.write(vec![Write::put(key, &self.placement(index, stop))]).await,
            _ => {
                let stop = Write::put(key, &self.placement(index, stop));
                *self.attempts.entry(index).or_default() += 1;
                let next = self.placement(index, Wish::Run);
                let key = Key::placement("n1", "default", &next.allocation());
                self.write(vec![stop, Write::put(key, &next)]).await;
            }
        }
    }

    /// Takes away the placements whose end was reported, as the scheduler does.
    async fn forget_ended(&self) {
        let ended = self.reported().await.into_iter().filter(|(_, state)| state.is_terminal());
        let keys = ended.map(|(id, _)| Key::placement("n1", "default", id.trim_start_matches("default/")));
        let deletions: Vec<Write> = keys.map(|key| Write::Delete { key }).collect();
        if !deletions.is_empty() {
            self.write(deletions).await;
        }
    }

    /// What should run, by the store.
    async fn wished(&self) -> Vec<String> {
        let listing = self.store.store.list(&Prefix::under("/placements/")).await.unwrap();
        let placements = listing.entries.iter().map(|entry| decode::<Placement>(&entry.value).unwrap());
        placements
            .filter(|placement| placement.wish == Wish::Run)
            .map(|placement| placement.allocation())
            .collect()
    }

    /// What the reports say.
    async fn reported(&self) -> BTreeMap<String, ClientState> {
        let listing = self.store.store.list(&Prefix::under("/reports/")).await.unwrap();
        let reports = listing.entries.iter().map(|entry| decode::<Report>(&entry.value).unwrap());
        reports.flat_map(|report| report.allocations).map(|(id, report)| (id, report.state)).collect()
    }
}

async fn live_through(seed: u64) {
    let mut stage = Stage::new(seed);
    let task = serde_json::json!({"name": "server", "driver": "fake",
        "restart": {"attempts": 1000, "delay": "1s", "interval": "5s", "mode": "delay"}});
    let group = serde_json::json!({"name": "api", "tasks": [task]});
    let spec: JobSpec = serde_json::from_value(serde_json::json!({"groups": [group]})).unwrap();
    let version = Version { spec: spec.canonicalize("web"), ..Version::default() };
    stage.write(vec![Write::put(Key::version("default", "web", 0), &version)]).await;
    let (mut agent, mut stop) = stage.live();
    for _step in 0..40 {
        stage.wish().await;
        tokio::time::sleep(Duration::from_millis(stage.store.dice.below(4000))).await;
        if let Some(id) = stage.fake.alive().first().filter(|_| stage.store.dice.below(3) == 0) {
            stage.fake.end(id, Ending::Code(1));
        }
        if stage.store.dice.below(5) == 0 {
            agent.abort();
            stop.cancel();
            (agent, stop) = stage.live();
        }
    }
    stage.store.dice.mend();
    tokio::time::sleep(Duration::from_mins(2)).await;
    let wished = stage.wished().await;
    let alive: Vec<String> = stage.fake.alive().iter().map(|id| id.allocation().to_owned()).collect();
    assert_eq!(alive, wished, "seed {seed}: what runs is what is wished");
    let reported = stage.reported().await;
    let running = reported.iter().filter(|(_, state)| **state == ClientState::Running);
    let running: Vec<&str> = running.map(|(id, _)| id.trim_start_matches("default/")).collect();
    assert_eq!(running, wished, "seed {seed}: and it is reported");
    let before = stage.store.store.list(&Prefix::all()).await.unwrap().revision;
    tokio::time::sleep(Duration::from_mins(10)).await;
    let after = stage.store.store.list(&Prefix::all()).await.unwrap().revision;
    assert_eq!(before, after, "seed {seed}: then nothing is written any more");
    agent.abort();
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_node_registers_again_in_a_store_that_was_begun_anew() {
    let stage = Stage::new(0);
    stage.store.dice.mend();
    let epoch = |name: &'static str| Write::Put { key: Key::epoch(), value: format!("\"{name}\"").into() };
    stage.write(vec![epoch("first")]).await;
    let (agent, stop) = stage.live();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let key = Key::fingerprint("n1");
    assert_eq!(stage.store.store.list(&Prefix::one(&key)).await.unwrap().entries.len(), 1);
    stage.write(vec![Write::Delete { key: key.clone() }, epoch("second")]).await;
    // Until the agent lists anew.
    tokio::time::sleep(Duration::from_mins(6)).await;
    assert_eq!(stage.store.store.list(&Prefix::one(&key)).await.unwrap().entries.len(), 1);
    stop.cancel();
    agent.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_only_waits_stops_at_once() {
    let stage = Stage::new(0);
    stage.store.dice.mend();
    let placement = stage.placement(0, Wish::Run);
    let key = Key::placement("n1", "default", &placement.allocation());
    stage.write(vec![Write::put(key, &placement)]).await;
    let (agent, stop) = stage.live();
    // Its job version is not there: the agent asks for it again and again.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let asked = tokio::time::Instant::now();
    stop.cancel();
    agent.await.unwrap();
    assert!(asked.elapsed() < Duration::from_millis(100), "{:?}", asked.elapsed());
}

#[test]
fn whatever_fails_the_node_comes_to_what_is_wished_and_falls_silent() {
    for seed in 0..30 {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(live_through(seed));
    }
}
