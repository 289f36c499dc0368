//! Bodies on their way in: each within a time and at a pace, all together within a number of bytes.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// What every body has, whatever its size.
const GRACE: Duration = Duration::from_secs(10);
/// The pace at which more must come: a telephone sends faster.
const BYTES_PER_SECOND: u64 = 16 * 1024;
/// However much it is: six megabytes, the largest transaction, at a tenth of a megabyte a second.
const LONGEST: Duration = Duration::from_secs(60);
/// Bytes that were sent by requests under way. Parsed they take some times as many.
const BYTES: usize = 32 * 1024 * 1024;

/// Why a body was not taken.
const SLOW: u8 = 1;
const CROWDED: u8 = 2;

/// The room for what is sent.
#[derive(Clone)]
pub(super) struct Inlet(Arc<Semaphore>);

impl Inlet {
    pub(super) fn new() -> Inlet {
        Inlet(Arc::new(Semaphore::new(BYTES)))
    }
}

/// What one request holds of the room until it is answered.
#[derive(Default)]
struct Held {
    room: Mutex<Option<OwnedSemaphorePermit>>,
    refused: AtomicU8,
}

/// Lets a request pass whose body comes in time.
pub(super) async fn pace(State(inlet): State<Inlet>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let held = Arc::new(Held::default());
    let pace = |body| {
        let began = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until(began + GRACE));
        Body::new(Paced { body, began, received: 0, timer, inlet, held: held.clone() })
    };
    let response = next.run(request.map(pace)).await;
    match held.refused.load(Ordering::Relaxed) {
        SLOW => refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        CROWDED => refuse(StatusCode::SERVICE_UNAVAILABLE, "too much is being sent at once; try again"),
        _ => response,
    }
}

fn refuse(status: StatusCode, why: &'static str) -> Response {
    (status, [(header::RETRY_AFTER, "1"), (header::CONNECTION, "close")], why).into_response()
}

/// A body and its clock.
struct Paced {
    body: Body,
    began: Instant,
    received: u64,
    timer: Pin<Box<Sleep>>,
    inlet: Inlet,
    held: Arc<Held>,
}

/// The body was not taken to its end.
#[derive(Debug)]
struct Refused(u8);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == SLOW { "it did not come in time" } else { "too much is being sent at once" })
    }
}

impl std::error::Error for Refused {}

impl Paced {
    fn refuse(&self, why: u8) -> Refused {
        self.held.refused.store(why, Ordering::Relaxed);
        Refused(why)
    }

    /// Until when the next bytes must be here.
    fn deadline(&self) -> Instant {
        let earned = Duration::from_secs(self.received / BYTES_PER_SECOND);
        self.began + (GRACE + earned).min(LONGEST)
    }

    fn take(&mut self, bytes: &Bytes) -> Result<(), Refused> {
        self.received += bytes.len() as u64;
        let deadline = self.deadline();
        self.timer.as_mut().reset(deadline);
        let number = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let Ok(more) = self.inlet.0.clone().try_acquire_many_owned(number) else {
            return Err(self.refuse(CROWDED));
        };
        let mut room = self.held.room.lock().expect("nothing panics while it holds the lock");
        match room.as_mut() {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
        Ok(())
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let taken = frame.data_ref().map_or(Ok(()), |bytes| this.take(bytes));
                Poll::Ready(Some(taken.map(|()| frame).map_err(axum::Error::new)))
            }
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending if this.timer.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Some(Err(axum::Error::new(this.refuse(SLOW)))))
            }
            Poll::Pending => Poll::Pending,
        }
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
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use tower::ServiceExt as _;

    use super::*;

    /// The status after pieces of so many bytes, so far apart.
    async fn send(inlet: &Inlet, pieces: usize, bytes: usize, apart: Duration) -> u16 {
        let router = Router::new()
            .route("/", post(|body: Bytes| async move { body.len().to_string() }))
            .layer(from_fn_with_state(inlet.clone(), pace))
            .layer(axum::extract::DefaultBodyLimit::disable());
        let body = async_stream::stream! {
            for _ in 0..pieces {
                tokio::time::sleep(apart).await;
                yield Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; bytes]));
            }
        };
        let request = Request::post("/").body(Body::from_stream(body)).unwrap();
        router.oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_at_a_pace_or_not_at_all() {
        let (inlet, second) = (Inlet::new(), Duration::from_secs(1));
        assert_eq!(send(&inlet, 9, 10, second).await, 200, "small ones have some seconds");
        assert_eq!(send(&inlet, 40, 20_000, second).await, 200, "it is fast enough");
        let began = Instant::now();
        assert_eq!(send(&inlet, 1_000, 10, second).await, 408);
        assert!(began.elapsed() < GRACE + second);
        let began = Instant::now();
        assert_eq!(send(&inlet, 1_000, 20_000, second).await, 408, "nothing lasts for ever");
        assert!(began.elapsed() < LONGEST + second);
    }

    #[tokio::test(start_paused = true)]
    async fn all_bodies_together_have_a_limit_and_leave_no_trace() {
        let inlet = Inlet::new();
        let others = inlet.0.clone().try_acquire_many_owned(u32::try_from(BYTES - 100).unwrap()).unwrap();
        assert_eq!(send(&inlet, 1, 100, Duration::ZERO).await, 200);
        assert_eq!(send(&inlet, 2, 51, Duration::ZERO).await, 503);
        assert_eq!(inlet.0.available_permits(), 100);
        drop(others);
    }
}
