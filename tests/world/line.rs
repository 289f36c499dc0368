//! The way from agents to servers: who is heard when.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use encamp::api::lifeline::{Hearing, Refused};
use encamp::node::lifeline::{Heard, Lifeline, Unheard};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemas::node::AgentBeat;
use tokio::time::Instant;

use crate::faults::Handle;
use crate::pause::Pause;

/// How long an agent waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Where agents find the servers that live.
#[derive(Clone, Default)]
pub(crate) struct Ears(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    servers: BTreeMap<String, Ear>,
    /// When each node was heard, for the checker.
    heard: BTreeMap<String, Vec<Instant>>,
}

struct Ear {
    hearing: Hearing<Handle>,
    pause: Pause,
    /// What was sent to it while it stood still.
    unread: Vec<(String, AgentBeat)>,
}

impl Ears {
    /// A server listens.
    pub(crate) fn add(&self, name: &str, hearing: Hearing<Handle>, pause: Pause) {
        let ear = Ear { hearing, pause, unread: Vec::new() };
        self.0.lock().unwrap().servers.insert(name.to_owned(), ear);
    }

    /// A server listens no more.
    pub(crate) fn remove(&self, name: &str) {
        self.0.lock().unwrap().servers.remove(name);
    }

    /// A server reads what was sent to it while it stood still.
    pub(crate) fn deliver(&self, name: &str) {
        let mut state = self.0.lock().unwrap();
        let Some(ear) = state.servers.get_mut(name) else { return };
        for (node, beat) in std::mem::take(&mut ear.unread) {
            ear.hearing.beat(&node, beat).ok();
        }
    }

    /// When each node was heard since it was last asked.
    pub(crate) fn take_heard(&self) -> BTreeMap<String, Vec<Instant>> {
        std::mem::take(&mut self.0.lock().unwrap().heard)
    }

    /// One server is told; nothing while it does not answer.
    fn tell(&self, at: usize, node: &str, beat: &AgentBeat) -> Option<Result<Heard, Unheard>> {
        let mut state = self.0.lock().unwrap();
        let ear = state.servers.values_mut().nth(at)?;
        if ear.pause.is_on() {
            ear.unread.push((node.to_owned(), beat.clone()));
            return None;
        }
        match ear.hearing.beat(node, beat.clone()) {
            Ok(is_held) => {
                state.heard.entry(node.to_owned()).or_default().push(Instant::now());
                Some(Ok(if is_held { Heard::Holder } else { Heard::Noted }))
            }
            Err(Refused::Deaf) => None,
            Err(Refused::Wrong(why)) => Some(Err(Unheard::Refused(why))),
        }
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().servers.len()
    }
}

/// Beats to the first server that answers.
pub(crate) struct Line {
    ears: Ears,
    current: AtomicUsize,
    is_cut: AtomicBool,
    /// The agent stands still.
    pub(crate) pause: Pause,
}

impl Line {
    /// A line to whoever listens.
    pub(crate) fn new(ears: Ears) -> Line {
        Line { ears, current: AtomicUsize::new(0), is_cut: AtomicBool::new(false), pause: Pause::default() }
    }

    /// A line of another agent to the same servers.
    pub(crate) fn another(&self) -> Line {
        Line::new(self.ears.clone())
    }

    /// Cuts the agent off from the servers alone.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Lets it back.
    pub(crate) fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }
}

impl Lifeline for Line {
    fn beat<'a>(&'a self, node: &'a str, beat: &'a AgentBeat) -> BoxFuture<'a, Result<Heard, Unheard>> {
        async move {
            self.pause.over().await;
            let (first, servers) = (self.current.load(Ordering::Relaxed), self.ears.count());
            for turn in 0..servers {
                if self.is_cut.load(Ordering::Relaxed) {
                    break;
                }
                let at = (first + turn) % servers;
                if let Some(answer) = self.ears.tell(at, node, beat) {
                    self.current.store(at, Ordering::Relaxed);
                    return answer;
                }
                tokio::time::sleep(ANSWER_WITHIN).await;
            }
            Err(Unheard::Nobody("nobody answers".to_owned()))
        }
        .boxed()
    }
}
