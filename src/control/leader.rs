//! Which process runs a controller.
//!
//! Leadership is thrift plus a fence: it saves work, and every write carries `Guard::Term`, so safety never
//! rests on it. A leader is alive as long as its server's beat changes, measured by the follower's own
//! monotonic clock; clocks of different machines are never compared. There are no renewals.

use std::future::Future;
use std::time::Duration;

use plan::{Guard, Write};
use schemas::key::{Key, Revision};
use schemas::leader::Leader;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::cache::Cache;
use crate::store::{Store, Txn};

/// A server silent for this long leads no more: five missed beats.
const SILENCE: Duration = Duration::from_secs(5);
/// How long to wait after a refused or lost take-over.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs `work` whenever `server` leads `controller`, until told to stop; then gives the leadership back.
pub async fn lead<S, F, W>(store: S, cache: Cache, seat: Seat, stop: CancellationToken, work: F)
where
    S: Store,
    F: Fn(Guard, CancellationToken) -> W,
    W: Future<Output = ()>,
{
    let mut watcher = Watcher::default();
    while !stop.is_cancelled() {
        let Some(term) = campaign(&store, &cache, &seat, &mut watcher, &stop).await else { return };
        tracing::info!(controller = seat.controller, %term, "leading");
        let over = stop.child_token();
        let guard = Guard::Term { leader: seat.key(), term };
        {
            let span = tracing::info_span!("lead", controller = seat.controller, %term);
            let working = work(guard, over.clone()).instrument(span);
            tokio::pin!(working);
            tokio::select! { biased;
                () = &mut working => {}
                () = superseded(&cache, &seat, term) => {
                    tracing::warn!(controller = seat.controller, "another server leads now");
                    over.cancel();
                    working.await;
                }
            }
        }
        if stop.is_cancelled() {
            resign(&store, &seat, term).await;
        }
    }
}

/// What is led, and by whom.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The controller.
    pub controller: &'static str,
    /// This server.
    pub server: String,
}

impl Seat {
    fn key(&self) -> Key {
        Key::leader(self.controller)
    }
}

/// Waits until leadership can be taken, and takes it.
async fn campaign<S: Store>(
    store: &S,
    cache: &Cache,
    seat: &Seat,
    watcher: &mut Watcher,
    stop: &CancellationToken,
) -> Option<Revision> {
    let mut changes = cache.subscribe();
    loop {
        match watcher.look(cache, seat, Instant::now()) {
            Standing::Vacant(guard) => {
                let write = Write::put(seat.key(), &Leader { server: seat.server.clone() });
                let txn = Txn { guards: vec![guard], writes: vec![write] };
                match store.commit(txn).await {
                    Ok(term) => {
                        cache.reached(term).await;
                        return Some(term);
                    }
                    Err(error) => tracing::debug!(controller = seat.controller, "no leadership: {error}"),
                }
                if pause(stop, PAUSE).await {
                    return None;
                }
            }
            Standing::Taken { look_again } => {
                tokio::select! { biased;
                    () = stop.cancelled() => return None,
                    // Lagging behind is as good as a change: look again.
                    _ = changes.recv() => {}
                    () = tokio::time::sleep_until(look_again) => {}
                }
            }
        }
    }
}

enum Standing {
    /// Nobody leads, or nobody alive: take it if the guard still holds.
    Vacant(Guard),
    /// Somebody leads; if no beat of it is heard until then, it is gone.
    Taken { look_again: Instant },
}

/// Remembers since when the leader's beat has not changed.
#[derive(Default)]
struct Watcher {
    last: Option<(String, Revision, Instant)>,
}

impl Watcher {
    fn look(&mut self, cache: &Cache, seat: &Seat, now: Instant) -> Standing {
        let view = cache.view();
        if view.revision == Revision::default() {
            return Standing::Taken { look_again: now + PAUSE };
        }
        let Some(leader) = view.leaders.stored(&seat.key()) else {
            return Standing::Vacant(Guard::Absent(seat.key()));
        };
        let vacant = Standing::Vacant(Guard::At(seat.key(), leader.modified));
        if leader.value.server == seat.server {
            // A former life of this server, which is over: names are unique.
            return vacant;
        }
        let beat = view.beats.stored(&Key::beat(&leader.value.server)).map(|beat| beat.modified);
        let beat = beat.unwrap_or_default();
        let since = match &self.last {
            Some((server, seen, since)) if *server == leader.value.server && *seen == beat => *since,
            Some(_) | None => {
                self.last = Some((leader.value.server.clone(), beat, now));
                now
            }
        };
        let until = since + SILENCE;
        if now >= until { vacant } else { Standing::Taken { look_again: until } }
    }
}

/// Waits until the leader document is no longer the one of this term.
async fn superseded(cache: &Cache, seat: &Seat, term: Revision) {
    let mut changes = cache.subscribe();
    loop {
        let at = cache.view().leaders.stored(&seat.key()).map(|leader| leader.modified);
        if at != Some(term) {
            return;
        }
        drop(changes.recv().await);
    }
}

/// Lets the next server take over at once.
async fn resign<S: Store>(store: &S, seat: &Seat, term: Revision) {
    let guards = vec![Guard::Term { leader: seat.key(), term }];
    let writes = vec![Write::Delete { key: seat.key() }];
    if let Err(error) = store.commit(Txn { guards, writes }).await {
        tracing::debug!(controller = seat.controller, "could not resign: {error}");
    }
}

async fn pause(stop: &CancellationToken, time: Duration) -> bool {
    tokio::select! { biased;
        () = stop.cancelled() => true,
        () = tokio::time::sleep(time) => false,
    }
}
