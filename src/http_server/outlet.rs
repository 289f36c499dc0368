//! Answers on their way out: large ones are made a few at a time, and only while there is room for what readers
//! have not read yet.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{Notify, Semaphore};

use super::connection::Connection;
use super::crowd;
use super::debts::Debt;

/// Bytes that may wait to be read; the answer that goes over it is the last. One address has half of it.
const BYTES: usize = 48 * 1024 * 1024;
/// Smaller pieces are not counted: a socket's own buffers hold more.
const SMALL: usize = 64 * 1024;
/// How long to wait for room.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bounds the answers of these routes together; so many are made at once.
pub fn bounded<S: Clone + Send + Sync + 'static>(router: Router<S>, at_once: usize) -> Router<S> {
    router.route_layer(from_fn_with_state(Outlet::new(BYTES, at_once), answer))
}

/// The room for answers.
#[derive(Clone)]
struct Outlet(Arc<Room>);

struct Room {
    limit: usize,
    turns: Semaphore,
    loads: Mutex<Loads>,
    freed: Notify,
}

#[derive(Default)]
struct Loads {
    all: usize,
    by_origin: BTreeMap<IpAddr, usize>,
}

async fn answer(State(outlet): State<Outlet>, request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<Connection>().cloned();
    let origin = connection
        .as_ref()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |connection| crowd::origin(connection.peer().ip()));
    let Ok(turn) = tokio::time::timeout(PATIENCE, outlet.turn(origin)).await else {
        return too_many();
    };
    let response = next.run(request).await;
    drop(turn);
    let reader = Reader { outlet, origin, connection };
    response.map(|body| {
        let load = body.size_hint().exact().and_then(|bytes| reader.load(bytes));
        Body::new(Counted { body, load, reader })
    })
}

fn too_many() -> Response {
    let message = "too many large answers wait to be read; try again";
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": "TooManyRequests", "code": 429, "details": {"retryAfterSeconds": 1},
    });
    let json = [(header::CONTENT_TYPE, "application/json"), (header::RETRY_AFTER, "1")];
    (StatusCode::TOO_MANY_REQUESTS, json, status.to_string()).into_response()
}

impl Outlet {
    fn new(limit: usize, at_once: usize) -> Outlet {
        let turns = Semaphore::new(at_once);
        Outlet(Arc::new(Room { limit, turns, loads: Mutex::default(), freed: Notify::new() }))
    }

    /// Waits for room and for a turn.
    async fn turn(&self, origin: IpAddr) -> impl Drop {
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            // From here on no notice is missed.
            freed.as_mut().enable();
            if self.has_room(origin) {
                let turn = self.0.turns.acquire().await.expect("the semaphore is never closed");
                if self.has_room(origin) {
                    return turn;
                }
            }
            freed.await;
        }
    }

    fn has_room(&self, origin: IpAddr) -> bool {
        let loads = self.loads();
        let own = loads.by_origin.get(&origin).copied().unwrap_or_default();
        loads.all < self.0.limit && own < self.0.limit / 2
    }

    fn loads(&self) -> MutexGuard<'_, Loads> {
        self.0.loads.lock().expect("nothing panics while it holds the lock")
    }
}

/// Who reads an answer.
struct Reader {
    outlet: Outlet,
    origin: IpAddr,
    connection: Option<Connection>,
}

impl Reader {
    /// So many bytes wait for it from now on; few are not counted.
    fn load(&self, bytes: u64) -> Option<Load> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes < SMALL {
            return None;
        }
        let debt = self.connection.as_ref().map(|connection| connection.debts.owe(bytes));
        let mut loads = self.outlet.loads();
        loads.all += bytes;
        *loads.by_origin.entry(self.origin).or_default() += bytes;
        drop(loads);
        Some(Load { outlet: self.outlet.clone(), origin: self.origin, bytes, _debt: debt })
    }
}

/// Bytes that wait to be read, until this is dropped.
struct Load {
    outlet: Outlet,
    origin: IpAddr,
    bytes: usize,
    _debt: Option<Debt>,
}

impl Drop for Load {
    fn drop(&mut self) {
        let mut loads = self.outlet.loads();
        loads.all -= self.bytes;
        if let Some(own) = loads.by_origin.get_mut(&self.origin) {
            *own -= self.bytes;
            if *own == 0 {
                loads.by_origin.remove(&self.origin);
            }
        }
        drop(loads);
        self.outlet.0.freed.notify_waiters();
    }
}

/// A body whose bytes are counted until the last of them is written.
struct Counted {
    body: Body,
    /// Of the whole body, where its size is known: it goes with the first piece, which is all of it.
    load: Option<Load>,
    reader: Reader,
}

/// Bytes and their load: whoever holds the one holds the other.
struct Loaded {
    bytes: Bytes,
    _load: Load,
}

impl AsRef<[u8]> for Loaded {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)) else { return Poll::Ready(None) };
        let counted = frame.map(|frame| {
            frame.map_data(|bytes| {
                let load = this.load.take().or_else(|| this.reader.load(bytes.len() as u64));
                load.map_or(bytes.clone(), |load| Bytes::from_owner(Loaded { bytes, _load: load }))
            })
        });
        Poll::Ready(Some(counted))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    const MEGABYTE: usize = 1024 * 1024;

    fn router(outlet: &Outlet) -> Router {
        let large = || async { vec![b'x'; MEGABYTE] };
        let routes = Router::new().route("/large", get(large)).route("/small", get(|| async { "small" }));
        routes.route_layer(from_fn_with_state(outlet.clone(), answer))
    }

    async fn ask(router: &Router, path: &str, from: &str) -> Response {
        let connection = Connection::new(format!("{from}:9").parse().unwrap());
        let request = Request::get(path).extension(connection).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_reads_is_made_for_a_few_and_then_for_nobody() {
        let outlet = Outlet::new(4 * MEGABYTE, 1);
        let router = router(&outlet);
        let (one, other) = ("10.0.0.1", "10.0.0.2");
        let mut waiting = vec![ask(&router, "/large", one).await, ask(&router, "/large", one).await];
        assert_eq!(ask(&router, "/large", one).await.status(), 429, "half of the room is one address's");
        waiting.push(ask(&router, "/large", other).await);
        assert!(waiting.iter().all(|answer| answer.status() == 200));
        let read = waiting.pop().unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(read.len(), MEGABYTE);
        assert_eq!(outlet.loads().all, 3 * MEGABYTE, "it is held until the bytes are let go");
        drop(read);
        drop(waiting);
        {
            let loads = outlet.loads();
            assert!(loads.all == 0 && loads.by_origin.is_empty(), "nothing is kept");
        }
        assert_eq!(ask(&router, "/large", one).await.status(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_room_gets_it() {
        let outlet = Outlet::new(2 * MEGABYTE, 1);
        let router = router(&outlet);
        let held = ask(&router, "/large", "10.0.0.1").await;
        let next = tokio::spawn(async move { ask(&router, "/large", "10.0.0.1").await.status() });
        tokio::time::sleep(PATIENCE / 2).await;
        assert!(!next.is_finished());
        drop(held);
        assert_eq!(next.await.unwrap(), 200);
    }
}
