//! Opens the store, however long that takes, and answers meanwhile.
//!
//! An etcd without a leader, or one that is not started yet, is no reason to give up: machines start in any order.
//! What only a person can mend ends the process.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::StartError;
use http_server::{self, Limits};
use store::{self, AnyStore, OpenError};

/// The first and the longest pause between attempts.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// How many attempts pass before the same words are logged again.
const REPEAT: u32 = 12;

/// Opens the store at an address. Nothing if told to stop before it was there.
pub(super) async fn open(
    (address, options): (&str, &store::Options),
    lane: &Handle,
    listener: &TcpListener,
    stop: &CancellationToken,
) -> Result<Option<AnyStore>, StartError> {
    let (why, told) = watch::channel("its store is not open yet".to_owned());
    let opened = stop.child_token();
    let limits = Limits::of_server(None);
    let face = http_server::serve(second(listener)?, api::waiting(told), limits, opened.clone());
    let face = tokio::spawn(face);
    let outcome = stop.run_until_cancelled(until_open((address, options), lane, &why)).await;
    opened.cancel();
    face.await.map_err(|error| StartError::failed(format!("a part of the server failed: {error}")))?;
    outcome.transpose()
}

async fn until_open(
    (address, options): (&str, &store::Options),
    lane: &Handle,
    why: &watch::Sender<String>,
) -> Result<AnyStore, StartError> {
    let mut pause = PAUSE.0;
    for attempt in 0_u32.. {
        let (to, with) = (address.to_owned(), options.clone());
        let opening = lane.spawn(async move { store::open(&to, &with).await }).await;
        let error = match opening.map_err(|error| StartError::failed(error.to_string()))? {
            Ok(store) => return Ok(store),
            Err(error @ OpenError::Away { .. }) => error.to_string(),
            Err(error) => return Err(StartError::failed(error.to_string())),
        };
        if attempt % REPEAT == 0 || *why.borrow() != error {
            tracing::warn!("waiting for the store: {error}");
        }
        why.send_replace(error);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
    unreachable!("attempts do not end before the store is open")
}

/// Another handle on the same socket.
fn second(listener: &TcpListener) -> Result<TcpListener, StartError> {
    use std::os::fd::AsFd as _;
    let socket = listener.as_fd().try_clone_to_owned().map(std::net::TcpListener::from);
    // What one handle does not block on, the other does not either.
    socket.and_then(TcpListener::from_std).map_err(|error| StartError::failed(error.to_string()))
}
