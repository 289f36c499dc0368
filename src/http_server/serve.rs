//! Answers connections: as many as are allowed, none for ever before it has said what it wants.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::connection::Connection;
use super::crowd::Crowd;
use super::greeting::{Protocol, greet};
use super::inlet::{self, Inlet};
use super::limits::Limits;
use super::socket::Socket;

/// How long a connection may take to say which HTTP it speaks. Nomad's value for the first byte.
const GREETING: Duration = Duration::from_secs(5);
/// How long the headers of a request may take, and with them how long a connection rests between two requests.
const HEADERS: Duration = Duration::from_secs(10);
const _: () = assert!(http_client::REST.as_secs() < HEADERS.as_secs(), "our clients let go first");
/// The most bytes of headers: kubectl sends less than one kilobyte.
const HEADER_BYTES: usize = 64 * 1024;
/// How many requests of one HTTP/2 connection are answered at once, watches among them.
const STREAMS: u32 = 64;
/// What one stream, and what all streams of a connection may send ahead of being read.
const WINDOW: (u32, u32) = (256 * 1024, 1024 * 1024);
/// How many streams a peer may reset before they were taken up. What more than resets them is an attack.
const RESETS: usize = 32;
/// How long requests under way may take once the server stops. Watches end at once.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long to wait after an accept failed, most likely for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// Connections above the limits: the youngest ones are heard for a moment, in case they ask for the health.
const RESERVE: (usize, Duration) = (32, Duration::from_secs(2));

/// Answers every connection with the router until stopped; then lets the requests under way end.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let router = router.layer(from_fn_with_state(Inlet::new(), inlet::pace));
    let narrow = router.clone().layer(from_fn_with_state(limits.always, only_health));
    let crowd = Crowd::new(limits);
    let (mut open, mut reserve) = (JoinSet::new(), VecDeque::<AbortHandle>::new());
    loop {
        let accepted = tokio::select! { biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let stop = stop.clone();
                if let Some(seat) = crowd.admit(peer.ip()) {
                    let answering = answer(stream, peer, router.clone(), stop);
                    open.spawn(async move {
                        answering.await;
                        drop(seat);
                    });
                } else {
                    let answering = answer(stream, peer, narrow.clone(), stop);
                    let brief = async { drop(tokio::time::timeout(RESERVE.1, answering).await) };
                    reserve.push_back(open.spawn(brief));
                    if reserve.len() > RESERVE.0
                        && let Some(oldest) = reserve.pop_front()
                    {
                        oldest.abort();
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while open.try_join_next().is_some() {}
    }
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, all).await.is_err() {
        tracing::warn!("connections were cut: their requests took too long");
    }
}

/// What a connection above the limits may ask.
async fn only_health(
    State(always): State<&'static [&'static str]>,
    request: Request,
    next: Next,
) -> Response {
    if always.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let headers = [(header::CONNECTION, "close"), (header::RETRY_AFTER, "1")];
    (StatusCode::TOO_MANY_REQUESTS, headers, "too many connections are open").into_response()
}

async fn answer(mut stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    // A watch line is small and must not wait for the next one. Failing costs latency only.
    drop(stream.set_nodelay(true));
    let greeting = stop.run_until_cancelled(tokio::time::timeout(GREETING, greet(&mut stream))).await;
    let Some(Ok(Ok((protocol, head)))) = greeting else { return };
    let connection = Connection::new(peer);
    let debts = connection.debts.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.into_response()) }
    });
    let builder = builder(protocol);
    let serving = builder.serve_connection(TokioIo::new(Socket::new(stream, head)), service);
    tokio::pin!(serving);
    let ended = tokio::select! { biased;
        ended = serving.as_mut() => ended,
        () = debts.overdue() => {
            tracing::debug!(%peer, "a connection was cut: it does not read what it asked for");
            return;
        }
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended badly");
    }
}

fn builder(protocol: Protocol) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEADERS))
        .keep_alive_timeout(HEADERS)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOW.0)
        .initial_connection_window_size(WINDOW.1)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}
