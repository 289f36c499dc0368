//! What an agent may ask of the store: to read its wishes, and to write what it alone knows.
//!
//! Tokens that tie a request to one node come with authentication. Until then this keeps an agent (or who says to be
//! one) to the documents of one node per request, to documents that are what their keys say, and to a bounded number
//! of them. Nobody takes a fingerprint away: a node without one would look as if it were not there.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::request::Parts;
use plan::view::View;
use plan::{Guard, Write};
use schemas::agent_documents;
use schemas::key::{Key, Prefix};
use schemas::node::Fingerprint;
use schemas::{codec, node_name};

use super::store_face::{Allow, Ask};
use cache::Cache;
use store::Txn;

/// The most nodes: twice what is built for.
const NODES: usize = 10_000;
/// How many details a node may have beyond its placements: of allocations that this server has not heard of yet, or
/// whose end the agent is still to learn.
const MORE_DETAILS: usize = 256;
/// What agents read of themselves.
const OWN: [&str; 5] = ["placements", "reports", "details", "fingerprints", "tombstones"];

/// The rule for the store face, by what this server sees.
pub fn allow(cache: Cache) -> Allow {
    Arc::new(move |_: &Parts, ask: Ask<'_>| match ask {
        Ask::Read(prefix) => reads(prefix),
        Ask::Write(txn) => writes(&cache.view(), txn),
    })
}

/// Everything of one node, or one document that all agents read.
fn reads(prefix: &Prefix) -> Result<(), String> {
    let no = || Err(format!("an agent reads nothing at {prefix}"));
    let mut segments = prefix.as_str().split('/').skip(1);
    let (Some(kind), node) = (segments.next(), segments.next().unwrap_or_default()) else { return no() };
    let is_one_nodes = (prefix.is_exact() || segments.next().is_some())
        && OWN.contains(&kind)
        && node_name::check(node).is_ok();
    let is_everybodys = prefix.is_exact() && matches!(kind, "versions" | "epoch");
    if is_one_nodes || is_everybodys { Ok(()) } else { no() }
}

fn writes(view: &View, txn: &Txn) -> Result<(), String> {
    let mut node = None;
    for write in &txn.writes {
        let own = agent_documents::node_of(write.key()).map_err(|unfit| unfit.to_string())?;
        if *node.get_or_insert(own) != own {
            return Err("one transaction is about one node".to_owned());
        }
        match write {
            Write::Put { key, value } => put(view, (key, own), value)?,
            Write::Delete { key } if key.kind() == "fingerprints" => {
                return Err("a fingerprint is not deleted".to_owned());
            }
            Write::Delete { key } if speaks_of_life(view, key) => {
                return Err(format!("{key} speaks of what is placed and has not ended"));
            }
            Write::Delete { .. } => {}
        }
    }
    txn.guards.iter().try_for_each(|guard| guards(node, guard))?;
    is_bounded(view, node, txn)
}

/// Whether a report says of something that is placed that it lives: an agent takes a report away once all of it ended.
fn speaks_of_life(view: &View, key: &Key) -> bool {
    let of = |name: &str| {
        let (namespace, allocation) = name.split_once('/')?;
        Some(Key::placement(key.segment(1), namespace, allocation))
    };
    view.reports.get(key).is_some_and(|report| {
        report.allocations.iter().any(|(name, told)| {
            !told.state.is_terminal() && of(name).is_some_and(|placed| view.counters(&placed).is_some())
        })
    })
}

fn put(view: &View, (key, node): (&Key, &str), value: &[u8]) -> Result<(), String> {
    agent_documents::check(key, value).map_err(|unfit| unfit.to_string())?;
    if key.kind() == "fingerprints" {
        return address(view, key, value);
    }
    if view.speaks_for(node) || view.is_unreadable(&Key::fingerprint(node)) {
        return Ok(());
    }
    Err(format!("there is no node {node:?}: a node writes its fingerprint first"))
}

/// An address that cannot be dialled is refused, unless the node has had it already: it is not dialled, and an agent
/// of an older version keeps its node.
fn address(view: &View, key: &Key, value: &[u8]) -> Result<(), String> {
    let found: Fingerprint = codec::decode(value).map_err(|error| error.to_string())?;
    let is_old = view.fingerprints.get(key).is_some_and(|old| old.address == found.address);
    // So does one that only says that it listens everywhere.
    let is_everywhere = found.address.parse().is_ok_and(|socket: SocketAddr| socket.ip().is_unspecified());
    if is_old || is_everywhere {
        Ok(())
    } else {
        agent_documents::address(&found).map(drop).map_err(|unfit| unfit.to_string())
    }
}

/// A guard tells whether a document is there, so it is about what may be read.
fn guards(node: Option<&str>, guard: &Guard) -> Result<(), String> {
    let prefix = match guard {
        Guard::Absent(key) | Guard::At(key, _) => Prefix::one(key),
        Guard::Unchanged { prefix, since: _ } => prefix.clone(),
        Guard::Term { leader, term: _ } => return Err(format!("an agent does not ask for {leader}")),
    };
    reads(&prefix)?;
    let about = prefix.as_str().split('/').nth(2);
    let is_own =
        about.is_none() || node.is_none() || about == node || prefix.as_str().starts_with("/versions/");
    if is_own { Ok(()) } else { Err("one transaction is about one node".to_owned()) }
}

/// Whether there is room for what is new.
fn is_bounded(view: &View, node: Option<&str>, txn: &Txn) -> Result<(), String> {
    let Some(node) = node else { return Ok(()) };
    let puts = txn.writes.iter().filter(|write| matches!(write, Write::Put { .. })).map(Write::key);
    let is_new = |key: &&Key| view.counters(key).is_none() && !view.is_unreadable(key);
    let (mut nodes, mut details) = (0, 0);
    for key in puts.filter(is_new) {
        match key.kind() {
            "fingerprints" => nodes += 1,
            "details" => details += 1,
            // Their number is part of the key's shape.
            _ => {}
        }
    }
    if nodes > 0 && view.fingerprints.len() + nodes > NODES {
        return Err(format!("there are {NODES} nodes already"));
    }
    if details == 0 {
        return Ok(());
    }
    let have = view.details.under(&["details", node]).count();
    let room = view.placements.under(&["placements", node]).count() + MORE_DETAILS;
    if have + details <= room { Ok(()) } else { Err(format!("{node} has {have} details already")) }
}

#[cfg(test)]
mod tests {
    use plan::fixture;
    use schemas::key::Revision;
    use schemas::report::{Details, Report};

    use super::*;

    fn found(address: &str) -> Fingerprint {
        let word = || "x".to_owned();
        let address = address.to_owned();
        Fingerprint { datacenter: word(), region: word(), pool: word(), address, ..Fingerprint::default() }
    }

    fn fingerprint(node: &str, address: &str) -> Write {
        Write::put(Key::fingerprint(node), &found(address))
    }

    fn report(node: &str) -> Write {
        Write::put(Key::report(node, 0), &Report::default())
    }

    fn verdict(view: &View, guards: Vec<Guard>, writes: Vec<Write>) -> Result<(), String> {
        super::writes(view, &Txn { guards, writes })
    }

    #[test]
    fn a_report_of_what_lives_is_not_taken_away() {
        let placed = "node n1 · job web · place web.api.0-v1.0 on n1";
        let gone = || vec![Write::Delete { key: Key::report("n1", 0) }];
        for (told, may) in [("running", false), ("pending", false), ("complete", true), ("failed", true)] {
            let view = fixture::read(&format!("{placed} · report web.api.0-v1.0 {told}"));
            assert_eq!(verdict(&view, vec![], gone()).is_ok(), may, "{told}");
        }
        let purged = format!(
            "{placed} · report web.api.0-v1.0 running · delete /placements/n1/default/web.api.0-v1.0"
        );
        assert_eq!(verdict(&fixture::read(&purged), vec![], gone()), Ok(()));
    }

    #[test]
    fn one_nodes_documents_are_read_and_a_few_of_everybody() {
        let table = [
            ("/placements/n1/", true),
            ("/reports/n1/", true),
            ("/details/n1/", true),
            ("/placements/", false),
            ("/placements", false),
            ("/placements/n1", false),
            ("/reports/", false),
            ("/versions/", false),
            ("/", false),
            ("", false),
            ("/fingerprints/", false),
            ("/jobs/default/", false),
            ("/placements//", false),
            ("/placements/../", false),
            ("/epoch", false),
            ("/secrets/n1/", false),
        ];
        for (prefix, may) in table {
            assert_eq!(reads(&Prefix::under(prefix)).is_ok(), may, "{prefix}");
        }
        for key in [Key::epoch(), Key::version("default", "web", 1), Key::fingerprint("n1")] {
            assert_eq!(reads(&Prefix::one(&key)), Ok(()), "{key}");
        }
        for key in [Key::job("default", "web"), Key::leader("scheduler"), Key::link("n1")] {
            assert!(reads(&Prefix::one(&key)).is_err(), "{key}");
        }
    }

    #[test]
    fn a_transaction_is_about_one_node_that_is_there() {
        let view = fixture::read("node n1 · node n2");
        assert_eq!(verdict(&view, vec![], vec![fingerprint("n1", ""), report("n1")]), Ok(()));
        assert_eq!(verdict(&view, vec![], vec![fingerprint("new", "10.0.0.1:80")]), Ok(()));
        assert_eq!(verdict(&view, vec![], vec![Write::Delete { key: Key::report("n1", 0) }]), Ok(()));
        for writes in [
            vec![report("n1"), report("n2")],
            vec![report("new")],
            vec![Write::Delete { key: Key::fingerprint("n1") }],
            vec![Write::Delete { key: Key::link("n1") }],
            vec![Write::Put { key: Key::fingerprint("n1"), value: "garbage".into() }],
            vec![Write::Put { key: Key::health("n1"), value: "{}".into() }],
            vec![fingerprint("n1", "http://169.254.169.254/latest")],
            vec![fingerprint("n1", "169.254.169.254:80")],
        ] {
            assert!(verdict(&view, vec![], writes.clone()).is_err(), "{writes:?}");
        }
    }

    #[test]
    fn guards_are_about_the_same_node() {
        let view = fixture::read("node n1 · node n2");
        let own = Guard::Absent(Key::report("n1", 1));
        assert_eq!(verdict(&view, vec![own], vec![report("n1")]), Ok(()));
        let term = Guard::Term { leader: Key::leader("scheduler"), term: Revision(1) };
        let all = Guard::Unchanged { prefix: Prefix::all(), since: Revision(1) };
        for guard in
            [Guard::Absent(Key::report("n2", 1)), Guard::Absent(Key::job("default", "web")), term, all]
        {
            assert!(verdict(&view, vec![guard.clone()], vec![report("n1")]).is_err(), "{guard:?}");
        }
    }

    #[test]
    fn an_agent_of_an_older_version_keeps_the_address_it_had() {
        let mut view = fixture::read("node n1");
        let entry = |found: &Fingerprint| schemas::entry::Entry {
            key: Key::fingerprint("n1"),
            value: codec::encode(found),
            created: Revision(1),
            modified: Revision(9),
            version: 1,
        };
        let next = Revision(view.revision.0 + 1);
        view.apply(next, &[schemas::entry::Change::Put(entry(&found("http://n1:80")))]);
        assert_eq!(verdict(&view, vec![], vec![fingerprint("n1", "http://n1:80")]), Ok(()));
        assert!(verdict(&view, vec![], vec![fingerprint("n1", "http://n2:80")]).is_err());
    }

    #[test]
    fn a_node_has_some_more_details_than_placements_and_no_end_of_them() {
        let view = fixture::read("node n1");
        let details = |number: usize| {
            let key = Key::details("n1", "default", &format!("web.api.{number}-v0.0"));
            Write::put(key, &Details::default())
        };
        assert_eq!(verdict(&view, vec![], (0..MORE_DETAILS).map(details).collect()), Ok(()));
        assert!(verdict(&view, vec![], (0..=MORE_DETAILS).map(details).collect()).is_err());
    }
}
