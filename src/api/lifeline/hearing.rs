//! Remembers which nodes this server hears, and writes their links on a change only.
//!
//! The first beat of a node writes `/links/<node>`; silence for the whole grace writes it again. Nothing is written
//! while a node goes on beating, so the cost of liveness follows transitions, never the number of nodes. What others
//! write about a node is overheard; what follows from all of it for a link is decided in `heard`. Writing never keeps
//! the server from listening.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use plan::{Guard, View, Write};
use schemas::codec;
use schemas::key::{Key, Prefix, Revision};
use schemas::liveness::HeartbeatSettings;
use schemas::node::{AgentBeat, Link, NodeSpec, NodeState};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::admit::Refused;
use super::heard::{Graces, Heard, Known};
use super::holders::{Hearer, Holders};
use super::listening::{LOOK_EVERY, Listening};
use cache::{Cache, Pulse};
use clock::Clock;
use store::{CommitError, Store, Txn};

/// How often all links are compared with what is heard: a store that once answered with an older state is not
/// believed for ever.
const COMPARE_EVERY: Duration = Duration::from_secs(30);
/// What it should know of.
const TOLD: [&str; 6] = ["links", "health", "fingerprints", "beats", "nodes", "settings"];
/// How long to wait after a link that was not written.
const AGAIN: Duration = Duration::from_millis(200);
/// How many links may be on their way to the store at once.
const IN_FLIGHT: usize = 8;

/// The nodes that beat to this server. A clone hears for the same server.
#[derive(Clone)]
pub struct Hearing<S> {
    store: S,
    server: String,
    clock: Clock,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

/// What it remembers.
struct State {
    listening: Listening,
    nodes: BTreeMap<String, Heard>,
    settings: HeartbeatSettings,
    /// What was decided about nodes whose grace is their own.
    specs: BTreeMap<String, NodeSpec>,
    holders: Holders,
}

impl State {
    fn graces(&self, node: &str) -> Graces {
        let spec = self.specs.get(node);
        let (usual, restart) = (self.settings.grace_of(spec), self.settings.restart_grace_of(spec));
        Graces { usual: usual.to_std(), restart: restart.to_std() }
    }
}

impl<S: Store> Hearing<S> {
    /// Hears for the server of that name.
    pub fn new(store: S, server: impl Into<String>, clock: Clock) -> Hearing<S> {
        let state = State {
            listening: Listening::begin(clock.uptime()),
            nodes: BTreeMap::new(),
            settings: HeartbeatSettings::default(),
            specs: BTreeMap::new(),
            holders: Holders::default(),
        };
        let state = Arc::new(Mutex::new(state));
        Hearing { store, server: server.into(), clock, state, changed: Arc::default() }
    }

    /// A node beats. Never waits. Whether the cluster knows that the name is this agent's.
    pub fn beat(&self, node: &str, beat: AgentBeat) -> Result<bool, Refused> {
        let now = self.clock.uptime();
        let mut guard = self.lock();
        let state = &mut *guard;
        // A pause that has just ended is nobody's silence.
        state.listening.look(now);
        if state.listening.is_deaf(now) {
            return Err(Refused::Deaf);
        }
        let former = state.nodes.get(node).and_then(|heard| Some((&heard.beat, heard.last?)));
        let hearer = Hearer { server: &self.server, now, steady: state.listening.steady };
        let is_held = state.holders.judge(node, &beat, former, hearer)?;
        state.nodes.entry(node.to_owned()).or_default().beats(beat, now);
        if self.link_due(state, node, now).is_some() {
            self.changed.notify_one();
        }
        Ok(is_held)
    }

    /// The store took this server's own beat.
    pub fn reached_store(&self) {
        let now = self.clock.uptime();
        self.lock().listening.reached_store(now);
    }

    /// How many of the nodes that it hears have missed a beat or more.
    pub fn late(&self) -> u32 {
        let (now, state) = (self.clock.uptime(), self.lock());
        let late =
            |(node, heard): &(&String, &Heard)| heard.is_late(&state.listening, state.graces(node), now);
        u32::try_from(state.nodes.iter().filter(late).count()).unwrap_or(u32::MAX)
    }

    /// Listens and writes links until told to stop. Links stay as they are then: whether the nodes live is for the
    /// next server to hear, and for the heartbeat controller to judge.
    pub async fn run(self, stop: CancellationToken) {
        let mut writes = FuturesUnordered::new();
        let mut busy = BTreeSet::new();
        loop {
            let (due, next) = self.look();
            for node in
                due.into_iter().filter(|node| !busy.contains(node)).take(IN_FLIGHT).collect::<Vec<_>>()
            {
                if busy.len() < IN_FLIGHT {
                    busy.insert(node.clone());
                    writes.push(self.write(node));
                }
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                Some(node) = writes.next() => drop(busy.remove(&node)),
                () = self.changed.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    /// Follows links and settings in the store until told to stop.
    pub async fn follow(self, cache: Cache, stop: CancellationToken) {
        let mut changes = cache.subscribe();
        let mut pulse = None;
        let mut looks = tokio::time::interval(COMPARE_EVERY);
        loop {
            {
                let view = cache.view();
                let told = |key: &&Key| TOLD.contains(&key.kind());
                let changed = pulse.iter().flat_map(Pulse::keys).filter(told);
                changed.for_each(|key| self.overhear(&view, key));
                if pulse.is_none() {
                    self.compare(&view);
                }
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                next = changes.recv() => pulse = match next {
                    Ok(pulse) => Some(pulse),
                    Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => return,
                },
                _ = looks.tick() => pulse = None,
            }
        }
    }

    /// Compares all that is known with the store.
    fn compare(&self, view: &View) {
        self.overhear(view, &Key::heartbeat_settings());
        self.lock().specs.clear();
        view.nodes.iter().for_each(|(key, _)| self.overhear(view, key));
        view.links.iter().for_each(|(key, _)| self.overhear(view, key));
        let gone: Vec<String> = {
            let state = self.lock();
            let is_gone = |node: &&String| view.links.get(&Key::link(node)).is_none();
            state.nodes.keys().filter(is_gone).cloned().collect()
        };
        gone.iter().for_each(|node| self.overhear(view, &Key::link(node)));
    }

    /// Something was written that it should know of.
    fn overhear(&self, view: &View, key: &Key) {
        let (now, node) = (self.clock.uptime(), key.segment(1));
        let mut state = self.lock();
        match key.kind() {
            "settings" => {
                state.settings = view.settings.get(&Key::heartbeat_settings()).copied().unwrap_or_default();
            }
            "nodes" => {
                let spec = view.nodes.get(key).map(|node| &node.spec);
                match spec.filter(|spec| spec.heartbeat_grace.is_some()) {
                    Some(spec) => drop(state.specs.insert(node.to_owned(), spec.clone())),
                    None => drop(state.specs.remove(node)),
                }
            }
            "beats" => state.holders.server_beats(node, now),
            "fingerprints" => state.holders.see(view, node, now),
            _ => {
                state.holders.see(view, node, now);
                let link = view.links.stored(&Key::link(node)).map(|link| (&link.value, link.modified));
                let health = view.health.stored(&Key::health(node));
                let down = health.filter(|health| health.value.state == NodeState::Down);
                let known = Known { at: view.revision, link, down: down.map(|down| down.modified) };
                let is_named = link.is_some_and(|(link, _)| link.server == self.server && link.connected);
                let heard = if is_named {
                    Some(state.nodes.entry(node.to_owned()).or_default())
                } else {
                    state.nodes.get_mut(node)
                };
                if let Some(heard) = heard {
                    heard.learn(known, &self.server, now);
                }
            }
        }
        // What is due may have changed.
        self.changed.notify_one();
    }

    /// Looks at itself and at all nodes: whose links should be written, and how long until something may be due.
    fn look(&self) -> (Vec<String>, Duration) {
        let now = self.clock.uptime();
        let mut guard = self.lock();
        guard.listening.look(now);
        let state = &*guard;
        let mut due = Vec::new();
        let mut next = LOOK_EVERY;
        let mut silent = Vec::new();
        for (node, heard) in &state.nodes {
            let silent_from = heard.silent_from(&state.listening, state.graces(node));
            if self.link_due(state, node, now).is_some() {
                due.push(node.clone());
            } else if now >= silent_from && !heard.is_ours() {
                silent.push(node.clone());
            } else if now < silent_from {
                next = next.min(silent_from.saturating_sub(now));
            }
        }
        // Those that another server hears, or nobody, need not be remembered.
        silent.iter().for_each(|node| drop(guard.nodes.remove(node)));
        (due, next)
    }

    /// What should be written about a node now.
    fn link_due(&self, state: &State, node: &str, now: Duration) -> Option<Link> {
        state.nodes.get(node)?.due(&self.server, (&state.listening, state.graces(node)), now)
    }

    /// Writes one link, if that is still to be done once the store was asked. Answers the node.
    async fn write(&self, node: String) -> String {
        if let Err(error) = self.try_to_write(&node).await {
            tracing::debug!(node, "link not written: {error}");
            tokio::time::sleep(AGAIN).await;
        }
        node
    }

    async fn try_to_write(&self, node: &str) -> Result<(), CommitError> {
        let key = Key::link(node);
        let listing = self.store.list(&Prefix::one(&key)).await.map_err(|_| CommitError::NotApplied)?;
        let entry = listing.entries.first();
        let link: Option<(Link, Revision)> =
            entry.and_then(|entry| Some((codec::decode(&entry.value).ok()?, entry.modified)));
        let Some(wanted) = self.still_due(node, listing.revision, link.as_ref()) else { return Ok(()) };
        let guard = entry.map_or(Guard::Absent(key.clone()), |entry| Guard::At(key.clone(), entry.modified));
        let txn = Txn { guards: vec![guard], writes: vec![Write::put(key, &wanted)] };
        let revision = self.store.commit(txn).await?;
        tracing::info!(node, connected = wanted.connected, told = wanted.told, "link");
        let now = self.clock.uptime();
        let mut state = self.lock();
        state.holders.wrote(node, &wanted, revision);
        if let Some(heard) = state.nodes.get_mut(node) {
            heard.wrote(&wanted, revision, now);
        }
        Ok(())
    }

    /// What should be written about a node once its link is known to be this one.
    fn still_due(&self, node: &str, at: Revision, link: Option<&(Link, Revision)>) -> Option<Link> {
        let now = self.clock.uptime();
        let mut guard = self.lock();
        let state = &mut *guard;
        state.listening.look(now);
        let heard = state.nodes.get_mut(node)?;
        let known = Known { at, link: link.map(|(link, modified)| (link, *modified)), down: None };
        heard.learn(known, &self.server, now);
        let beat = heard.beat.clone();
        let wanted = self.link_due(state, node, now)?;
        if let Some(found) = link
            && wanted.connected
            && !state.holders.may_write(node, &wanted, &beat, found)
        {
            // Another agent of the name was faster, at another server.
            state.nodes.remove(node);
            state.holders.wrote(node, &found.0, found.1);
            return None;
        }
        Some(wanted)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }

    /// Whether this server hears the node, or should by what its link says.
    pub(super) fn hears(&self, node: &str) -> bool {
        self.lock().nodes.contains_key(node)
    }

    /// Whom this server has heard, by name.
    pub(super) fn heard(&self) -> Vec<String> {
        self.lock().nodes.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
