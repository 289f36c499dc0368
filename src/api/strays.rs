//! Collects what nobody owns any more: links and ended reports of nodes that are not there.
//!
//! Links are the servers', so each server collects those that name it, or a server that is gone. Reports are their
//! agent's; where nothing speaks for a node no agent is left, and a report in which something runs speaks for it. A
//! key goes only if it was a stray one look ago as well, and only as it was seen. (Health goes with the link, by the
//! heartbeat controller; details of allocations that ended are their agent's to collect.)

use std::collections::BTreeMap;
use std::time::Duration;

use plan::view::View;
use plan::{Guard, Write};
use schemas::key::{Key, Revision};
use tokio_util::sync::CancellationToken;

use cache::Cache;
use store::{CommitError, Store, Txn};

/// How often strays are looked for. They cost a little room and nothing else.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How many go at one look: what piled up is taken away without a burst.
const AT_ONCE: usize = 256;

/// Collects for the server of that name until told to stop.
pub async fn collect<S: Store>(store: S, cache: Cache, server: String, stop: CancellationToken) {
    let mut seen = BTreeMap::new();
    loop {
        tokio::select! { biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let found = strays(&cache.view(), &server);
        for (key, at) in found.iter().filter(|(key, at)| seen.get(*key) == Some(*at)).take(AT_ONCE) {
            let node = Key::fingerprint(key.segment(1));
            let guards = vec![Guard::At(key.clone(), *at), Guard::Absent(node)];
            let txn = Txn { guards, writes: vec![Write::Delete { key: key.clone() }] };
            match store.commit(txn).await {
                Ok(_) => tracing::info!(%key, "collected: there is no such node"),
                // It is no stray any more, or another server was faster.
                Err(CommitError::Conflict) => {}
                Err(error) => tracing::debug!(%key, "a stray stays for now: {error}"),
            }
        }
        seen = found;
    }
}

/// What speaks for nobody, and when it was written.
fn strays(view: &View, server: &str) -> BTreeMap<Key, Revision> {
    let is_ours = |name: &str| name == server || view.beats.get(&Key::beat(name)).is_none();
    let links = view.links.iter().filter(|(_, link)| is_ours(&link.value.server));
    let links = links.map(|(key, link)| (key, link.modified));
    let reports = view.reports.iter().map(|(key, report)| (key, report.modified));
    let strays = links.chain(reports).filter(|(key, _)| !view.speaks_for(key.segment(1)));
    strays.map(|(key, at)| (key.clone(), at)).collect()
}

#[cfg(test)]
mod tests {
    use plan::fixture;
    use schemas::key::Prefix;
    use schemas::node::{Fingerprint, Link};
    use schemas::report::{AllocationReport, ClientState, Report};

    use super::*;
    use clock::Clock;
    use store::Memory;

    #[test]
    fn only_what_speaks_for_nobody_is_a_stray() {
        let strays = |picture: &str| {
            let found = strays(&fixture::read(picture), "s1");
            found.keys().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(strays("link n1 s1 broken"), "/links/n1");
        assert_eq!(strays("link n1 s2 broken"), "/links/n1", "its server is gone");
        assert_eq!(strays("link n1 s2 broken · beat s2 1"), "", "another server's");
        assert_eq!(strays("link n1 s1"), "", "it is heard");
        assert_eq!(strays("node n1 · link n1 s1 broken"), "", "it is there and silent");
        assert_eq!(strays("link n1 s1 broken · place web.api.0-v1.0 on n1"), "", "it lost its fingerprint");
    }

    /// What is left after three looks.
    async fn left(writes: Vec<Write>) -> String {
        let (store, stop) = (Memory::default(), CancellationToken::new());
        let cache = Cache::new(Duration::from_secs(600), Clock::system());
        store.commit(Txn { guards: vec![], writes }).await.unwrap();
        tokio::spawn({
            let (cache, store, stop) = (cache.clone(), store.clone(), stop.clone());
            async move { cache.run(store, stop).await }
        });
        tokio::spawn(collect(store.clone(), cache, "s1".to_owned(), stop.clone()));
        tokio::time::sleep(LOOK_EVERY * 3).await;
        stop.cancel();
        let entries = store.list(&Prefix::all()).await.unwrap().entries;
        entries.iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[tokio::test(start_paused = true)]
    async fn strays_are_collected_and_a_node_that_lost_its_fingerprint_keeps_its_documents() {
        let link =
            |node: &str| Write::put(Key::link(node), &Link { server: "s1".to_owned(), ..Link::default() });
        let report = |node: &str, state: ClientState| {
            let report = AllocationReport { state, ..AllocationReport::default() };
            let allocations = [("default/web.api.0-v0.0".to_owned(), report)].into();
            Write::put(Key::report(node, 0), &Report { allocations })
        };
        let gone = vec![link("gone"), report("gone", ClientState::Complete)];
        assert_eq!(left(gone).await, "");
        let lost = vec![link("lost"), report("lost", ClientState::Running)];
        assert_eq!(left(lost).await, "/links/lost /reports/lost/0");
        let silent = vec![link("n1"), Write::put(Key::fingerprint("n1"), &Fingerprint::default())];
        assert_eq!(left(silent).await, "/fingerprints/n1 /links/n1");
    }
}
