//! The agent's loop: news, events and answers come in, decisions follow, acts go out.
//!
//! The loop itself never waits for anything but the next of these. Acts run beside it, each ends in an answer that
//! comes back here. Stopping the loop leaves tasks alone: the next agent finds them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use agent::{AllocationId, Local};
use futures::stream::{BoxStream, SelectAll, StreamExt};
use schemas::key::Key;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::checks::{Checks, Tested};
use super::config::AgentConfig;
use super::details::DetailsWriter;
use super::disk::Disk;
use super::feed::{self, News, Node};
use super::identity::Identity;
use super::launch::Here;
use super::lifeline::{self, Beating, Lifeline};
use super::machine::Machine;
use super::probe::Prober;
use super::reality::Reality;
use super::registration::Registration;
use super::reports::Reports;
use super::saved::{self, Memory};
use super::standing::{self, Standing};
use super::timers::Timers;
use super::versions::ReadVersion;
use super::works::{self, Done, Pause, Probe};
use clock::Clock;
use drivers::Driver;
use drivers::contract::Event;
use store::Store;

/// Drivers are asked what they hold this often, in case an event was lost.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The longest sleep while a timer is set: a clock that jumps is noticed after this.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// How long acts on their way may take when the agent stops.
const LAST_ACTS: Duration = Duration::from_secs(2);

/// What an agent works with.
#[derive(Clone)]
pub struct World<S> {
    /// Where wishes come from and reports go.
    pub store: S,
    /// The runtimes, by name.
    pub drivers: BTreeMap<String, Arc<dyn Driver>>,
    /// What time it is.
    pub clock: Clock,
    /// The agent's own files.
    pub disk: Arc<dyn Disk>,
    /// How servers hear that the node lives.
    pub lifeline: Arc<dyn Lifeline>,
    /// What the machine is.
    pub machine: Arc<dyn Machine>,
    /// How checks are tested.
    pub prober: Arc<dyn Prober>,
    /// Who this agent is among those of its name.
    pub identity: Identity,
}

/// Runs an agent until told to stop. Tasks go on running.
pub async fn run<S: Store>(config: AgentConfig, world: World<S>, stop: CancellationToken) {
    let mut beside = JoinSet::new();
    let told = watch::Sender::new(false);
    let first = if world.identity.session.is_empty() { Standing::Unjudged } else { Standing::Unknown };
    let (standing, mut holding) = watch::channel(first);
    let beating = Beating { node: config.name.clone(), identity: world.identity.clone(), standing };
    let (lifeline, is_told, until) = (world.lifeline.clone(), told.subscribe(), stop.child_token());
    let runtime = lifeline.runtime().unwrap_or_else(Handle::current);
    beside.spawn_on(lifeline::keep_beating(lifeline, beating, is_told, until), &runtime);
    let (facts, host_ip) = (world.machine.observe().await, world.machine.host_ip());
    let held = watch::Sender::new(0);
    let (drivers, identity) = (world.drivers.clone(), world.identity.clone());
    let follows = watch::Sender::new(saved::load(&*world.disk).await.epoch);
    let registration = Registration {
        config: config.clone(),
        machine: world.machine.clone(),
        held: held.subscribe(),
        facts,
        host_ip,
        drivers,
        identity,
        follows: follows.subscribe(),
    };
    let (current, fingerprint) = watch::channel(registration.fingerprint().await);
    let here = Arc::new(Here::new(&config, &fingerprint.borrow(), host_ip));
    let (store, until) = (world.store.clone(), stop.child_token());
    beside.spawn(registration.keep(store, current, holding.clone(), until));
    loop {
        let memory = saved::load(&*world.disk).await.memory;
        // What the runtimes hold is not known yet: until then there may be something.
        let is_bound = watch::Sender::new(true);
        let node = Node {
            name: config.name.clone(),
            fingerprint: fingerprint.clone(),
            follows: follows.clone(),
            is_bound: is_bound.subscribe(),
        };
        let (checks, tested) = Checks::new(world.prober.clone());
        let sources = Sources::open(&world, node, tested, holding.clone());
        let agent = Agent::new(config.clone(), world.clone(), memory, here.clone(), checks);
        let (told, standing, follows) = (told.clone(), holding.clone(), follows.clone());
        let held = held.clone();
        let mut agent = Agent { told: told.clone(), standing, follows, is_bound, held, ..agent };
        agent.look_at_all();
        agent.measure_later(Duration::ZERO);
        let end = agent.turn(sources, &stop).await;
        agent.leave().await;
        match end {
            End::Stopped => break,
            // Whoever had the name meanwhile may have done anything under it: what was known is worth nothing.
            End::Regained => {
                tracing::info!(node = config.name, "the name is this agent's again: it begins anew");
            }
        }
        told.send_replace(false);
        holding.borrow_and_update();
    }
    beside.shutdown().await;
}

/// Why an agent's loop has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It was told to stop.
    Stopped,
    /// It was refused, and is the holder of its name again.
    Regained,
}

/// Where everything that happens comes from.
struct Sources {
    events: Events,
    feed: BoxStream<'static, News>,
    tested: mpsc::Receiver<Tested>,
}

impl Sources {
    fn open<S: Store>(
        world: &World<S>,
        node: Node,
        tested: mpsc::Receiver<Tested>,
        holding: watch::Receiver<Standing>,
    ) -> Sources {
        let events = world.drivers.iter().map(|(name, driver)| {
            let name = name.clone();
            driver.events().map(move |event| (name.clone(), event)).boxed()
        });
        let events = futures::stream::select_all(events);
        let feed = standing::for_the_holder(feed::feed(world.store.clone(), node), holding);
        Sources { events, feed, tested }
    }
}

type Events = SelectAll<BoxStream<'static, (String, Event)>>;

/// The state of the loop.
pub(super) struct Agent<S> {
    pub(super) config: Arc<AgentConfig>,
    pub(super) world: World<S>,
    /// What decisions are made of.
    pub(super) local: Local,
    pub(super) reality: Reality,
    pub(super) reports: Reports,
    pub(super) versions: BTreeMap<Key, ReadVersion>,
    /// Allocations to decide about.
    pub(super) dirty: BTreeSet<AllocationId>,
    /// Allocations whose folders are on their way out.
    pub(super) removing: BTreeSet<AllocationId>,
    pub(super) timers: Timers,
    /// What is or was asked about the ports of allocations that are beginning.
    pub(super) probes: BTreeMap<AllocationId, Probe>,
    pub(super) works: JoinSet<Done>,
    /// What is only waited for: an agent that stops does not.
    pub(super) pauses: JoinSet<Pause>,
    pub(super) saving: Saving,
    pub(super) report_pace: Pace,
    /// The reports could not be written when it was last tried.
    pub(super) are_reports_stuck: bool,
    pub(super) details: DetailsWriter,
    /// Drivers that were never asked what they hold.
    pub(super) unasked: BTreeSet<String>,
    pub(super) checks: Checks,
    /// How often in a row a driver did not say what it holds.
    pub(super) look_failures: BTreeMap<String, u32>,
    pub(super) here: Arc<Here>,
    told: watch::Sender<bool>,
    /// The epoch of the store that this node follows.
    pub(super) follows: watch::Sender<String>,
    /// How many MB of the disk the allocations hold of what they were promised.
    pub(super) held: watch::Sender<u64>,
    /// Whether this node holds allocations.
    is_bound: watch::Sender<bool>,
    /// The epoch of what is known of the store.
    pub(super) epoch: String,
    /// The store is another one, as was said once.
    pub(super) is_abroad: bool,
    /// What the agent is to the cluster.
    pub(super) standing: watch::Receiver<Standing>,
}

/// Whether the memory is being saved, or was a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saving {
    /// Nothing has changed.
    Idle,
    /// Its last state is saved.
    Busy,
    /// It has changed meanwhile.
    BusyAndDirty,
}

/// When reports may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// From then on.
    From(Instant),
    /// When what is on its way is answered.
    Busy,
}

impl<S: Store> Agent<S> {
    fn new(
        config: AgentConfig,
        world: World<S>,
        memory: Memory,
        here: Arc<Here>,
        checks: Checks,
    ) -> Agent<S> {
        let blind: BTreeSet<String> = world.drivers.keys().cloned().collect();
        let local = Local {
            memory,
            blind: blind.clone(),
            max_kill_timeout: config.max_kill_timeout,
            ..Local::default()
        };
        Agent {
            reports: Reports::new(&config.name),
            details: DetailsWriter::new(&config.name),
            config: Arc::new(config),
            world,
            local,
            reality: Reality::default(),
            versions: BTreeMap::new(),
            dirty: BTreeSet::new(),
            removing: BTreeSet::new(),
            timers: Timers::default(),
            probes: BTreeMap::new(),
            works: JoinSet::new(),
            pauses: JoinSet::new(),
            saving: Saving::Idle,
            report_pace: Pace::From(Instant::now()),
            are_reports_stuck: false,
            unasked: blind,
            checks,
            look_failures: BTreeMap::new(),
            here,
            told: watch::Sender::new(false),
            follows: watch::Sender::new(String::new()),
            held: watch::Sender::new(0),
            is_bound: watch::Sender::new(true),
            epoch: String::new(),
            is_abroad: false,
            standing: watch::channel(Standing::Unknown).1,
        }
    }

    async fn turn(&mut self, mut sources: Sources, stop: &CancellationToken) -> End {
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        let mut was_refused = false;
        loop {
            let standing = *self.standing.borrow_and_update();
            if was_refused && standing.may_speak() {
                return End::Regained;
            }
            was_refused |= standing == Standing::Refused;
            self.settle();
            self.send_reports();
            self.send_details();
            self.tell();
            let next_moment = self.next_moment();
            tokio::select! { biased;
                () = stop.cancelled() => return End::Stopped,
                Ok(()) = self.standing.changed() => {}
                Some(done) = self.works.join_next() => self.on_done(done),
                Some(Ok(pause)) = self.pauses.join_next() => self.on_passed(pause),
                Some((driver, event)) = sources.events.next() => self.on_event(&driver, event),
                Some(news) = sources.feed.next() => self.on_news(news),
                Some(tested) = sources.tested.recv() => self.on_tested(tested),
                _ = looks.tick() => self.look_at_all(),
                () = tokio::time::sleep_until(next_moment) => self.ring(),
            }
        }
    }

    /// Asks every driver what it holds.
    fn look_at_all(&mut self) {
        let names: Vec<String> = self.world.drivers.keys().cloned().collect();
        for name in &names {
            self.look(name);
        }
    }

    pub(super) fn look(&mut self, name: &str) {
        let Some(driver) = self.world.drivers.get(name).cloned() else { return };
        let asked = self.reality.moment();
        self.works.spawn(works::look(driver, name.to_owned(), asked));
    }

    /// Comes back to something after a while.
    pub(super) fn pause(&mut self, time: Duration, pause: Pause) {
        self.pauses.spawn(async move {
            tokio::time::sleep(time).await;
            pause
        });
    }

    fn ring(&mut self) {
        let now = self.world.clock.now();
        self.dirty.extend(self.timers.ring(now));
    }

    fn next_moment(&self) -> Instant {
        let now = Instant::now();
        let timer = self.timers.next().map(|at| now + self.world.clock.until(at).min(LONGEST_SLEEP));
        // Whoever may not speak has nothing to send before that changes.
        let may_speak = self.standing.borrow().may_speak();
        let report = match self.report_pace {
            Pace::From(at) if may_speak && !self.reports.is_clean() => Some(at),
            Pace::From(_) | Pace::Busy => None,
        };
        let details = self.details.due().filter(|_| may_speak);
        [timer, report, details].into_iter().flatten().min().unwrap_or(now + Duration::from_hours(1))
    }

    /// Servers may hear of this node once the cluster knows the truth about it.
    fn tell(&self) {
        let is_idle = matches!(self.report_pace, Pace::From(_)) && self.reports.is_clean();
        let is_told = self.local.complete && self.unasked.is_empty() && is_idle;
        self.told.send_if_modified(|told| std::mem::replace(told, is_told) != is_told);
        let Local { memory, tasks, .. } = &self.local;
        let is_bound = !self.unasked.is_empty() || !memory.is_empty() || !tasks.is_empty();
        self.is_bound.send_if_modified(|bound| std::mem::replace(bound, is_bound) != is_bound);
    }

    /// Lets acts on their way end, and saves the memory.
    async fn leave(mut self) {
        let rest = async { while self.works.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ACTS, rest).await.is_err() {
            tracing::warn!("some acts were still on their way when the agent stopped");
        }
        let saved = saved::encode(&self.local.memory, &self.follows.borrow());
        if let Err(error) = self.world.disk.save(saved).await {
            tracing::warn!("the agent's memory was not saved: {error}");
        }
    }
}
