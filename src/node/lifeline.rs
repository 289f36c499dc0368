//! The agent's sign of life: a beat to one server every two seconds.
//!
//! A beat waits for nothing: neither for what the agent does, nor for its reports, nor for the store. It says whether
//! all reports are written, so that the cluster sees a node come back only together with the truth about its
//! allocations.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use reqwest::StatusCode;
use schemas::node::AgentBeat;
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
    fn beat<'a>(&'a self, node: &'a str, beat: &'a AgentBeat) -> BoxFuture<'a, Result<(), Unheard>>;
}

/// A beat that does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// Nobody answers: beat again.
    #[error("no server hears this node: {0}")]
    Nobody(String),
    /// A server heard it and does not take it for this node's: somebody has to do what it says.
    #[error("a server refuses this node's beat: {0}")]
    Refused(String),
}

/// Who beats: the node's name, and what all beats of this life say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beating {
    /// The node's name.
    pub(crate) node: String,
    /// Who it is; `told` and `count` are set with each beat.
    pub(crate) says: AgentBeat,
}

/// Beats until told to stop, at once and then at its own pace. `is_told` says whether all reports are written.
pub(crate) async fn keep_beating(
    lifeline: Arc<dyn Lifeline>,
    beating: Beating,
    is_told: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let Beating { node, mut says } = beating;
    let mut is_heard = false;
    let mut ticks = tokio::time::interval(BEAT_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let beat = async {
            ticks.tick().await;
            says.told = *is_told.borrow();
            says.count += 1;
            lifeline.beat(&node, &says).await
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

    async fn post(&self, server: &str, node: &str, beat: &AgentBeat) -> Result<(), Unheard> {
        let url = format!("{}/apis/encamp.dev/v1/nodes/{node}/beat", server.trim_end_matches('/'));
        let nobody = |error: reqwest::Error| Unheard::Nobody(error.to_string());
        let answer = self.client.post(url).json(beat).send().await.map_err(nobody)?;
        if answer.status() == StatusCode::CONFLICT {
            let status: serde_json::Value = answer.json().await.map_err(nobody)?;
            return Err(Unheard::Refused(status["message"].as_str().unwrap_or_default().to_owned()));
        }
        answer.error_for_status().map(drop).map_err(nobody)
    }
}

impl Lifeline for HttpLifeline {
    fn beat<'a>(&'a self, node: &'a str, beat: &'a AgentBeat) -> BoxFuture<'a, Result<(), Unheard>> {
        use std::sync::atomic::Ordering::Relaxed;
        async move {
            let first = self.current.load(Relaxed);
            let mut last = Unheard::Nobody("no server is configured".to_owned());
            for turn in 0..self.servers.len() {
                let at = (first + turn) % self.servers.len();
                match self.post(&self.servers[at], node, beat).await {
                    Ok(()) => {
                        self.current.store(at, Relaxed);
                        return Ok(());
                    }
                    // The others would say the same.
                    Err(refused @ Unheard::Refused(_)) => return Err(refused),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
        .boxed()
    }
}
