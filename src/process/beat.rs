//! A server's own sign of life: the only thing an idle cluster writes.

use std::time::Duration;

use plan::Write;
use schemas::key::Key;
use schemas::node::Beat;
use tokio_util::sync::CancellationToken;

use super::control_plane::Identity;
use api::lifeline::Hearing;
use store::{Store, Txn};

/// How often a server beats.
const EVERY: Duration = Duration::from_secs(1);

/// Beats until told to stop, then removes the beat: a server that left is not one that died.
pub(super) async fn beat<S: Store>(hearing: Hearing<S>, store: S, who: Identity, stop: CancellationToken) {
    let Identity { name, address } = who;
    let key = Key::beat(&name);
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for count in 1.. {
        tokio::select! { biased;
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let beat = Write::put(key.clone(), &Beat { count, address: address.clone(), late: hearing.late() });
        match store.commit(Txn { guards: vec![], writes: vec![beat] }).await {
            Ok(_) => hearing.reached_store(),
            Err(error) => tracing::warn!("this server's beat was not written: {error}"),
        }
    }
    let gone = Txn { guards: vec![], writes: vec![Write::Delete { key }] };
    if let Err(error) = store.commit(gone).await {
        tracing::debug!("this server's beat was not removed: {error}");
    }
}
