//! The controller: which roots there are, and the decision for one node that is heard.

use jiff::{SignedDuration, Timestamp};
use plan::{Controller, Draft, Plan, View, Write};
use schemas::key::Key;
use schemas::node::{Health, Link, NodeState};

use super::brake;

/// For this long a server's beat is news: it beats once a second.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(3);

/// Decides which nodes are up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heartbeat;

impl Controller for Heartbeat {
    type Effect = Write;

    fn name(&self) -> &'static str {
        "heartbeat"
    }

    fn roots(&self, view: &View, changed: &Key) -> Vec<Key> {
        match changed.kind() {
            "fingerprints" => vec![Key::health(changed.segment(1))],
            "links" | "health" => {
                let name = changed.segment(1);
                let is_heard = view.links.get(&Key::link(name)).is_some_and(|link| link.connected);
                let is_braked = view.brakes.get(&Key::brake()).is_some_and(|brake| brake.since.is_some());
                let all = (!is_heard || is_braked).then(Key::brake);
                [Key::health(name)].into_iter().chain(all).collect()
            }
            "nodes" | "settings" | "brakes" | "releases" => vec![Key::brake()],
            _ => Vec::new(),
        }
    }

    fn all_roots(&self, view: &View) -> Vec<Key> {
        let unreadable = ["links", "health"].into_iter().flat_map(|kind| view.unreadable.under(&[kind]));
        let known = view.links.iter().map(|(key, _)| key).chain(unreadable.map(|(key, _)| key));
        let judged = view.health.iter().map(|(key, _)| key.clone());
        let mut roots: Vec<Key> = known.map(|key| Key::health(key.segment(1))).chain(judged).collect();
        roots.sort();
        roots.dedup();
        roots.push(Key::brake());
        roots
    }

    fn plan(&self, view: &View, root: &Key, now: Timestamp) -> Plan<Write> {
        match root.kind() {
            "health" => node(view, root.segment(1), now),
            "brakes" => brake::plan(view, now),
            _ => Plan::empty(),
        }
    }
}

/// One node, by what its link says. Whether one that was ready is given up is decided for all together.
fn node(view: &View, name: &str, now: Timestamp) -> Plan<Write> {
    let Some(link) = view.links.stored(&Key::link(name)) else { return without_link(view, name) };
    let Link { server, connected, told, session: _, count: _ } = &link.value;
    if *connected && view.is_unreadable(&Key::health(name)) {
        return anew(view, name, &link.value, now);
    }
    let health = view.health.stored(&Key::health(name)).map(|health| (health.value.state, health.modified));
    match (health, connected) {
        // Anybody may beat: a name is a node's once an agent has registered, or the cluster gave it something to do.
        (None, _) if !is_registered(view, name) => Plan::nothing(name, "its agent has not registered yet"),
        (Some((NodeState::Ready, _)), _) | (Some((NodeState::Down, _)), false) => Plan::empty(),
        (Some((NodeState::Initializing, _)) | None, false) => {
            turn(view, name, NodeState::Down, &format!("{server} does not hear it any more"), now)
        }
        // Down it stays until a server hears it anew: an old link is no sign of life.
        (Some((NodeState::Down, since)), true) if since > link.modified => {
            Plan::nothing(name, "its link is older than its silence")
        }
        (Some((NodeState::Down | NodeState::Initializing, _)) | None, true) if !told => {
            Plan::nothing(name, "it is heard, and has not written all its reports yet")
        }
        (Some((NodeState::Down | NodeState::Initializing, _)) | None, true) => {
            turn(view, name, NodeState::Ready, &format!("{server} hears it"), now)
        }
    }
}

fn is_registered(view: &View, name: &str) -> bool {
    view.counters(&Key::fingerprint(name)).is_some()
        || view.placements.under(&["placements", name]).next().is_some()
}

/// A node of which no link tells. Whether it is given up is decided for all together.
fn without_link(view: &View, name: &str) -> Plan<Write> {
    let (link, health) = (Key::link(name), Key::health(name));
    if view.is_unreadable(&link) {
        return Plan::nothing(name, "its link cannot be read");
    }
    if !view.is_unreadable(&health) {
        let is_judged = view.health.get(&health).is_some();
        return if is_judged && !view.speaks_for(name) {
            forget(view, name)
        } else {
            Plan::nothing(name, "no server has heard it yet")
        };
    }
    // As of every node that was never heard, nothing is said of it.
    let mut draft = Draft::new(view);
    draft.add(&[link], [Write::Delete { key: health }]);
    Plan {
        steps: draft.steps(),
        ..Plan::nothing(name, "its health cannot be read, and no server has heard it")
    }
}

/// A node with a link whose health cannot be read: it may have been down since before its server fell silent.
fn anew(view: &View, name: &str, link: &Link, now: Timestamp) -> Plan<Write> {
    let server = &link.server;
    let settings = view.settings.get(&Key::heartbeat_settings()).copied().unwrap_or_default();
    let grace = settings.grace.to_signed();
    let again = now.checked_add(LOOK_AGAIN).ok();
    match view.sight.silence(server) {
        Some(silence) if silence >= grace => {
            let reason = format!("{server}, the server that heard it, is silent");
            turn(view, name, NodeState::Down, &reason, now)
        }
        Some(silence)
            if silence < LOOK_AGAIN && view.beats.get(&Key::beat(server)).is_some() && link.told =>
        {
            turn(view, name, NodeState::Ready, &format!("{server} hears it"), now)
        }
        Some(_) | None => Plan::nothing(name, "its health cannot be read").wake(again),
    }
}

/// A node that nothing speaks for any more, not even a link: what was said of it goes.
fn forget(view: &View, node: &str) -> Plan<Write> {
    let mut draft = Draft::new(view);
    let key = Key::health(node);
    draft.add(&[Key::link(node), Key::fingerprint(node)], [Write::Delete { key }]);
    Plan { steps: draft.steps(), ..Plan::nothing(node, "there is no such node") }
}

fn turn(view: &View, node: &str, state: NodeState, reason: &str, now: Timestamp) -> Plan<Write> {
    let mut draft = Draft::new(view);
    draft.add(&[Key::link(node)], [health(view, node, (state, reason), now)]);
    Plan { steps: draft.steps(), ..Plan::nothing(node, reason) }
}

/// What a node's health becomes.
pub(crate) fn health(view: &View, node: &str, (state, reason): (NodeState, &str), now: Timestamp) -> Write {
    let key = Key::health(node);
    // What an older server wrote does not say since when the node is known: no later than it says anything.
    let known_since = view.health.get(&key).and_then(|old| old.known_since.or(old.since)).unwrap_or(now);
    let (since, known_since) = (Some(now), Some(known_since));
    Write::put(key, &Health { state, since, known_since, reason: reason.to_owned() })
}

#[cfg(test)]
mod tests;
