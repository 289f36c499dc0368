//! What the agent answers to servers: the logs of its tasks. They never leave the node in another way.

use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::alloc_dir::AllocDir;
use super::logs::{LogChanges, LogFiles, LogReader, Origin, Stream};

/// How far back the beginning of the last lines is looked for.
const TAIL_BYTES: u64 = 16 * 1024 * 1024;

/// Answers until told to stop.
pub async fn serve(
    listener: TcpListener,
    allocations: PathBuf,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let routes =
        Router::new().route("/v1/logs/{namespace}/{allocation}/{task}", get(logs)).with_state(allocations);
    axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Which part of a log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// `stdout` (default) or `stderr`.
    #[serde(rename = "type")]
    stream: String,
    /// Whether what is written later is sent as well.
    follow: bool,
    /// How many bytes from the origin on.
    offset: u64,
    /// `start` (default) or `end`.
    origin: String,
    /// Only the last lines, as many as this.
    tail: Option<u64>,
}

async fn logs(
    State(root): State<PathBuf>,
    Path((namespace, allocation, task)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let stream = match wanted.stream.as_str() {
        "" | "stdout" => Stream::Stdout,
        "stderr" => Stream::Stderr,
        _ => return (StatusCode::BAD_REQUEST, "type: expected stdout or stderr").into_response(),
    };
    let folder = AllocDir::new(&root, &namespace, &allocation).logs();
    if !folder.is_dir() {
        let text = format!("allocation {allocation} has no logs on this node");
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    let files = LogFiles::new(&folder, &task, stream);
    match open(&files, &folder, &wanted) {
        Ok((reader, changes)) => Body::from_stream(bytes(reader, changes)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// A reader at the right place, and what wakes it if the log is followed.
fn open(
    files: &LogFiles,
    folder: &std::path::Path,
    wanted: &Wanted,
) -> std::io::Result<(LogReader, Option<LogChanges>)> {
    let changes = wanted.follow.then(|| LogChanges::watch(folder)).transpose()?;
    let reader = match (wanted.tail, wanted.origin.as_str()) {
        (Some(lines), _) => files.read_from(Origin::End, last_lines(files, lines)?)?,
        (None, "end") => files.read_from(Origin::End, wanted.offset)?,
        (None, _) => files.read_from(Origin::Start, wanted.offset)?,
    };
    Ok((reader, changes))
}

/// How many bytes the last lines have.
fn last_lines(files: &LogFiles, lines: u64) -> std::io::Result<u64> {
    let mut window = 64 * 1024;
    loop {
        let mut reader = files.read_from(Origin::End, window)?;
        let mut bytes = Vec::new();
        loop {
            let chunk = reader.next_chunk()?;
            if chunk.is_empty() {
                break;
            }
            bytes.extend_from_slice(&chunk);
        }
        // The newline that ends the last line does not begin another.
        let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let mut ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        let count = usize::try_from(lines).unwrap_or(usize::MAX);
        if count == 0 {
            return Ok(0);
        }
        if let Some((at, _)) = ends.nth(count - 1) {
            return Ok((bytes.len() - at - 1) as u64);
        }
        if (bytes.len() as u64) < window || window >= TAIL_BYTES {
            return Ok(bytes.len() as u64);
        }
        window *= 4;
    }
}

fn bytes(
    mut reader: LogReader,
    changes: Option<LogChanges>,
) -> impl futures::Stream<Item = std::io::Result<bytes::Bytes>> {
    async_stream::try_stream! {
        loop {
            let chunk = match &changes {
                Some(changes) => reader.follow(changes).await?,
                None => reader.next_chunk()?,
            };
            if chunk.is_empty() {
                return;
            }
            yield chunk;
        }
    }
}
