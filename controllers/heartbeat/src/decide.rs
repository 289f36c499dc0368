//! The decision, for one node and for one server.

use jiff::{SignedDuration, Timestamp};
use plan::{Controller, Draft, Plan, View, Write};
use schemas::key::Key;
use schemas::node::{Health, Link, NodeState};

/// How long a server may be silent before its nodes count as unheard. Agents find another server within one
/// beat (2 s), so six seconds leave room for two lost tries, and are the promise for a node's death too.
pub const GRACE: SignedDuration = SignedDuration::from_secs(6);

/// For this long a server's beat is news: it beats once a second.
const BEAT_IS_NEW: SignedDuration = SignedDuration::from_secs(3);

/// Decides which nodes are up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heartbeat;

impl Controller for Heartbeat {
    type Effect = Write;

    fn name(&self) -> &'static str {
        "heartbeat"
    }

    fn roots(&self, _: &View, changed: &Key) -> Vec<Key> {
        match changed.kind() {
            "links" | "health" | "fingerprints" => vec![Key::health(changed.segment(1))],
            "beats" => vec![changed.clone()],
            _ => Vec::new(),
        }
    }

    fn all_roots(&self, view: &View) -> Vec<Key> {
        let unreadable = ["links", "health"].into_iter().flat_map(|kind| view.unreadable.under(&[kind]));
        let known = view.links.iter().map(|(key, _)| key).chain(unreadable.map(|(key, _)| key));
        let judged = view.health.iter().map(|(key, _)| key.clone());
        let nodes = known.map(|key| Key::health(key.segment(1))).chain(judged);
        let servers = view.links.iter().map(|(_, link)| Key::beat(&link.value.server));
        let mut roots: Vec<Key> = nodes.chain(servers).collect();
        roots.sort();
        roots.dedup();
        roots
    }

    fn plan(&self, view: &View, root: &Key, now: Timestamp) -> Plan<Write> {
        match root.kind() {
            "health" => node(view, root.segment(1), now),
            "beats" => server(view, root.segment(1), now),
            _ => Plan::empty(),
        }
    }
}

/// One node, by what its link says.
fn node(view: &View, name: &str, now: Timestamp) -> Plan<Write> {
    let Some(link) = view.links.stored(&Key::link(name)) else { return without_link(view, name, now) };
    let Link { server, connected } = &link.value;
    if *connected && view.is_unreadable(&Key::health(name)) {
        return anew(view, name, server, now);
    }
    let health = view.health.stored(&Key::health(name)).map(|health| (health.value.state, health.modified));
    if !connected {
        return match health {
            Some((NodeState::Down, _)) => Plan::empty(),
            Some((NodeState::Ready | NodeState::Initializing, _)) | None => {
                turn(view, name, NodeState::Down, &format!("{server} has missed three of its beats"), now)
            }
        };
    }
    match health {
        Some((NodeState::Ready, _)) => Plan::empty(),
        // Down it stays until a server hears it anew: an old link is no sign of life.
        Some((NodeState::Down, since)) if since > link.modified => {
            Plan::nothing(name, "its link is older than its silence")
        }
        Some((NodeState::Down | NodeState::Initializing, _)) | None => {
            turn(view, name, NodeState::Ready, &format!("{server} hears it"), now)
        }
    }
}

/// A node of which no link tells.
fn without_link(view: &View, name: &str, now: Timestamp) -> Plan<Write> {
    let (link, health) = (Key::link(name), Key::health(name));
    match view.health.get(&health).map(|health| health.state) {
        _ if !view.is_unreadable(&link) && view.is_unreadable(&health) => {
            // As of every node that was never heard, nothing is said of it.
            let mut draft = Draft::new(view);
            draft.add(&[link], [Write::Delete { key: health }]);
            Plan {
                steps: draft.steps(),
                ..Plan::nothing(name, "its health cannot be read, and no server has heard it")
            }
        }
        Some(NodeState::Ready) if view.is_unreadable(&link) => {
            // The server that hears it writes the link anew with the node's next beat.
            let Some(since) = view.sight.unreadable_since(&link, now) else {
                return Plan::nothing(name, "its link cannot be read").wake(Some(now + GRACE));
            };
            let until = since + GRACE;
            if now < until {
                return Plan::nothing(name, "its link cannot be read").wake(Some(until));
            }
            turn(view, name, NodeState::Down, "its link cannot be read, and no server hears it", now)
        }
        Some(_) if !view.speaks_for(name) => forget(view, name),
        Some(NodeState::Ready | NodeState::Down | NodeState::Initializing) | None => {
            Plan::nothing(name, "no server has heard it yet")
        }
    }
}

/// A node with a link whose health cannot be read: it may have been down since before its server fell silent.
fn anew(view: &View, name: &str, server: &str, now: Timestamp) -> Plan<Write> {
    let Some(since) = view.sight.silent_since(server, now) else {
        return Plan::nothing(name, "its health cannot be read, and no server was heard for a while")
            .wake(Some(now + BEAT_IS_NEW));
    };
    let until = since + GRACE;
    if now >= until {
        return turn(
            view,
            name,
            NodeState::Down,
            &format!("{server}, the server that heard it, is silent"),
            now,
        );
    }
    if view.beats.get(&Key::beat(server)).is_some() && now < since + BEAT_IS_NEW {
        return turn(view, name, NodeState::Ready, &format!("{server} hears it"), now);
    }
    Plan::nothing(name, "its health cannot be read").wake(Some((since + GRACE).min(now + BEAT_IS_NEW)))
}

/// One server: silent for longer than the grace, it hears none of its nodes.
fn server(view: &View, name: &str, now: Timestamp) -> Plan<Write> {
    let mut unheard = view
        .links
        .iter()
        .filter(|(_, link)| link.value.server == name && link.value.connected)
        .map(|(key, _)| key.segment(1))
        .filter(|node| {
            view.health.get(&Key::health(node)).is_some_and(|health| health.state == NodeState::Ready)
        })
        .peekable();
    if unheard.peek().is_none() {
        return Plan::empty();
    }
    let Some(since) = view.sight.silent_since(name, now) else {
        return Plan::nothing(name, "no server was heard for a while").wake(Some(now + GRACE));
    };
    let until = since + GRACE;
    if now < until {
        return Plan::empty().wake(Some(until));
    }
    let reason = format!("{name}, the server that heard it, is silent");
    let mut draft = Draft::new(view);
    for node in unheard {
        draft.add(&[Key::link(node), Key::beat(name)], [health(view, node, (NodeState::Down, &reason), now)]);
    }
    Plan { steps: draft.steps(), ..Plan::nothing(name, "silent for longer than the grace") }
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

fn health(view: &View, node: &str, (state, reason): (NodeState, &str), now: Timestamp) -> Write {
    let key = Key::health(node);
    // What an older server wrote does not say since when the node is known: no later than it says anything.
    let known_since = view.health.get(&key).and_then(|old| old.known_since.or(old.since)).unwrap_or(now);
    let (since, known_since) = (Some(now), Some(known_since));
    Write::put(key, &Health { state, since, known_since, reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use plan::fixture;
    use schemas::codec;

    use super::*;

    /// Everything decided at `seconds`, the deciding server having beaten every second until then; beats of the
    /// picture were heard at the start and those of `alive` just now.
    fn decide(picture: &str, seconds: i64, alive: &[&str]) -> String {
        let mut view = fixture::read(picture);
        view.beats.iter().for_each(|(key, _)| view.sight.heard(key.segment(1), fixture::at(0)));
        (0..=seconds).for_each(|second| view.sight.heard("own", fixture::at(second)));
        alive.iter().for_each(|server| view.sight.heard(server, fixture::at(seconds)));
        let plans = Heartbeat.all_roots(&view);
        plans
            .iter()
            .map(|root| fixture::effects(&view, &Heartbeat.plan(&view, root, fixture::at(seconds))))
            .collect()
    }

    #[test]
    fn a_node_is_ready_when_heard_and_down_when_its_server_says_so() {
        assert_snapshot!(decide("link n1 s1 · beat s1 1", 0, &["s1"]), @"
        health n1 Ready: s1 hears it
        note n1: s1 hears it
        ");
        assert_snapshot!(decide("link n1 s1 broken · health n1 ready · beat s1 1", 0, &["s1"]), @"
        health n1 Down: s1 has missed three of its beats
        note n1: s1 has missed three of its beats
        ");
    }

    #[test]
    fn a_silent_server_takes_its_nodes_down_after_the_grace() {
        let picture = "health n1 ready · health n2 ready · link n1 s1 · link n2 s2 · beat s1 1 · beat s2 1";
        assert_snapshot!(decide(picture, 5, &["s2"]), @"
        wake at +6
        wake at +11
        ");
        assert_snapshot!(decide(picture, 6, &["s2"]), @"
        health n1 Down: s1, the server that heard it, is silent
        note s1: silent for longer than the grace
        wake at +12
        ");
    }

    #[test]
    fn a_node_is_known_since_it_was_first_heard_whatever_becomes_of_it() {
        let known_since = |picture: &str| {
            let view = fixture::read(picture);
            let plan = Heartbeat.plan(&view, &Key::health("n1"), fixture::at(90));
            let [Write::Put { value, .. }] = plan.steps[0].effects.as_slice() else { panic!("one write") };
            let health: Health = codec::decode(value).unwrap();
            (health.known_since, health.since)
        };
        let now = Some(fixture::at(90));
        assert_eq!(known_since("link n1 s1"), (now, now));
        assert_eq!(known_since("link n1 s1 broken · health n1 ready since=7"), (Some(fixture::at(7)), now));
        assert_eq!(known_since("health n1 down since=8 · link n1 s1"), (Some(fixture::at(8)), now));
    }

    #[test]
    fn what_was_said_of_a_node_that_is_gone_goes_with_its_link() {
        assert_snapshot!(decide("health n1 down", 0, &[]), @"
        delete /health/n1
        note n1: there is no such node
        ");
        assert_snapshot!(decide("health n1 down · link n1 s1 broken · beat s1 1", 0, &["s1"]), @"");
        assert_snapshot!(decide("node n1 down", 0, &[]), @"note n1: no server has heard it yet");
        assert_snapshot!(decide("health n1 down · place web.api.0-v1.0 on n1", 0, &[]), @"note n1: no server has heard it yet");
    }

    #[test]
    fn an_old_link_is_no_sign_of_life() {
        assert_snapshot!(decide("link n1 s1 · health n1 down · beat s1 1", 0, &["s1"]), @"note n1: its link is older than its silence");
        assert_snapshot!(decide("health n1 down · link n1 s1 · beat s1 1", 0, &["s1"]), @"
        health n1 Ready: s1 hears it
        note n1: s1 hears it
        ");
    }

    /// The same, some document having been found unreadable at the start.
    fn decide_with_garbage(picture: &str, garbage: &str, (seconds, alive): (i64, &[&str])) -> String {
        let mut view = fixture::read(&format!("{picture} · garbage {garbage}"));
        view.sight.found(&Key::new(garbage).unwrap(), true, fixture::at(0));
        view.beats.iter().for_each(|(key, _)| view.sight.heard(key.segment(1), fixture::at(0)));
        (0..=seconds).for_each(|second| view.sight.heard("own", fixture::at(second)));
        alive.iter().for_each(|server| view.sight.heard(server, fixture::at(seconds)));
        let plan = Heartbeat.plan(&view, &Key::health("n1"), fixture::at(seconds));
        fixture::effects(&view, &plan)
    }

    #[test]
    fn a_health_that_cannot_be_read_is_written_as_the_link_says() {
        let health = |picture, when| decide_with_garbage(picture, "/health/n1", when);
        assert_snapshot!(health("link n1 s1 · beat s1 1 · health n1 ready", (4, &["s1"])), @r"
        health n1 Ready: s1 hears it
        note n1: s1 hears it
        ");
        assert_snapshot!(health("link n1 s1 broken · beat s1 1 · health n1 ready", (4, &["s1"])), @r"
        health n1 Down: s1 has missed three of its beats
        note n1: s1 has missed three of its beats
        ");
        assert_snapshot!(health("link n1 s1 · beat s1 1 · health n1 down", (4, &[])), @r"
        wake at +6
        note n1: its health cannot be read
        ");
        assert_snapshot!(health("link n1 s1 · beat s1 1 · health n1 down", (9, &[])), @r"
        health n1 Down: s1, the server that heard it, is silent
        note n1: s1, the server that heard it, is silent
        ");
        assert_snapshot!(health("beat s1 1", (9, &[])), @r"
        delete /health/n1
        note n1: its health cannot be read, and no server has heard it
        ");
    }

    #[test]
    fn a_link_that_cannot_be_read_leaves_the_health_for_a_grace() {
        let link = |picture, when| decide_with_garbage(picture, "/links/n1", when);
        assert_snapshot!(link("health n1 ready", (5, &[])), @r"
        wake at +6
        note n1: its link cannot be read
        ");
        assert_snapshot!(link("health n1 ready", (6, &[])), @r"
        health n1 Down: its link cannot be read, and no server hears it
        note n1: its link cannot be read, and no server hears it
        ");
        assert_snapshot!(link("health n1 down", (60, &[])), @"note n1: no server has heard it yet");
    }
}
