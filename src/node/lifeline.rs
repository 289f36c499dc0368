//! The agent's sign of life: a beat to one server every two seconds.
//!
//! On a connection newly found (the first, or after a silence) the node's reports go first, so that the cluster
//! sees a node come back only together with the truth about its allocations.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::http_client;

/// How often an agent beats. A server calls it silent after three missed beats.
pub const BEAT_EVERY: Duration = Duration::from_secs(2);
/// How long an answer may take: the next beat must not be late.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Carries beats to the servers.
pub trait Lifeline: Send + Sync + 'static {
    /// Tells some server that the node lives.
    fn beat<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), Unheard>>;
}

/// No server heard the beat.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no server hears this node: {0}")]
pub struct Unheard(pub String);

/// Beats until told to stop. `is_told` says whether all reports are written.
pub(crate) async fn keep_beating(
    lifeline: std::sync::Arc<dyn Lifeline>,
    node: String,
    mut is_told: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let mut is_heard = false;
    let mut ticks = tokio::time::interval(BEAT_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let beat = async {
            ticks.tick().await;
            if !is_heard && is_told.wait_for(|is_told| *is_told).await.is_err() {
                return std::future::pending().await;
            }
            lifeline.beat(&node).await
        };
        tokio::select! { biased;
            () = stop.cancelled() => return,
            answer = beat => match answer {
                Ok(()) if !is_heard => {
                    tracing::info!(node, "a server hears this node");
                    is_heard = true;
                }
                Ok(()) => {}
                Err(error) if is_heard => {
                    tracing::warn!(node, "{error}");
                    is_heard = false;
                }
                Err(error) => tracing::debug!(node, "{error}"),
            },
        }
    }
}

/// Beats over HTTP: `POST /apis/encamp.dev/v1/nodes/<node>/beat`, to the next server when one does not answer.
pub struct HttpLifeline {
    client: reqwest::Client,
    servers: Vec<String>,
    current: std::sync::atomic::AtomicUsize,
}

impl HttpLifeline {
    /// To these servers, such as `http://127.0.0.1:4646`.
    pub fn new(servers: Vec<String>) -> Result<HttpLifeline, reqwest::Error> {
        let client = http_client::builder().timeout(ANSWER_WITHIN).build()?;
        Ok(HttpLifeline { client, servers, current: std::sync::atomic::AtomicUsize::new(0) })
    }

    async fn post(&self, server: &str, node: &str) -> Result<(), reqwest::Error> {
        let url = format!("{}/apis/encamp.dev/v1/nodes/{node}/beat", server.trim_end_matches('/'));
        self.client.post(url).send().await?.error_for_status().map(drop)
    }
}

impl Lifeline for HttpLifeline {
    fn beat<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), Unheard>> {
        use std::sync::atomic::Ordering::Relaxed;
        async move {
            let first = self.current.load(Relaxed);
            let mut last = "no server is configured".to_owned();
            for turn in 0..self.servers.len() {
                let at = (first + turn) % self.servers.len();
                match self.post(&self.servers[at], node).await {
                    Ok(()) => {
                        self.current.store(at, Relaxed);
                        return Ok(());
                    }
                    Err(error) => last = error.to_string(),
                }
            }
            Err(Unheard(last))
        }
        .boxed()
    }
}
