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

use cache::Cache;
use store::{Store, Txn};

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
        // A view that does not show this term yet looks as if another server led.
        if stop.run_until_cancelled(cache.reached(term)).await.is_some() {
            serve(&cache, &seat, term, &stop, &work).await;
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
                    Ok(term) => return Some(term),
                    Err(error) => tracing::debug!(controller = seat.controller, "no leadership: {error}"),
                }
                stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await?;
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

/// Works until the work is over, the process is to stop or the term is lost.
async fn serve<F, W>(cache: &Cache, seat: &Seat, term: Revision, stop: &CancellationToken, work: &F)
where
    F: Fn(Guard, CancellationToken) -> W,
    W: Future<Output = ()>,
{
    let over = stop.child_token();
    let span = tracing::info_span!("lead", controller = seat.controller, %term);
    let working = work(Guard::Term { leader: seat.key(), term }, over.clone()).instrument(span);
    tokio::pin!(working);
    tokio::select! { biased;
        () = &mut working => {}
        () = superseded(cache, seat, term) => {
            tracing::warn!(controller = seat.controller, "another server leads now");
            over.cancel();
            working.await;
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
            // Nobody is named there, or nobody can be read: the term of whoever wrote it ends with it.
            return Standing::Vacant(view.as_seen(&seat.key()));
        };
        let vacant = Standing::Vacant(Guard::At(seat.key(), leader.modified));
        if leader.value.server == seat.server {
            // A former life of this server, which is over: names are unique.
            return vacant;
        }
        let beat = view.counters(&Key::beat(&leader.value.server)).map(|beat| beat.modified);
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

#[cfg(test)]
mod tests {
    use schemas::key::Prefix;

    use super::*;
    use clock::Clock;
    use store::Memory;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_before_it_sees_its_own_term_resigns() {
        let (store, cache) = (Memory::default(), Cache::new(Duration::from_secs(60), Clock::system()));
        let (follow, stop) = (CancellationToken::new(), CancellationToken::new());
        let (follower, followed, until) = (cache.clone(), store.clone(), follow.clone());
        let following = tokio::spawn(async move { follower.run(followed, until).await });
        cache.reached(Revision(1)).await;
        follow.cancel();
        following.await.unwrap();

        let seat = Seat { controller: "scheduler", server: "s1".to_owned() };
        let work = |_, _| async { panic!("a term that the view does not show is not served") };
        let mut leading = tokio::spawn(lead(store.clone(), cache, seat.clone(), stop.clone(), work));
        let leader = Prefix::one(&seat.key());
        while store.list(&leader).await.unwrap().entries.is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(tokio::time::timeout(PAUSE, &mut leading).await.is_err(), "it waits for the view");
        stop.cancel();
        tokio::time::timeout(PAUSE, leading).await.expect("it ends").unwrap();
        assert!(store.list(&leader).await.unwrap().entries.is_empty(), "the next server need not wait");
    }
}
