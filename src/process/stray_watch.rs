//! Tells operators of this process what no document speaks for: allocations without a placement, and nodes that
//! follow another store.

use plan::View;
use schemas::key::Key;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use cache::Cache;

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Strays {
    orphans: usize,
    abroad: usize,
}

/// Follows the view until told to stop.
pub(super) async fn watch_strays(cache: Cache, stop: CancellationToken) {
    let mut changes = cache.subscribe();
    let mut known = Strays::default();
    let mut concerns = Concerns { orphans: true, abroad: true };
    loop {
        let strays = count(&cache.view(), known, concerns);
        if strays != known {
            tell(known, strays);
            known = strays;
        }
        concerns = tokio::select! { biased;
            () = stop.cancelled() => return,
            next = changes.recv() => match next {
                Ok(pulse) => pulse.keys().fold(Concerns::default(), Concerns::and),
                Err(RecvError::Lagged(_)) => Concerns { orphans: true, abroad: true },
                Err(RecvError::Closed) => return,
            },
        };
    }
}

/// What has to be counted again.
#[derive(Clone, Copy, Debug, Default)]
struct Concerns {
    orphans: bool,
    abroad: bool,
}

impl Concerns {
    fn and(self, changed: &Key) -> Concerns {
        let kind = changed.kind();
        Concerns {
            orphans: self.orphans || matches!(kind, "reports" | "placements" | "tombstones"),
            abroad: self.abroad || matches!(kind, "fingerprints" | "epoch"),
        }
    }
}

fn count(view: &View, known: Strays, concerns: Concerns) -> Strays {
    let is_abroad = |node: &&schemas::node::Fingerprint| !view.is_followed_by(node);
    let abroad = || view.fingerprints.iter().map(|(_, row)| &row.value).filter(is_abroad).count();
    Strays {
        orphans: if concerns.orphans { view.indexes.orphans().count() } else { known.orphans },
        abroad: if concerns.abroad { abroad() } else { known.abroad },
    }
}

fn tell(old: Strays, new: Strays) {
    telemetry::ORPHANS.set(i64::try_from(new.orphans).unwrap_or(i64::MAX));
    telemetry::NODES_ABROAD.set(i64::try_from(new.abroad).unwrap_or(i64::MAX));
    if new.abroad > old.abroad {
        let nodes = new.abroad;
        tracing::warn!(
            nodes,
            "nodes follow another store and take nothing from this one: encamp operator store status"
        );
    }
    if new.orphans > old.orphans {
        tracing::warn!(orphans = new.orphans, "allocations run without a placement; they go on");
    }
}

#[cfg(test)]
mod tests {
    use plan::fixture;

    use super::*;

    #[test]
    fn what_no_document_speaks_for_is_counted() {
        let all = Concerns { orphans: true, abroad: true };
        let counted = |picture: &str| {
            let Strays { orphans, abroad } = count(&fixture::read(picture), Strays::default(), all);
            (orphans, abroad)
        };
        let runs = "epoch b · node n1 follows=b · job web · place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running";
        assert_eq!(counted(runs), (0, 0));
        assert_eq!(counted(&format!("{runs} · lose web.api.0-v1.0")), (1, 0));
        assert_eq!(counted(&format!("{runs} · node n2 follows=a")), (0, 1));
        assert_eq!(counted(&format!("{runs} · node n2 follows=a · epoch b a@+1")), (0, 0));
    }
}
