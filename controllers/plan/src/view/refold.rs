//! Which indexes a change of which table touches.

use schemas::key::Key;
use schemas::placement::Placement;
use schemas::report::Report;

use super::View;
use super::open::Facts;

impl View {
    pub(super) fn refold_roster(&mut self, key: &Key) {
        if self.rosters.get(key).is_some_and(|roster| roster.every_node.is_some()) {
            self.indexes.every_node.insert(key.clone());
        } else {
            self.indexes.every_node.remove(key);
        }
        let View { open, rosters, placements, fingerprints, indexes, unreadable, .. } = self;
        open.roster(&Facts { rosters, placements, fingerprints, indexes, unreadable }, key);
    }

    pub(super) fn refold_placement(&mut self, key: &Key, old: Option<&Placement>) {
        let View { open, rosters, placements, fingerprints, indexes, unreadable, .. } = self;
        let facts = Facts { rosters, placements, fingerprints, indexes, unreadable };
        // What it was before matters where it is no more; a placement never changes its place.
        if let Some(placement) = facts.placements.get(key).or(old) {
            open.placement(&facts, key, placement);
        }
    }

    pub(super) fn refold_report(&mut self, key: &Key, old: Option<&Report>) {
        let new = self.reports.get(key);
        self.indexes.report_document(key, old, new, &self.placements);
        let named: Vec<String> =
            [old, new].into_iter().flatten().flat_map(|report| report.allocations.keys()).cloned().collect();
        for name in named {
            let Some((namespace, allocation)) = name.split_once('/') else { continue };
            self.refold_placement(&Key::placement(key.segment(1), namespace, allocation), None);
        }
    }

    pub(super) fn refold_tombstone(&mut self, node: &str) {
        let since = self.tombstones.counters(&Key::tombstone(node)).map(|counters| counters.modified);
        self.indexes.tombstone(node, since, &self.placements);
        self.refold_node(node);
    }

    pub(super) fn refold_node(&mut self, node: &str) {
        let View { open, rosters, placements, fingerprints, indexes, unreadable, .. } = self;
        open.node(&Facts { rosters, placements, fingerprints, indexes, unreadable }, node);
    }

    /// A document became unreadable, or is no longer there without having been read. Only a placement's key says
    /// something: that its allocation has a node.
    pub(super) fn refold_unreadable(&mut self, key: &Key) {
        if key.kind() != "placements" {
            return;
        }
        self.indexes.unreadable_placement(key, self.unreadable.get(key).is_some());
        let View { open, rosters, placements, fingerprints, indexes, unreadable, .. } = self;
        let facts = Facts { rosters, placements, fingerprints, indexes, unreadable };
        open.allocation(&facts, key.segment(2), key.segment(3));
    }
}
