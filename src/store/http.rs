//! Another server's store, seen through the store face of its API: how an agent sees the cluster.
//!
//! Several servers may be named; one is asked until it fails, then the next. No call hangs: each has its time, and
//! a watch on which not even progress arrives is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use schemas::key::{Prefix, Revision};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;
use tracing::debug;

use super::any::OpenError;
use super::contract::{
    Batch, CommitError, Listing, PROGRESS_EVERY, ReadError, Store, Txn, Watch, WatchError,
};
use super::wire::{
    self, CommitAnswer, CommitQuestion, Line, ListAnswer, ListQuestion, Refused, WatchQuestion,
};

/// More than the server's own store may take, so that its answer arrives.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// A list may be many megabytes.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// For the head of a watch's answer.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Two missed signs of progress and a bit.
const SILENCE: Duration = PROGRESS_EVERY.saturating_mul(2).saturating_add(Duration::from_secs(2));

/// A store behind the API of one of several servers. Clones share the connections.
#[derive(Clone)]
pub struct Http {
    client: Client,
    servers: Arc<[String]>,
    current: Arc<AtomicUsize>,
}

impl Http {
    /// The store of the servers at `http://HOST:PORT`. The client brings what they demand: certificates, tokens.
    /// Nobody is asked yet, so servers that are away now are no error.
    pub fn new(servers: &[String], client: Client) -> Result<Self, OpenError> {
        let wrong = |address: &str, why: &str| OpenError::Address {
            address: address.to_owned(),
            why: why.to_owned(),
        };
        if servers.is_empty() {
            return Err(wrong("", "it names no server"));
        }
        for server in servers {
            let url = reqwest::Url::parse(server).map_err(|error| wrong(server, &error.to_string()))?;
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return Err(wrong(server, "a server is http://HOST:PORT or https://HOST:PORT"));
            }
        }
        let servers = servers.iter().map(|server| server.trim_end_matches('/').to_owned()).collect();
        Ok(Http { client, servers, current: Arc::default() })
    }

    /// Sends to the current server, and to the others in turn after what may be repeated. Each has this time to
    /// begin its answer.
    async fn send(
        &self,
        time: Duration,
        may_repeat: &[Unanswered],
        request: impl Fn(&Client, &str) -> RequestBuilder,
    ) -> Result<Response, Unanswered> {
        let mut others = self.servers.len() - 1;
        loop {
            let number = self.current.load(Ordering::Relaxed);
            let server = &self.servers[number];
            let (unanswered, why) = match timeout(time, request(&self.client, server).send()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => (Unanswered::of(&error), error.to_string()),
                Err(_) => (Unanswered::Late, format!("nothing within {time:?}")),
            };
            debug!(server, why, "a server did not answer");
            self.leave(number);
            if others == 0 || !may_repeat.contains(&unanswered) {
                return Err(unanswered);
            }
            others -= 1;
        }
    }

    fn leave(&self, number: usize) {
        let next = (number + 1) % self.servers.len();
        // Whoever came first has chosen; that choice is as good as ours.
        self.current.compare_exchange(number, next, Ordering::Relaxed, Ordering::Relaxed).ok();
    }
}

/// Why no answer began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unanswered {
    /// The server surely did not hear of it.
    Unsent,
    /// The server may have heard of it.
    Lost,
    /// The server may have heard of it, and waiting took all the time there was.
    Late,
}

/// What is no question must not be heard twice.
const A_COMMAND: &[Unanswered] = &[Unanswered::Unsent];
/// A question may be asked again, unless it has taken its time already.
const A_QUESTION: &[Unanswered] = &[Unanswered::Unsent, Unanswered::Lost];

impl Unanswered {
    fn of(error: &reqwest::Error) -> Unanswered {
        if error.is_connect() || error.is_builder() {
            Unanswered::Unsent
        } else if error.is_timeout() {
            Unanswered::Late
        } else {
            Unanswered::Lost
        }
    }
}

impl Store for Http {
    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        let question = ListQuestion { prefix: prefix.clone() };
        let request = |client: &Client, server: &str| {
            client.post(format!("{server}{}", wire::LIST)).timeout(LIST_TIMEOUT).json(&question)
        };
        let response = self.send(LIST_TIMEOUT, A_QUESTION, request).await;
        let response = response.map_err(|_| ReadError::Unavailable)?;
        let answer: ListAnswer =
            answer(response).await.map_err(|_: Bad<ReadError>| ReadError::Unavailable)?;
        Ok(answer.into())
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        txn.check()?;
        let question = CommitQuestion::from(txn);
        let request = |client: &Client, server: &str| {
            client.post(format!("{server}{}", wire::COMMIT)).timeout(COMMIT_TIMEOUT).json(&question)
        };
        let response = self.send(COMMIT_TIMEOUT, A_COMMAND, request).await;
        let response = response.map_err(|unanswered| match unanswered {
            Unanswered::Unsent => CommitError::NotApplied,
            Unanswered::Lost | Unanswered::Late => CommitError::Unknown,
        })?;
        let answer: CommitAnswer = answer(response).await.map_err(|bad| match bad {
            Bad::Refused(next_move) => next_move,
            // Turned away at the door, where no transaction is looked at.
            Bad::Status(
                StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::NOT_FOUND
                | StatusCode::TOO_MANY_REQUESTS,
            ) => CommitError::NotApplied,
            Bad::Status(StatusCode::PAYLOAD_TOO_LARGE) => CommitError::TooLarge,
            Bad::Status(_) | Bad::Broken => CommitError::Unknown,
        })?;
        Ok(answer.revision)
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        let question = WatchQuestion::new(prefix, after);
        let request =
            |client: &Client, server: &str| client.get(format!("{server}{}", wire::WATCH)).query(&question);
        let response = self.send(OPEN_TIMEOUT, A_QUESTION, request).await;
        let response = response.map_err(|_| WatchError::Broken)?;
        if !response.status().is_success() {
            return Err(match timeout(OPEN_TIMEOUT, refusal(response)).await {
                Ok(Bad::Refused(error)) => error,
                Ok(Bad::Status(_) | Bad::Broken) | Err(_) => WatchError::Broken,
            });
        }
        Ok(batches(response))
    }
}

/// What came instead of an answer.
enum Bad<E> {
    /// The word of the server's store.
    Refused(E),
    /// Somebody on the way, or the server before it looked.
    Status(StatusCode),
    /// Half an answer, or none.
    Broken,
}

async fn answer<T: DeserializeOwned, E: DeserializeOwned>(response: Response) -> Result<T, Bad<E>> {
    if response.status().is_success() {
        response.json().await.map_err(|_| Bad::Broken)
    } else {
        Err(refusal(response).await)
    }
}

async fn refusal<E: DeserializeOwned>(response: Response) -> Bad<E> {
    let status = response.status();
    match response.json::<Refused<E>>().await {
        Ok(refused) => Bad::Refused(refused.error),
        Err(_) => Bad::Status(status),
    }
}

/// Lines as batches; the first error is the end.
fn batches(response: Response) -> Watch {
    let bytes = response.bytes_stream().map_err(std::io::Error::other);
    let lines =
        FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(wire::MESSAGE_BYTES));
    let batches = stream::unfold(Some(lines), |lines| async move {
        let mut lines = lines?;
        let Ok(Some(Ok(line))) = timeout(SILENCE, lines.next()).await else {
            return Some((Err(WatchError::Broken), None));
        };
        match serde_json::from_str(&line) {
            Ok(Line::Batch(batch)) => Some((Ok(Batch::from(batch)), Some(lines))),
            Ok(Line::Error(error)) => Some((Err(error), None)),
            Err(error) => {
                debug!(%error, "a line of a watch does not parse");
                Some((Err(WatchError::Broken), None))
            }
        }
    });
    batches.boxed()
}
