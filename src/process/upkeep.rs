//! What a store needs done for it while servers run: only etcd needs any.
//!
//! One server, the leader of this seat, lets etcd forget. Making room is not a leader's work: in an etcd that is
//! full nobody can become one.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::server::ServerSettings;
use cache::Cache;
use control::{Seat, lead};
use store::AnyStore;

/// The seat of the one that compacts.
const SEAT: &str = "compaction";

/// Starts what the store needs; it ends with the token.
pub(super) fn keep_up(
    store: &AnyStore,
    cache: &Cache,
    settings: &ServerSettings,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    // The other stores forget by themselves.
    let AnyStore::Etcd(etcd) = store else { return };
    let etcd = etcd.clone();
    let (full, stopped) = (etcd.clone(), stop.clone());
    tasks.spawn(async move { full.make_room(stopped).await });
    let Some(keep) = settings.history else { return };
    let seat = Seat { controller: SEAT, server: settings.name.clone() };
    let work = move |_term, stop| {
        let etcd = etcd.clone();
        async move { etcd.forget(keep, stop).await }
    };
    tasks.spawn(lead(store.clone(), cache.clone(), seat, stop.clone(), work));
}
