//! A cluster with everything that watches it: time passes here, and every revision is looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use encamp::cache::Cache;
use encamp::process::controllers;
use encamp::store::{Memory, Store as _, Watch, WatchError};
use futures::{FutureExt as _, StreamExt as _};
use plan::View;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::key::{Prefix, Revision};

use crate::alive::Alive;
use crate::checker::Checker;
use crate::cluster::{Node, Server};
use crate::faults::{Sabotage, World};
use crate::goal;
use crate::line::Ears;
use crate::rules;
use crate::trace::Trace;
use crate::user::Wish;

/// How often the machines are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// I36: how long nothing may be written once all is done.
const SILENCE: Duration = Duration::from_secs(120);

/// A rule was broken; which one is in the checker or the trace.
#[derive(Debug)]
pub(crate) struct Broken;

/// Everything there is in one seed.
pub(crate) struct Stage {
    /// What decides all that is left to chance.
    pub(crate) rng: StdRng,
    /// The store and its faults.
    pub(crate) world: World,
    /// The servers.
    pub(crate) servers: Vec<Server>,
    /// The nodes.
    pub(crate) nodes: Vec<Node>,
    /// Where agents find servers.
    ears: Ears,
    /// Who was heard when.
    pub(crate) alive: Alive,
    /// Who looks for broken rules.
    pub(crate) checker: Checker,
    /// What happened.
    pub(crate) trace: Trace,
    /// What people were told meanwhile.
    answers: Arc<Mutex<Vec<String>>>,
    /// The store without its faults.
    pub(crate) truth: Memory,
    watch: Option<Watch>,
    seen: Revision,
    /// How far the picture of each server has come, by the server's life.
    pictures: BTreeMap<(String, u32), Revision>,
}

impl Stage {
    /// A cluster that runs, over an empty store.
    pub(crate) fn new(seed: u64, (servers, nodes): (usize, usize), sabotage: Sabotage) -> Stage {
        let mut rng = StdRng::seed_from_u64(seed);
        let world = World::new(sabotage);
        let ears = Ears::default();
        let mut made: Vec<Server> = (1..=servers)
            .map(|n| Server::new(&format!("s{n}"), world.handle(rng.random()), ears.clone()))
            .collect();
        made.iter_mut().for_each(Server::start);
        let mut machines: Vec<Node> = (1..=nodes)
            .map(|n| Node::new(&format!("n{n}"), world.handle(rng.random()), ears.clone(), rng.random()))
            .collect();
        machines.iter_mut().for_each(Node::start);
        Stage {
            rng,
            truth: world.truth(),
            world,
            servers: made,
            nodes: machines,
            ears,
            alive: Alive::default(),
            checker: Checker::default(),
            trace: Trace::new(),
            answers: Arc::default(),
            watch: None,
            seen: Revision(1),
            pictures: BTreeMap::new(),
        }
    }

    /// Somebody asks a server that lives.
    pub(crate) fn ask(&mut self, wish: Wish) {
        let alive: Vec<usize> = (0..self.servers.len()).filter(|at| self.servers[*at].is_awake()).collect();
        let Some(at) = (!alive.is_empty()).then(|| alive[self.rng.random_range(0..alive.len())]) else {
            return;
        };
        let server = &self.servers[at];
        let words = wish.words();
        self.trace.say(format!("{} is asked: {words}", server.name));
        let (answers, router) = (self.answers.clone(), server.router().unwrap());
        tokio::spawn(async move {
            let status = wish.ask(router).await;
            let verb = words.split('{').next().unwrap_or_default().to_owned();
            answers.lock().unwrap().push(format!("{verb}: {status}"));
        });
    }

    /// Lets time pass and looks at everything that happens.
    pub(crate) async fn pass(&mut self, time: Duration) -> Result<(), Broken> {
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look().await?;
        }
        Ok(())
    }

    /// Looks at every revision since the last time, and at the machines.
    async fn look(&mut self) -> Result<(), Broken> {
        self.alive.heard(self.ears.take_heard());
        let is_stalled = self.world.stall.is_on();
        self.alive.look(!is_stalled && self.servers.iter().any(Server::is_awake));
        loop {
            if self.watch.is_none() {
                let opened = self.truth.watch(&Prefix::all(), self.seen).await;
                self.watch = Some(opened.expect("history is kept until it was looked at"));
            }
            let Some(watch) = &mut self.watch else { break };
            match watch.next().now_or_never() {
                None => break,
                Some(Some(Ok(batch))) => {
                    if batch.revision > self.seen {
                        self.trace.revision(&batch);
                        let down = self.checker.revision(&batch);
                        self.checker.breaches.extend(down.iter().filter_map(|node| self.alive.down(node)));
                        self.seen = batch.revision;
                    }
                }
                Some(None | Some(Err(WatchError::Broken | WatchError::Compacted))) => self.watch = None,
            }
        }
        for answer in std::mem::take(&mut *self.answers.lock().unwrap()) {
            self.trace.say(answer);
        }
        for node in &self.nodes {
            for happening in node.machine.take_journal() {
                self.trace.say(format!("{}: {happening:?}", node.name));
                self.checker.happened(&node.name, &happening);
            }
        }
        self.checker.reality(self.nodes.iter().map(|node| (node.name.as_str(), node.machine.alive())));
        self.look_at_pictures();
        self.checker.breaches.append(&mut self.world.breaches.lock().unwrap());
        for breach in &self.checker.breaches {
            self.trace.say(format!("BROKEN {breach}"));
        }
        if self.checker.breaches.is_empty() { Ok(()) } else { Err(Broken) }
    }

    /// I18: no server goes back in time while it lives.
    fn look_at_pictures(&mut self) {
        for server in &self.servers {
            let Some(now) = server.cache().map(Cache::revision) else { continue };
            let before = self.pictures.insert((server.name.clone(), server.lives), now);
            if let Some(before) = before.filter(|before| *before > now) {
                let what = format!("I18: {} had seen {before} and is at {now}", server.name);
                self.checker.breaches.push(what);
            }
        }
    }

    /// Forgets the history that was looked at, as a store does from time to time.
    pub(crate) fn compact(&mut self) {
        self.watch = None;
        self.truth.compact(self.seen);
    }

    /// I34 and I35: left alone, the cluster comes to its goal within this time.
    pub(crate) async fn converge(&mut self, within: Duration) -> Result<(), Broken> {
        let end = tokio::time::Instant::now() + within;
        loop {
            self.pass(Duration::from_secs(1)).await?;
            let unmet = goal::unmet(self.checker.view(), &self.nodes);
            if unmet.is_empty() {
                self.trace.say("all is as it should be");
                return Ok(());
            }
            if tokio::time::Instant::now() > end {
                return self.fail(unmet.into_iter().map(|what| format!("I34: {what}")).collect());
            }
        }
    }

    /// I36: nothing but beats is written any more, and no controller wants anything.
    pub(crate) async fn be_silent(&mut self) -> Result<(), Broken> {
        // Memories, details and answers on their way may still come, and what agents find once a minute, when they
        // compare all that is stored of them.
        self.pass(Duration::from_secs(65)).await?;
        let before = self.trace.lines.len();
        self.pass(SILENCE).await?;
        let said = self.trace.lines[before..].to_vec();
        if !said.is_empty() {
            return self.fail(said.into_iter().map(|line| format!("I36: not silent: {line}")).collect());
        }
        let listing = self.truth.list(&Prefix::all()).await.unwrap();
        let truth = View::of(listing.revision, &listing.entries);
        let mut found = Vec::new();
        for server in self.servers.iter().filter(|server| server.is_alive()) {
            let view = server.cache().unwrap().view();
            let differences = rules::differences(&truth, &view);
            found.extend(differences.into_iter().map(|what| format!("I19: {} {what}", server.name)));
            let now = server.clock.now();
            for decider in controllers() {
                for root in decider.all_roots(&view) {
                    let plan = decider.plan(&view, &root, now);
                    if !plan.is_empty() {
                        found.push(format!("I36: {} still wants {plan:?}", decider.name()));
                    }
                }
            }
        }
        if found.is_empty() { Ok(()) } else { self.fail(found) }
    }

    fn fail(&mut self, breaches: Vec<String>) -> Result<(), Broken> {
        for breach in &breaches {
            self.trace.say(format!("BROKEN {breach}"));
        }
        self.checker.breaches.extend(breaches);
        Err(Broken)
    }
}
