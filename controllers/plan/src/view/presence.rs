//! Which nodes there are.

use schemas::key::Key;

use super::View;

impl View {
    /// Whether anything says that there is such a node: its fingerprint, a server that hears it, a placement, or a
    /// report of something that has not ended. A document that cannot be read may say any of this. A node that merely
    /// lost its fingerprint is there; only what speaks for nobody is garbage.
    pub fn speaks_for(&self, node: &str) -> bool {
        let (fingerprint, link) = (Key::fingerprint(node), Key::link(node));
        let lives = |report: &schemas::report::Report| {
            report.allocations.values().any(|allocation| !allocation.state.is_terminal())
        };
        let is_unread = |key: &Key| {
            matches!(key.kind(), "fingerprints" | "links" | "placements" | "reports")
                && key.segment(1) == node
        };
        self.fingerprints.get(&fingerprint).is_some()
            || self.links.get(&link).is_some_and(|link| link.connected)
            || self.placements.under(&["placements", node]).next().is_some()
            || self.reports.under(&["reports", node]).any(|(_, report)| lives(&report.value))
            || self.unreadable.iter().any(|(key, _)| is_unread(key))
    }
}

#[cfg(test)]
mod tests {
    use schemas::entry::{Change, Entry};
    use schemas::key::Revision;

    use super::*;
    use crate::fixture;

    #[test]
    fn a_node_is_there_as_long_as_anything_speaks_for_it() {
        let table = [
            ("node n2", false),
            ("node n1 unheard", true),
            ("link n1 s1", true),
            ("link n1 s1 broken", false),
            ("health n1 ready", false),
            ("health n1 down · link n1 s1 broken · node n2", false),
            ("place web.api.0-v1.0 on n1", true),
        ];
        for (picture, is_there) in table {
            assert_eq!(fixture::read(picture).speaks_for("n1"), is_there, "{picture}");
        }
    }

    #[test]
    fn what_cannot_be_read_may_say_anything() {
        for (key, is_there) in [
            (Key::fingerprint("n1"), true),
            (Key::report("n1", 0), true),
            (Key::fingerprint("n10"), false),
            (Key::health("n1"), false),
        ] {
            let mut view = fixture::read("node n2");
            let revision = Revision(view.revision.0 + 1);
            let (created, modified) = (revision, revision);
            let entry = Entry { key: key.clone(), value: "garbage".into(), created, modified, version: 1 };
            view.apply(revision, &[Change::Put(entry)]);
            assert_eq!(view.speaks_for("n1"), is_there, "{key}");
        }
    }
}
