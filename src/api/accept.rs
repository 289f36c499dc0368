//! Answers connections: as many as are allowed, none for ever before it has said what it wants.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::hand_over;
use crate::http_client;

/// How many connections are open at once: each node holds two, people a few.
const CONNECTIONS: usize = 16_384;
/// How long a connection may stay silent before its first byte. Nomad's value.
const FIRST_BYTE: Duration = Duration::from_secs(5);
/// How long the headers of a request may take, and with them how long a connection rests between two requests.
const HEADERS: Duration = Duration::from_secs(10);
const _: () = assert!(http_client::REST.as_secs() < HEADERS.as_secs(), "our clients let go first");
/// How long requests under way may take once the server stops. Watches end at once.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long to wait after an accept failed, most likely for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers every connection with the router until stopped; then lets the requests under way end. What takes time is
/// done by the main runtime, wherever this runs.
pub async fn serve(listener: TcpListener, (router, main): (Router, Handle), stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let permit = tokio::select! { biased;
            () = stop.cancelled() => break,
            permit = room.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
        };
        tokio::select! { biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    open.spawn(answer(stream, (router.clone(), main.clone()), stop.clone(), permit));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
        while open.try_join_next().is_some() {}
    }
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, all).await.is_err() {
        tracing::warn!("connections were cut: their requests took too long");
    }
}

async fn answer(
    stream: TcpStream,
    (router, main): (Router, Handle),
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
) {
    // A watch line is small and must not wait for the next one. Failing costs latency only.
    drop(stream.set_nodelay(true));
    // The version of HTTP is told from the first bytes, for which hyper waits without end.
    let mut first = [0_u8; 1];
    if tokio::time::timeout(FIRST_BYTE, stream.peek(&mut first)).await.is_err() {
        return;
    }
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(HEADERS)).max_concurrent_streams(256);
    let service = service_fn(move |request| {
        let answering = hand_over::answer(router.clone(), main.clone(), request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! { biased;
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended badly");
    }
}
