//! One node as a server hears it, and what its link should say: pure, so that every order of beats, claims, pauses
//! and late writes is a line of a table.
//!
//! A link is claimed only by a beat that is newer than what the link says: of the same session, by its count; otherwise
//! by having arrived after the link was seen. Silence is reported only on a link of this server's own, and only after
//! listening to it for the whole grace without a pause.

use std::time::Duration;

use schemas::key::Revision;
use schemas::node::{AgentBeat, Link};

use super::listening::Listening;

/// One node.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// When it beat last.
    pub(super) last: Option<Duration>,
    /// What it said then.
    pub(super) beat: AgentBeat,
    /// It has beaten since its link or its health was found to be other than before.
    is_new: bool,
    said: Said,
    /// What was seen of its link is as of this revision.
    seen: Revision,
    /// Since when its link is known to name this server.
    named: Duration,
    /// When it was called down, as far as was seen.
    down: Revision,
}

/// What the link says, as far as this server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Said {
    /// There is none.
    #[default]
    Nothing,
    /// Another server hears it.
    Another { session: String, count: u64 },
    /// This server hears it, or does not hear it any more.
    Ours { session: String, connected: bool, told: bool, is_called_down: bool },
}

/// What there is to know of a node in the store at one revision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The revision.
    pub(super) at: Revision,
    /// The node's link, and who wrote it last when.
    pub(super) link: Option<(&'a Link, Revision)>,
    /// When the node was called down, if it is.
    pub(super) down: Option<Revision>,
}

/// How long silence may last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Graces {
    /// For a node that was heard.
    pub(super) usual: Duration,
    /// For a node that was not heard since this server began to listen.
    pub(super) restart: Duration,
}

impl Heard {
    /// It beats.
    pub(super) fn beats(&mut self, beat: AgentBeat, now: Duration) {
        self.last = Some(now);
        self.beat = beat;
        self.is_new = true;
    }

    /// The store was looked at.
    pub(super) fn learn(&mut self, known: Known<'_>, server: &str, now: Duration) {
        let Known { at, link, down } = known;
        if at < self.seen {
            return; // Older than what this server wrote itself.
        }
        let modified = link.map_or(at, |(_, modified)| modified);
        let is_called_down = down.is_some_and(|down| link.is_none_or(|(_, modified)| down > modified));
        let is_first = self.seen == Revision::default();
        let is_other = match link {
            Some(_) => modified > self.seen,
            None => self.said != Said::Nothing,
        };
        let is_newly_down = is_called_down && down.is_some_and(|down| down > self.down);
        if is_other || is_newly_down {
            // What it said before says nothing about what is in the store now.
            self.is_new &= is_first;
            self.said = said(link.map(|(link, _)| link), server, is_called_down);
            self.named = now;
        }
        self.seen = self.seen.max(modified);
        self.down = self.down.max(down.unwrap_or_default());
    }

    /// This link of it was written.
    pub(super) fn wrote(&mut self, link: &Link, revision: Revision, now: Duration) {
        if revision > self.seen {
            let (session, told) = (link.session.clone(), link.told);
            self.said = Said::Ours { session, connected: link.connected, told, is_called_down: false };
            (self.seen, self.named, self.is_new) = (revision, now, false);
        }
    }

    /// The link that should be written now, if the one there is should not stay.
    pub(super) fn due(
        &self,
        server: &str,
        (listening, graces): (&Listening, Graces),
        now: Duration,
    ) -> Option<Link> {
        let is_silent = now >= self.silent_from(listening, graces);
        let AgentBeat { told, session, count, .. } = self.beat.clone();
        let is_wrong = match &self.said {
            Said::Ours { connected: true, .. } if is_silent => true,
            _ if is_silent || self.last.is_none() => false,
            Said::Nothing | Said::Ours { connected: false, .. } | Said::Ours { is_called_down: true, .. } => {
                self.is_new
            }
            Said::Ours { session: other, .. } if !session.is_empty() && session != *other => self.is_new,
            Said::Ours { told: was_told, .. } => told && !was_told,
            Said::Another { session: other, count: claimed } => {
                let is_counted = !session.is_empty() && session == *other && count > 0 && *claimed > 0;
                if is_counted { count > *claimed } else { self.is_new }
            }
        };
        let link = Link { server: server.to_owned(), connected: !is_silent, told, session, count };
        is_wrong.then_some(link)
    }

    /// From when on it is silent, if it does not beat.
    pub(super) fn silent_from(&self, listening: &Listening, graces: Graces) -> Duration {
        let Listening { steady, fresh, .. } = *listening;
        match self.last.filter(|last| *last >= fresh) {
            Some(last) => last.max(steady).max(self.named) + graces.usual,
            None => (fresh + graces.restart).max(self.named.max(steady) + graces.usual),
        }
    }

    /// Whether it has missed a beat or more, and this server is the one to say so.
    pub(super) fn is_late(&self, listening: &Listening, graces: Graces, now: Duration) -> bool {
        // A beat and a bit: beats come every two seconds.
        let patience = (graces.usual / 2).max(Duration::from_millis(2_500));
        let since = self.last.unwrap_or_default().max(listening.steady);
        self.is_ours() && now.saturating_sub(since) > patience
    }

    /// Whether it is this server's to judge: its link says so, and it was not given up since.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.said, Said::Ours { is_called_down: false, .. })
    }
}

fn said(link: Option<&Link>, own: &str, is_called_down: bool) -> Said {
    let Some(Link { server, connected, told, session, count }) = link else { return Said::Nothing };
    if server == own {
        Said::Ours { session: session.clone(), connected: *connected, told: *told, is_called_down }
    } else {
        Said::Another { session: session.clone(), count: *count }
    }
}

#[cfg(test)]
mod tests;
