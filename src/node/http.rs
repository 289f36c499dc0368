//! What the agent answers to servers: the logs of its tasks. They never leave the node in another way.
//!
//! Reading is done beside the loop, and for a few at a time: the last lines of a log may be many megabytes.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::alloc_dir::AllocDir;
use drivers::logs::{LogChanges, LogFiles, LogReader, Origin, Stream};
use http_server::{self, Limits};

/// How far back the beginning of the last lines is looked for.
const TAIL_BYTES: u64 = 16 * 1024 * 1024;
/// How far back it is looked for at first: some hundred lines.
const FIRST_TAIL_BYTES: u64 = 64 * 1024;

/// What is handed on at once.
const PIECE: usize = 64 * 1024;
/// How many last lines are held at once until they are read: each may be as long as [`TAIL_BYTES`].
const TAILS: usize = 4;
/// How many logs are followed at once: each takes one of the 128 watches on files that Linux gives a user.
const FOLLOWED: usize = 64;
/// How long to wait for one of these places.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers until told to stop.
pub async fn serve(listener: TcpListener, allocations: PathBuf, stop: CancellationToken) {
    http_server::serve(listener, routes(allocations), Limits::of_agent(), stop).await;
}

fn routes(allocations: PathBuf) -> Router {
    let (tails, followed) = (Arc::new(Semaphore::new(TAILS)), Arc::new(Semaphore::new(FOLLOWED)));
    let desk = Desk { allocations, tails, followed };
    Router::new().route("/v1/logs/{namespace}/{allocation}/{task}", get(logs)).with_state(desk)
}

/// Where logs lie, and the places for those who read them.
#[derive(Clone)]
struct Desk {
    allocations: PathBuf,
    tails: Arc<Semaphore>,
    followed: Arc<Semaphore>,
}

impl Desk {
    /// The places that a wish takes; nothing if all are taken for too long.
    async fn places(&self, wanted: &Wanted) -> Option<Places> {
        let take = async |room: &Arc<Semaphore>, is_wanted: bool| {
            if !is_wanted {
                return Some(None);
            }
            let place = tokio::time::timeout(PATIENCE, room.clone().acquire_owned()).await.ok()?;
            Some(Some(place.expect("the semaphore is never closed")))
        };
        let followed = take(&self.followed, wanted.follow).await?;
        let tail = take(&self.tails, wanted.tail.is_some()).await?;
        Some(Places { tail, followed })
    }
}

/// The places of one reader.
struct Places {
    tail: Option<OwnedSemaphorePermit>,
    followed: Option<OwnedSemaphorePermit>,
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
    State(desk): State<Desk>,
    Path((namespace, allocation, task)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let stream = match wanted.stream.as_str() {
        "" | "stdout" => Stream::Stdout,
        "stderr" => Stream::Stderr,
        _ => return (StatusCode::BAD_REQUEST, "type: expected stdout or stderr").into_response(),
    };
    let folder = AllocDir::new(&desk.allocations, &namespace, &allocation).logs();
    if !folder.is_dir() {
        let text = format!("allocation {allocation} has no logs on this node");
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    let Some(places) = desk.places(&wanted).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many logs are being read").into_response();
    };
    let opening = tokio::task::spawn_blocking(move || {
        Part::open(&LogFiles::new(&folder, &task, stream), &folder, &wanted)
    });
    match opening.await {
        Ok(Ok(part)) => {
            let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (text, Body::from_stream(part.bytes(places))).into_response()
        }
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the log cannot be read").into_response(),
    }
}

/// The wanted part of a log.
struct Part {
    /// What was read already, to find the place.
    read: Bytes,
    /// Where it goes on.
    reader: LogReader,
    /// What wakes the reader, if the log is followed.
    changes: Option<LogChanges>,
}

impl Part {
    fn open(files: &LogFiles, folder: &FilePath, wanted: &Wanted) -> io::Result<Part> {
        let changes = wanted.follow.then(|| LogChanges::watch(folder)).transpose()?;
        let (read, reader) = match (wanted.tail, wanted.origin.as_str()) {
            (Some(lines), _) => last_lines(files, lines)?,
            (None, "end") => (Bytes::new(), files.read_from(Origin::End, wanted.offset)?),
            (None, _) => (Bytes::new(), files.read_from(Origin::Start, wanted.offset)?),
        };
        Ok(Part { read, reader, changes })
    }

    /// The places are free again once what takes them is read.
    fn bytes(self, Places { tail, followed }: Places) -> impl futures::Stream<Item = io::Result<Bytes>> {
        let Part { mut read, mut reader, changes } = self;
        async_stream::try_stream! {
            let _followed = followed;
            while !read.is_empty() {
                yield read.split_to(read.len().min(PIECE));
            }
            drop((read, tail));
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
}

/// The last lines, and a reader that goes on behind them: nothing written meanwhile is lost or cut.
fn last_lines(files: &LogFiles, lines: u64) -> io::Result<(Bytes, LogReader)> {
    let mut window = FIRST_TAIL_BYTES;
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
        let is_all = (bytes.len() as u64) < window || window >= TAIL_BYTES;
        let begin = begin_of_last(&bytes, lines).or(is_all.then_some(0));
        if let Some(begin) = begin {
            return Ok((Bytes::from(bytes).slice(begin..), reader));
        }
        window *= 4;
    }
}

/// Where the last lines begin; nothing if there are fewer.
fn begin_of_last(bytes: &[u8], lines: u64) -> Option<usize> {
    let Some(others) = usize::try_from(lines).unwrap_or(usize::MAX).checked_sub(1) else {
        return Some(bytes.len());
    };
    // The newline that ends the last line does not begin another.
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    ends.nth(others).map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use drivers::logs::{LogPlan, RotatingLog};

    #[test]
    fn last_lines_are_whole_and_what_comes_later_follows_them() {
        let folder = tempfile::tempdir().unwrap();
        let plan =
            LogPlan { folder: folder.path().into(), task: "web".into(), max_files: 9, max_bytes: 100_000 };
        let mut log = RotatingLog::open(&plan, Stream::Stdout).unwrap();
        let files = LogFiles::new(folder.path(), "web", Stream::Stdout);
        let long = "x".repeat(300_000);
        log.write(format!("first\n{long}\nlast\n").as_bytes()).unwrap();
        let table = [(0, String::new()), (1, "last\n".into()), (2, format!("{long}\nlast\n"))];
        for (lines, expected) in table {
            assert_eq!(last_lines(&files, lines).unwrap().0, expected, "{lines} lines");
        }
        let (all, mut reader) = last_lines(&files, 99).unwrap();
        assert!(all.starts_with(b"first\n"));
        log.write(b"later\n").unwrap();
        assert_eq!(reader.next_chunk().unwrap(), "later\n");
    }
}
