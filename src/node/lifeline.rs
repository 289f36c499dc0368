//! The agent's sign of life: a beat to one server every two seconds.
//!
//! A beat waits for nothing: neither for what the agent does, nor for its reports, nor for the store. It says whether
//! all reports are written, so that the cluster sees a node come back only together with the truth about its
//! allocations.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use reqwest::StatusCode;
use schemas::node::{AgentBeat, BeatAnswer};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::identity::Identity;
use super::standing::Standing;

/// How often an agent beats. A server calls it silent after three missed beats.
pub const BEAT_EVERY: Duration = Duration::from_secs(2);
/// How long an answer may take before the next server is asked: a server answers a beat without asking anybody, and
/// two that do not answer must not make the beat late.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// How soon the next beat follows one that was only noted: by then it is written.
const NOTED_AGAIN: Duration = Duration::from_millis(100);
/// After how many refusals the reason is said again: a minute.
const REFUSED_AGAIN: u32 = 30;

/// Carries beats to the servers.
pub trait Lifeline: Send + Sync + 'static {
    /// Tells some server that the node lives.
    fn beat<'a>(&'a self, node: &'a str, beat: &'a AgentBeat) -> BoxFuture<'a, Result<Heard, Unheard>>;

    /// Where beats are made, if not among everything else that the agent does.
    fn runtime(&self) -> Option<Handle> {
        None
    }
}

/// A beat that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The cluster knows that the name is this agent's.
    Holder,
    /// It is about to be written.
    Noted,
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

/// Who beats, and who hears of the answers.
#[derive(Debug)]
pub(crate) struct Beating {
    /// The node's name.
    pub(crate) node: String,
    /// Who it is among those of that name.
    pub(crate) identity: Identity,
    /// What the agent is after each answer.
    pub(crate) standing: watch::Sender<Standing>,
}

/// Beats until told to stop, at once and then at its own pace. `is_told` says whether all reports are written.
pub(crate) async fn keep_beating(
    lifeline: Arc<dyn Lifeline>,
    beating: Beating,
    mut is_told: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let mut says = beating.identity.says();
    let mut mood = Mood::Unheard;
    let mut ticks = tokio::time::interval(BEAT_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // Who was told nothing yet hears of it at once, not with a later beat: reports may be on their way then.
        let was_untold = says.count > beating.identity.counted && !says.told;
        let has_told = async { is_told.wait_for(|is_told| *is_told).await.is_ok() };
        tokio::select! { biased;
            () = stop.cancelled() => return,
            true = has_told, if was_untold => {}
            _ = ticks.tick() => {}
        }
        says.told = *is_told.borrow();
        says.count += 1;
        let beaten = Instant::now();
        let beat = lifeline.beat(&beating.node, &says);
        let Some(answer) = stop.run_until_cancelled(beat).await else { return };
        if answer == Ok(Heard::Noted) {
            ticks.reset_after(NOTED_AGAIN);
        }
        mood = beating.take(mood, beaten, answer);
    }
}

/// What was logged last.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mood {
    Unheard,
    Heard,
    /// With how many beats in a row.
    Refused(u32),
}

impl Beating {
    /// Tells what an answer means; says it once, a refusal again from time to time.
    fn take(&self, mood: Mood, beaten: Instant, answer: Result<Heard, Unheard>) -> Mood {
        let node = &self.node;
        match answer {
            Ok(heard) => {
                if heard == Heard::Holder {
                    self.turn(Standing::held(beaten));
                }
                if mood != Mood::Heard {
                    tracing::info!(node, "a server hears this node");
                }
                Mood::Heard
            }
            Err(error @ Unheard::Refused(_)) => {
                self.turn(Standing::Refused);
                let times = if let Mood::Refused(times) = mood { times + 1 } else { 0 };
                if times % REFUSED_AGAIN == 0 {
                    let remarks = self.identity.remarks.join("; ");
                    tracing::error!(node, id = self.identity.id, remarks, "{error}");
                }
                Mood::Refused(times)
            }
            // Whoever was refused stays so until a server says otherwise.
            Err(Unheard::Nobody(why)) => {
                match mood {
                    Mood::Heard => tracing::warn!(node, "no server hears this node: {why}"),
                    Mood::Unheard | Mood::Refused(_) => {
                        tracing::debug!(node, "no server hears this node: {why}");
                    }
                }
                if mood == Mood::Heard { Mood::Unheard } else { mood }
            }
        }
    }

    fn turn(&self, to: Standing) {
        if *self.standing.borrow() != Standing::Unjudged {
            self.standing.send_replace(to);
        }
    }
}

/// Beats over HTTP: `POST /apis/encamp.dev/v1/nodes/<node>/beat`, to the next server when one does not answer. It has
/// a thread of its own: whatever keeps the others busy does not make a beat late.
pub struct HttpLifeline {
    runtime: Option<Runtime>,
    client: reqwest::Client,
    servers: Vec<String>,
    current: std::sync::atomic::AtomicUsize,
}

impl HttpLifeline {
    /// To these servers, such as `http://127.0.0.1:4646`.
    pub fn new(servers: Vec<String>) -> Result<HttpLifeline, NoLifeline> {
        let client = http_client::builder().timeout(ANSWER_WITHIN).build()?;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).thread_name("beats").enable_all().build()?;
        let current = std::sync::atomic::AtomicUsize::new(0);
        Ok(HttpLifeline { runtime: Some(runtime), client, servers, current })
    }

    async fn post(&self, server: &str, node: &str, beat: &AgentBeat) -> Result<Heard, Unheard> {
        let url = format!("{}/apis/encamp.dev/v1/nodes/{node}/beat", server.trim_end_matches('/'));
        let nobody = |error: reqwest::Error| Unheard::Nobody(error.to_string());
        let answer = self.client.post(url).json(beat).send().await.map_err(nobody)?;
        if answer.status() == StatusCode::CONFLICT {
            let status: serde_json::Value = answer.json().await.map_err(nobody)?;
            return Err(Unheard::Refused(status["message"].as_str().unwrap_or_default().to_owned()));
        }
        let answer = answer.error_for_status().map_err(nobody)?.bytes().await.map_err(nobody)?;
        // An older server says nothing, and judges nobody.
        let BeatAnswer { held } = serde_json::from_slice(&answer).unwrap_or_default();
        Ok(if held { Heard::Holder } else { Heard::Noted })
    }
}

/// What is needed to beat cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NoLifeline {
    /// No client.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
    /// No thread.
    #[error("the thread that beats does not start: {0}")]
    Thread(#[from] std::io::Error),
}

impl Drop for HttpLifeline {
    fn drop(&mut self) {
        // Whoever drops it may be a part of another runtime, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Lifeline for HttpLifeline {
    fn runtime(&self) -> Option<Handle> {
        self.runtime.as_ref().map(|runtime| runtime.handle().clone())
    }

    fn beat<'a>(&'a self, node: &'a str, beat: &'a AgentBeat) -> BoxFuture<'a, Result<Heard, Unheard>> {
        use std::sync::atomic::Ordering::Relaxed;
        async move {
            let first = self.current.load(Relaxed);
            let mut last = Unheard::Nobody("no server is configured".to_owned());
            for turn in 0..self.servers.len() {
                let at = (first + turn) % self.servers.len();
                match self.post(&self.servers[at], node, beat).await {
                    Ok(heard) => {
                        self.current.store(at, Relaxed);
                        return Ok(heard);
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
