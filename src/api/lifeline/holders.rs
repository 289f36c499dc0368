//! Who holds which name: by the links in the store, which all servers judge by, and before the first link is written
//! by the last beat that counted.
//!
//! Whoever is admitted over a link may write over that very link, and over no later one: two servers that admit two
//! agents at the same moment find out when they write.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use plan::View;
use schemas::key::{Key, Revision};
use schemas::node::{AgentBeat, Link, NodeState};

use super::admit::{Holder, Refused, admit};

/// How long a beat holds a name that has no link yet: three beats. By then the link is written, or nobody is there.
const UNWRITTEN: Duration = Duration::from_secs(6);
/// A server that has not beaten for so long hears nobody: whoever beat to it beats to another by now.
const SERVER_SILENT: Duration = Duration::from_secs(6);
/// A server that has not seen its own beat for so long does not see others' either.
const BLIND: Duration = Duration::from_secs(3);

/// All names.
#[derive(Debug, Default)]
pub(super) struct Holders {
    nodes: BTreeMap<String, Named>,
    /// When a new beat of a server was seen last.
    servers: BTreeMap<String, Duration>,
    /// Since when anything is seen.
    since: Option<Duration>,
}

/// What is known of a name.
#[derive(Debug, Default)]
struct Named {
    link: Option<(Link, Revision)>,
    /// The node was called down after its link was written.
    is_called_down: bool,
    id: String,
    address: String,
    since: Option<Timestamp>,
    /// The session that was admitted over the link of this revision.
    admitted: Option<(String, Revision)>,
}

/// Who hears, and since when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hearer<'a> {
    /// The server.
    pub(super) server: &'a str,
    /// Its uptime.
    pub(super) now: Duration,
    /// Since when it has listened without a pause.
    pub(super) steady: Duration,
}

impl Holders {
    /// Takes in what the store says of a node.
    pub(super) fn see(&mut self, view: &View, node: &str, now: Duration) {
        self.since.get_or_insert(now);
        let link = view.links.stored(&Key::link(node));
        let named = self.nodes.entry(node.to_owned()).or_default();
        if named.link.as_ref().is_some_and(|(_, known)| *known > view.revision) {
            return; // Older than what this server wrote itself.
        }
        let health = view.health.stored(&Key::health(node));
        let down = health.filter(|health| health.value.state == NodeState::Down);
        named.is_called_down = down.is_some_and(|down| link.is_none_or(|link| link.modified < down.modified));
        named.since = health.and_then(|health| health.value.since);
        if let Some(found) = view.fingerprints.get(&Key::fingerprint(node)) {
            (named.id, named.address) = (found.id.clone(), found.address.clone());
        }
        named.link = link.map(|link| (link.value.clone(), link.modified));
        if link.is_none() && health.is_none() {
            self.nodes.remove(node);
        }
    }

    /// A server's beat has changed.
    pub(super) fn server_beats(&mut self, server: &str, now: Duration) {
        self.servers.insert(server.to_owned(), now);
    }

    /// A link was written.
    pub(super) fn wrote(&mut self, node: &str, link: &Link, revision: Revision) {
        let named = self.nodes.entry(node.to_owned()).or_default();
        if named.link.as_ref().is_none_or(|(_, known)| *known < revision) {
            named.link = Some((link.clone(), revision));
            named.is_called_down = false;
            named.admitted = None;
        }
    }

    /// Judges a beat; `former` is the last one of that name that counted here, and when it came. Whether the name is
    /// known to be this session's.
    pub(super) fn judge(
        &mut self,
        node: &str,
        beat: &AgentBeat,
        former: Option<(&AgentBeat, Duration)>,
        hearer: Hearer<'_>,
    ) -> Result<bool, Refused> {
        let former =
            former.map(|(former, last)| (former, hearer.now.saturating_sub(last.max(hearer.steady))));
        let named = self.nodes.get(node);
        let living = named.and_then(Named::living);
        let Some((named, (link, at))) = named.zip(living) else {
            let unwritten = former.filter(|(_, silent_for)| *silent_for < UNWRITTEN);
            let holder = unwritten.map(|(former, silent_for)| Holder {
                session: former.session.clone(),
                id: former.id.clone(),
                server: hearer.server.to_owned(),
                silent_for,
                ..Holder::default()
            });
            return holder.map_or(Ok(()), |holder| admit(&holder, beat)).map(|()| beat.session.is_empty());
        };
        let is_admitted =
            named.admitted.as_ref().is_some_and(|(session, over)| *session == beat.session && *over == at);
        let holder = Holder {
            session: link.session.clone(),
            id: named.id.clone(),
            address: named.address.clone(),
            server: link.server.clone(),
            since: named.since,
            silent_for: self.silence(link, former, hearer),
        };
        let is_held = beat.session.is_empty() || beat.session == link.session;
        // Whoever follows the one that was admitted last, follows the one whose link is still there.
        let follows_admitted = former.is_some_and(|(former, _)| {
            beat.follows.contains(&former.session)
                && named
                    .admitted
                    .as_ref()
                    .is_some_and(|(session, over)| *session == former.session && *over == at)
        });
        if !is_admitted && !follows_admitted {
            admit(&holder, beat)?;
        }
        if let Some(named) = self.nodes.get_mut(node) {
            named.admitted = (!is_held).then(|| (beat.session.clone(), at));
        }
        Ok(is_held)
    }

    /// Whether a link may be written over the one that the store has.
    pub(super) fn may_write(
        &self,
        node: &str,
        wanted: &Link,
        beat: &AgentBeat,
        found: &(Link, Revision),
    ) -> bool {
        let (link, at) = found;
        let is_judged = !link.session.is_empty() && !wanted.session.is_empty();
        let named = self.nodes.get(node);
        let is_seen = named.and_then(|named| named.link.as_ref()).is_some_and(|(_, seen)| seen == at);
        let is_called_down = named.is_some_and(|named| named.is_called_down) && is_seen;
        let is_admitted = named
            .and_then(|named| named.admitted.as_ref())
            .is_some_and(|(session, over)| *session == wanted.session && over == at);
        let is_successor = link.session == wanted.session || beat.follows.contains(&link.session);
        !is_judged || !link.connected || is_successor || is_admitted || is_called_down
    }

    /// For how long the holder of a living link is known not to have beaten.
    fn silence(&self, link: &Link, former: Option<(&AgentBeat, Duration)>, hearer: Hearer<'_>) -> Duration {
        let Hearer { server, now, steady } = hearer;
        let Some(since) = self.since.map(|since| since.max(steady)) else { return Duration::ZERO };
        if link.server == server {
            let own = former.filter(|(former, _)| former.session == link.session);
            return own.map_or(now.saturating_sub(since), |(_, silent_for)| silent_for);
        }
        let silence =
            |server: &str| now.saturating_sub(self.servers.get(server).copied().unwrap_or(since).max(since));
        let is_blind = silence(server) > BLIND;
        let silence = silence(&link.server);
        if is_blind || silence < SERVER_SILENT { Duration::ZERO } else { silence }
    }
}

impl Named {
    /// The link, unless its node is silent or called down.
    fn living(&self) -> Option<(&Link, Revision)> {
        let (link, at) = self.link.as_ref()?;
        (link.connected && !self.is_called_down).then_some((link, *at))
    }
}

#[cfg(test)]
mod tests;
