//! The processes of a cluster: servers and agents, each of which can die and return.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use encamp::api::{self, lifeline::Hearing};
use encamp::cache::Cache;
use encamp::clock::Clock;
use encamp::drivers::Driver;
use encamp::node::disk::NoDisk;
use encamp::node::identity::Identity as NodeIdentity;
use encamp::node::machine::{FixedMachine, MachineFacts};
use encamp::node::probe::{Prober, Target};
use encamp::node::{AgentConfig, World as AgentWorld, run};
use encamp::process::{ControlPlane, Identity};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use schemas::node::{Amount, FORMER_SESSIONS};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::faults::Handle;
use crate::line::{Ears, Line};
use crate::machine::Machine;
use crate::pause::Pause;

/// The day on which every story begins.
pub(crate) fn dawn() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// What every node has.
pub(crate) const CAPACITY: Amount = Amount { cpu_mhz: 4_000, memory_mb: 8_192, disk_mb: 20_000 };

/// A server: the API and the controllers.
pub(crate) struct Server {
    /// Its name.
    pub(crate) name: String,
    /// Its way to the store.
    pub(crate) handle: Handle,
    /// Its idea of the time.
    pub(crate) clock: Clock,
    /// How often it was started.
    pub(crate) lives: u32,
    ears: Ears,
    life: Option<ServerLife>,
}

/// One life of a server.
struct ServerLife {
    _tasks: JoinSet<()>,
    pause: Pause,
    cache: Cache,
    router: Router,
}

impl Server {
    /// A server that is not started yet.
    pub(crate) fn new(name: &str, handle: Handle, ears: Ears) -> Server {
        let clock = Clock::simulated(dawn());
        Server { name: name.to_owned(), handle, clock, lives: 0, ears, life: None }
    }

    /// Starts it, unless it runs.
    pub(crate) fn start(&mut self) {
        if self.is_alive() {
            return;
        }
        self.lives += 1;
        let (store, clock, stop) = (self.handle.clone(), self.clock.clone(), CancellationToken::new());
        let cache = Cache::new(Duration::from_secs(60), clock.clone());
        let identity = Identity { name: self.name.clone(), address: format!("http://{}", self.name) };
        let hearing = Hearing::new(store.clone(), self.name.clone(), clock.clone());
        let plane = ControlPlane {
            store: store.clone(),
            cache: cache.clone(),
            clock: clock.clone(),
            identity,
            hearing: hearing.clone(),
        };
        let (pause, mut tasks) = (Pause::default(), JoinSet::new());
        plane.parts(&stop).into_iter().for_each(|(_, part)| drop(tasks.spawn(pause.stoppable(part))));
        self.ears.add(&self.name, hearing, pause.clone());
        let router = api::Server::new(self.name.clone(), store, cache.clone(), clock, stop).router();
        self.life = Some(ServerLife { _tasks: tasks, pause, cache, router });
    }

    /// Ends it as `kill -9` would.
    pub(crate) fn crash(&mut self) {
        self.life = None;
        self.ears.remove(&self.name);
    }

    /// Stops it as `SIGSTOP` would.
    pub(crate) fn pause(&self) {
        self.life.iter().for_each(|life| life.pause.begin());
    }

    /// Lets it go on: what was sent to it meanwhile is read first.
    pub(crate) fn resume(&self) {
        self.life.iter().for_each(|life| life.pause.end());
        self.ears.deliver(&self.name);
    }

    /// Whether it runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.life.is_some()
    }

    /// Whether it runs and answers.
    pub(crate) fn is_awake(&self) -> bool {
        self.life.as_ref().is_some_and(|life| !life.pause.is_on())
    }

    /// Its API.
    pub(crate) fn router(&self) -> Option<Router> {
        self.life.as_ref().map(|life| life.router.clone())
    }

    /// Its picture of the store.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.life.as_ref().map(|life| &life.cache)
    }
}

/// A node: a machine and the agent on it.
pub(crate) struct Node {
    /// Its name.
    pub(crate) name: String,
    /// The agent's way to the store.
    pub(crate) handle: Handle,
    /// Its idea of the time.
    pub(crate) clock: Clock,
    /// What really runs.
    pub(crate) machine: Machine,
    /// The agent's way to the servers.
    pub(crate) line: Arc<Line>,
    disk: Arc<NoDisk>,
    /// The machine, and how many of that name there were.
    id: String,
    /// How many agents have lived on it.
    lives: u32,
    /// The agents before, the latest first, as long as their end can be proved: neither the machine nor its files
    /// were lost since.
    formers: Vec<String>,
    life: Option<AbortHandle>,
    is_on: bool,
}

impl Node {
    /// A machine that is on, without an agent yet.
    pub(crate) fn new(name: &str, handle: Handle, ears: Ears, seed: u64) -> Node {
        let clock = Clock::simulated(dawn());
        let machine = Machine::new(clock.clone(), seed);
        let line = Arc::new(Line::new(ears));
        let (disk, id) = (Arc::new(NoDisk::default()), format!("{name}-{seed:x}"));
        let (name, lives, formers, life, is_on) = (name.to_owned(), 0, Vec::new(), None, true);
        Node { name, handle, clock, machine, line, disk, id, lives, formers, life, is_on }
    }

    /// Starts the agent, unless it runs or the machine is off.
    pub(crate) fn start(&mut self) {
        if self.life.is_some() || !self.is_on {
            return;
        }
        let config = AgentConfig { capacity: Some(CAPACITY), ..AgentConfig::new(&self.name, "/none") };
        self.lives += 1;
        let session = format!("{}#{}", self.id, self.lives);
        let identity = NodeIdentity::named(&self.id, &session, &self.formers);
        self.formers.insert(0, session);
        self.formers.truncate(FORMER_SESSIONS);
        let driver: Arc<dyn Driver> = Arc::new(self.machine.clone());
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let world = AgentWorld {
            store: self.handle.clone(),
            drivers: [("raw_exec".to_owned(), driver)].into(),
            clock: self.clock.clone(),
            disk: self.disk.clone(),
            lifeline: self.line.clone(),
            machine: Arc::new(FixedMachine { facts: MachineFacts::default(), ip }),
            prober: Arc::new(Content),
            identity,
        };
        self.life = Some(tokio::spawn(run(config, world, CancellationToken::new())).abort_handle());
    }

    /// The agent's memory is lost; its next life begins without.
    pub(crate) fn forget(&mut self) {
        self.crash_agent();
        self.disk = Arc::default();
    }

    /// Ends the agent as `kill -9` would; tasks go on.
    pub(crate) fn crash_agent(&mut self) {
        if let Some(life) = self.life.take() {
            life.abort();
        }
    }

    /// Switches the machine on, unless it is, with its agent.
    pub(crate) fn switch_on(&mut self) {
        self.is_on = true;
        self.machine.switch_on();
        self.start();
    }

    /// Switches the machine off, unless it is, with all that runs.
    pub(crate) fn switch_off(&mut self) {
        self.crash_agent();
        self.is_on = false;
        self.formers.clear();
        self.machine.switch_off();
    }

    /// Another machine of the same name, without an agent yet.
    pub(crate) fn twin(&self, handle: Handle, seed: u64) -> Node {
        let mut twin = Node::new(&self.name, handle, Ears::default(), seed);
        twin.line = Arc::new(self.line.another());
        twin
    }

    /// Another machine takes the place of this one, under the same name.
    pub(crate) fn recreate(&mut self) {
        self.switch_off();
        self.disk = Arc::default();
        self.id += "+";
        self.switch_on();
    }

    /// Whether the machine is on.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Stops its agent as `SIGSTOP` would: it beats, reads and writes nothing.
    pub(crate) fn pause(&self) {
        self.handle.pause.begin();
        self.line.pause.begin();
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.handle.pause.end();
        self.line.pause.end();
    }

    /// Cuts it off from the store and the servers.
    pub(crate) fn cut(&self) {
        self.handle.cut();
        self.line.cut();
    }

    /// Lets it back.
    pub(crate) fn mend(&self) {
        self.handle.mend();
        self.line.mend();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.crash_agent();
    }
}

/// Every check passes.
struct Content;

impl Prober for Content {
    fn test<'a>(&'a self, _: &'a Target) -> BoxFuture<'a, Result<String, String>> {
        std::future::ready(Ok(String::new())).boxed()
    }
}
