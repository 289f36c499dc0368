//! Which nodes are silent, for how long already, and of how many.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plan::View;
use schemas::key::Key;
use schemas::liveness::{Brake, HeartbeatSettings};
use schemas::node::{Health, Link, NodeState};

/// A server that was not heard for this long is late: it beats once a second.
const LATE: SignedDuration = SignedDuration::from_secs(3);
/// How long to wait until one can see again.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// All nodes at one moment.
#[derive(Debug, Default)]
pub(crate) struct Survey<'a> {
    /// Silent for their whole grace: may be given up.
    pub(crate) due: BTreeMap<&'a str, Due<'a>>,
    /// Silent, but not for their whole grace.
    pub(crate) late: usize,
    /// Given up in the present silence.
    pub(crate) gone: usize,
    /// How many each server hears, by its links.
    heard: BTreeMap<&'a str, usize>,
    /// All that were there when the present silence began.
    pub(crate) all: usize,
    /// All that are known, those lost long ago included.
    pub(crate) known: usize,
    /// When somebody may be silent for the whole grace.
    pub(crate) next: SignedDuration,
}

/// A node that may be given up.
#[derive(Debug)]
pub(crate) struct Due<'a> {
    /// The server that does not hear it, or is not heard itself; nobody can say if its link cannot be read.
    server: Option<&'a str>,
    is_server_silent: bool,
}

impl Due<'_> {
    /// The documents that say so.
    pub(crate) fn rests_on(&self, node: &str) -> Vec<Key> {
        let beat = self.server.filter(|_| self.is_server_silent).map(Key::beat);
        [Key::link(node)].into_iter().chain(beat).collect()
    }

    /// For people.
    pub(crate) fn reason(&self) -> String {
        let Some(server) = self.server else {
            return "its link cannot be read, and no server hears it".to_owned();
        };
        if self.is_server_silent {
            format!("{server}, the server that heard it, is silent")
        } else {
            format!("{server} has not heard it for its whole grace")
        }
    }
}

/// How one node is heard.
enum Standing {
    Heard { due_in: SignedDuration },
    Late { due_in: SignedDuration },
    Due { is_server_silent: bool },
    Unseen,
}

impl<'a> Survey<'a> {
    /// Looks at all nodes.
    pub(crate) fn of(view: &'a View, settings: &HeartbeatSettings, brake: &Brake, now: Timestamp) -> Self {
        let grace = settings.grace.to_signed();
        let begin = brake.since.unwrap_or(now).saturating_sub(grace).unwrap_or(now);
        let mut survey = Survey { next: grace, ..Survey::default() };
        for (key, health) in view.health.iter() {
            survey.known += 1;
            let (node, Health { state, since, .. }) = (key.segment(1), &health.value);
            match state {
                NodeState::Ready => survey.take(view, settings, node),
                NodeState::Down if since.is_some_and(|since| since >= begin) => survey.gone += 1,
                NodeState::Down | NodeState::Initializing => {}
            }
        }
        survey.all += survey.gone;
        survey.late += survey.late_by_server(view);
        survey
    }

    /// How many are silent.
    pub(crate) fn silent(&self) -> usize {
        self.due.len() + self.late + self.gone
    }

    /// How many nodes have missed a beat, as the servers that are heard say, without those that are due already: a
    /// beat of a server may be older than what it wrote about a node. A server also counts names that are no nodes,
    /// so no more are believed than there are nodes that it hears.
    fn late_by_server(&self, view: &View) -> usize {
        let mut due: BTreeMap<&str, usize> = BTreeMap::new();
        for one in self.due.values().filter(|due| !due.is_server_silent) {
            *due.entry(one.server.unwrap_or_default()).or_default() += 1;
        }
        let is_heard = |server: &str| view.sight.silence(server).is_some_and(|silence| silence < LATE);
        let beats = view.beats.iter().filter(|(key, _)| is_heard(key.segment(1)));
        let late = beats.map(|(key, beat)| {
            let late = usize::try_from(beat.value.late).unwrap_or(usize::MAX);
            let late = late.min(self.heard.get(key.segment(1)).copied().unwrap_or_default());
            late.saturating_sub(due.get(key.segment(1)).copied().unwrap_or_default())
        });
        late.sum()
    }

    fn take(&mut self, view: &'a View, settings: &HeartbeatSettings, node: &'a str) {
        self.all += 1;
        let key = Key::link(node);
        let link = view.links.get(&key);
        if let Some(link) = link.filter(|link| link.connected) {
            *self.heard.entry(&link.server).or_default() += 1;
        }
        let standing = match link {
            Some(link) => standing(view, settings, node, link),
            None if view.is_unreadable(&key) => unread(view, settings, node),
            // Nobody can say that it is silent.
            None => return,
        };
        match standing {
            Standing::Heard { due_in } => self.next = self.next.min(due_in),
            Standing::Late { due_in } => {
                self.late += 1;
                self.next = self.next.min(due_in);
            }
            Standing::Due { is_server_silent } => {
                self.due
                    .insert(node, Due { server: link.map(|link| link.server.as_str()), is_server_silent });
            }
            Standing::Unseen => self.next = self.next.min(LOOK_AGAIN),
        }
    }
}

fn standing(view: &View, settings: &HeartbeatSettings, node: &str, link: &Link) -> Standing {
    let spec = view.nodes.get(&Key::node(node)).map(|node| &node.spec);
    let grace = settings.grace_of(spec).to_signed();
    let restart_grace = settings.restart_grace_of(spec).to_signed();
    let fresh = view.sight.freshness();
    if !link.connected {
        // Who judges has just begun to: what was found before may be about to change.
        return due_after(grace.saturating_sub(fresh), false);
    }
    let Some(silence) = view.sight.silence(&link.server) else { return Standing::Unseen };
    let due_in = grace.saturating_sub(silence).max(restart_grace.saturating_sub(fresh));
    if silence < LATE { Standing::Heard { due_in } } else { due_after(due_in, true) }
}

/// A node whose link cannot be read: the server that hears it writes the link anew with the node's next beat.
fn unread(view: &View, settings: &HeartbeatSettings, node: &str) -> Standing {
    let spec = view.nodes.get(&Key::node(node)).map(|node| &node.spec);
    let grace = settings.grace_of(spec).to_signed();
    match view.sight.unreadable_for(&Key::link(node)) {
        Some(time) => due_after(grace.saturating_sub(time), false),
        None => Standing::Unseen,
    }
}

fn due_after(due_in: SignedDuration, is_server_silent: bool) -> Standing {
    if due_in > SignedDuration::ZERO { Standing::Late { due_in } } else { Standing::Due { is_server_silent } }
}
