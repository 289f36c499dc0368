//! What it means that a document is there and cannot be read.
//!
//! It is neither absent nor what it said before: nothing is stopped, given up, deleted or made a second time because
//! of it, and it holds up nobody but those whom it concerns. Guards name its revision, so that its one writer can
//! replace it, and whatever rests on it can be committed. Who writes a kind, what is done meanwhile and how it is
//! mended is the table of [`Unreadable::of`]; all kinds are in it.

use schemas::key::{Key, Shape};

/// What is done with a node of which too little is known.
const NOTHING_NEW: &str = "what runs on the node goes on, and nothing new is placed there";

/// How an unreadable document of one kind is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its one writer.
    pub owner: &'static str,
    /// What holds until it is mended.
    pub meanwhile: &'static str,
    /// How it is mended.
    pub mended: &'static str,
}

impl Unreadable {
    /// The row of a document's kind.
    pub fn of(key: &Key) -> Unreadable {
        let kind = if key.shape() == Shape::Known { key.kind() } else { "" };
        let (owner, meanwhile, mended) = match kind {
            "jobs" => (
                "users",
                "what runs of the job goes on, and nothing about it is decided",
                "apply the job again, or delete it",
            ),
            "versions" => (
                "users",
                "instances of the version go on as they are",
                "the current version is written anew from the job; for an older one apply the job again",
            ),
            "rosters" => (
                "the deployment controller",
                "what runs of the group goes on, and nothing new starts",
                "it is derived from the placements; where these do not tell enough, apply the job again or delete it",
            ),
            "deployments" => (
                "the deployment controller",
                "no instance is replaced by the rollout",
                "it is derived from the rosters",
            ),
            "placements" => (
                "the scheduler",
                "its allocation counts as placed and its room as taken",
                "it is written anew as its slot wants it, or as a word to stop where no slot does",
            ),
            "reports" => (
                "the node's agent",
                "its allocations count as placed, their health as unknown",
                "the agent writes it anew",
            ),
            "details" => ("the node's agent", "events and checks are not shown", "the agent writes it anew"),
            "fingerprints" => ("the node's agent", NOTHING_NEW, "the agent writes it anew"),
            "nodes" => ("users", NOTHING_NEW, "change the node: `encamp node eligibility` or a patch"),
            "links" => (
                "the server that hears the node",
                "the node keeps its health for a grace",
                "the server writes it anew with the node's next beat",
            ),
            "beats" => ("the server", "its last sign of life counts", "the server's next beat replaces it"),
            "health" => {
                ("the heartbeat controller", NOTHING_NEW, "it is written anew as the node's link says")
            }
            "settings" => ("users", "the defaults count", "set them again: `encamp operator heartbeat`"),
            "brakes" => ("the heartbeat controller", "nobody waits", "the controller writes it anew"),
            "releases" => ("users", "nothing is released", "release again: `encamp operator brake release`"),
            "leaders" => ("the servers", "nobody leads", "the next server takes the lead over"),
            "tombstones" => {
                ("operators", "the node counts as not purged: what it runs goes on", "purge the node again")
            }
            "epoch" => ("the servers", "the name that was read last counts", "see `encamp operator store`"),
            _ => ("nobody known", "it is passed over", "delete it"),
        };
        Unreadable { owner, meanwhile, mended }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use schemas::entry::{Change, Entry};
    use schemas::key::{Revision, kinds};

    use super::*;
    use crate::{Guard, View};

    /// One key of every kind.
    fn keys() -> Vec<Key> {
        let allocation = "web.api.0-v1.0";
        vec![
            Key::beat("s1"),
            Key::brake(),
            Key::deployment("default", "web", 1),
            Key::details("n1", "default", allocation),
            Key::epoch(),
            Key::fingerprint("n1"),
            Key::health("n1"),
            Key::job("default", "web"),
            Key::leader("scheduler"),
            Key::link("n1"),
            Key::node("n1"),
            Key::placement("n1", "default", allocation),
            Key::brake_release(),
            Key::report("n1", 0),
            Key::roster("default", "web", "api"),
            Key::heartbeat_settings(),
            Key::tombstone("n1"),
            Key::version("default", "web", 1),
        ]
    }

    fn put(key: &Key, bytes: &'static [u8], at: u64) -> Change {
        let (created, modified) = (Revision(2), Revision(at));
        let value = Bytes::from_static(bytes);
        Change::Put(Entry { key: key.clone(), value, created, modified, version: at })
    }

    #[test]
    fn every_kind_has_an_owner_a_meanwhile_and_a_way_to_be_mended() {
        assert!(keys().iter().map(Key::kind).eq(kinds()), "the table below is about all kinds");
        let nobody = Unreadable::of(&Key::new("/jobs/web").unwrap());
        assert_eq!(nobody.owner, "nobody known");
        for key in keys() {
            let row = Unreadable::of(&key);
            assert_ne!(row.owner, nobody.owner, "{key}");
            assert!(!row.meanwhile.is_empty() && !row.mended.is_empty(), "{key}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_there_and_is_replaced_by_its_revision() {
        for key in keys() {
            let mut view = View::default();
            view.apply(Revision(7), &[put(&key, b"\xffgarbage", 7)]);
            assert!(view.is_unreadable(&key), "{key}");
            assert_eq!(view.as_seen(&key), Guard::At(key.clone(), Revision(7)));
            view.apply(Revision(8), &[put(&key, b"\xffother", 8)]);
            assert_eq!(view.as_seen(&key), Guard::At(key.clone(), Revision(8)));
            view.apply(Revision(9), &[Change::Delete { key: key.clone() }]);
            assert_eq!(view.as_seen(&key), Guard::Absent(key.clone()));
            assert!(view.unreadable.is_empty(), "{key}");
        }
    }

    #[test]
    fn what_cannot_be_read_any_more_does_not_say_what_it_said_before() {
        let (leader, tombstone) = (Key::leader("scheduler"), Key::tombstone("n1"));
        let held = |view: &View| (view.leaders.len(), view.tombstones.len());
        let mut view = View::default();
        let good = [put(&leader, br#"{"server":"s1"}"#, 2), put(&tombstone, b"{}", 2)];
        view.apply(Revision(2), &good);
        assert_eq!((held(&view), view.unreadable.len()), ((1, 1), 0));
        view.apply(Revision(3), &[put(&leader, b"\xff", 3), put(&tombstone, b"\xff", 3)]);
        assert_eq!((held(&view), view.unreadable.len()), ((0, 0), 2));
    }

    #[test]
    fn keys_that_no_document_has_are_passed_over_and_counted() {
        let mut view = View::default();
        let changes = ["/health/n1/x", "/jobs/a", "/moods/a", "/placements/x"]
            .map(|text| put(&Key::new(text).unwrap(), b"{}", 3));
        view.apply(Revision(3), &changes);
        assert_eq!((view.unreadable.len(), view.unknown.len()), (3, 1));
        assert!(view.jobs.is_empty() && view.placements.is_empty() && view.health.is_empty());
        let gone = changes.map(|change| Change::Delete { key: change.key().clone() });
        view.apply(Revision(4), &gone);
        assert_eq!((view.unreadable.len(), view.unknown.len()), (0, 0));
    }

    #[test]
    fn the_name_of_the_store_stays_until_another_can_be_read() {
        let (mut view, key) = (View::default(), Key::epoch());
        let named = |view: &View| view.epoch.id.clone();
        view.apply(Revision(2), &[put(&key, b"\"one\"", 2)]);
        for (at, bad) in [(3, b"\xff\xfe".as_slice()), (4, b""), (5, b"a\0b")] {
            view.apply(Revision(at), &[put(&key, bad, at)]);
            assert_eq!(named(&view), "one");
            assert!(view.is_unreadable(&key));
        }
        view.apply(Revision(6), &[put(&key, b"\"two\"", 6)]);
        assert_eq!((named(&view).as_str(), view.unreadable.len()), ("two", 0));
    }
}
