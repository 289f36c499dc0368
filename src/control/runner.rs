//! The loop around one controller.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use plan::{Controller, Guard, Plan, Step, Write};
use schemas::key::{Key, Revision};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::queue::Queue;
use cache::{Cache, Changes, Pulse};
use clock::Clock;
use store::{CommitError, Store, Txn};

/// How many plans may be on their way to the store at once: etcd gains nothing beyond a few.
const IN_FLIGHT: usize = 8;
/// Every root is planned again this often, in case a controller forgot to name one.
const RESYNC_EVERY: Duration = Duration::from_secs(300);

/// Runs one controller during one term of leadership.
pub struct Runner<S> {
    /// Decides.
    pub controller: Arc<dyn Controller<Effect = Write>>,
    /// Where plans are committed.
    pub store: S,
    /// What plans are made of.
    pub cache: Cache,
    /// What time it is.
    pub clock: Clock,
    /// The guard that every write carries.
    pub term: Guard,
}

/// What became of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// There was nothing to write.
    Nothing,
    /// All of it is written, last at this revision.
    Committed(Revision),
    /// Not all of it: plan again.
    Again,
    /// Nobody knows: what was sent may still arrive, so it must be fenced off by a new term.
    Unknown,
}

impl<S: Store> Runner<S> {
    /// Plans and commits until told to stop, or until a commit has an unknown outcome: then only a new term makes sure
    /// that it does not arrive later. What is on its way is awaited.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.cache.subscribe();
        let mut queue = Queue::default();
        let mut flights = FuturesUnordered::new();
        let mut resync = tokio::time::interval(RESYNC_EVERY);
        loop {
            while flights.len() < IN_FLIGHT {
                let Some(root) = queue.pop(self.cache.revision(), Instant::now()) else { break };
                let span = tracing::debug_span!("reconcile", %root);
                match span.in_scope(|| self.decide(&root, &mut queue)) {
                    plan if plan.is_empty() => {
                        queue.done(&root, None);
                        // Nothing else in this loop waits: others of this thread have their turn.
                        tokio::task::yield_now().await;
                    }
                    plan => flights.push(self.commit(root, plan).instrument(span)),
                }
            }
            tokio::select! { biased;
                () = stop.cancelled() => break,
                Some((root, outcome)) = flights.next() => {
                    if outcome == Outcome::Unknown { break }
                    settle(&mut queue, &root, outcome);
                }
                pulse = changes.recv() => {
                    if !self.name_roots(pulse, &mut changes, &mut queue) { break }
                }
                _ = resync.tick() => self.name_all(&mut queue),
                () = sleep_until(queue.next_timer()) => {}
            }
        }
        while flights.next().await.is_some() {}
    }

    fn decide(&self, root: &Key, queue: &mut Queue) -> Plan<Write> {
        let name = self.controller.name();
        let began = std::time::Instant::now();
        let (plan, revision) = {
            let view = self.cache.view();
            (self.controller.plan(&view, root, self.clock.now()), view.revision)
        };
        telemetry::PLAN_SECONDS.with_label_values(&[name]).observe(began.elapsed().as_secs_f64());
        telemetry::QUEUE_ROOTS.with_label_values(&[name]).set(i64::try_from(queue.len()).unwrap_or(i64::MAX));
        if let Some(at) = plan.wake_at {
            queue.push_at(root.clone(), Instant::now() + self.clock.until(at));
        }
        tracing::debug!(controller = name, %root, %revision, steps = plan.steps.len(), "planned");
        plan.notes.iter().for_each(|note| tracing::trace!(controller = name, %root, "{note}"));
        plan
    }

    /// Commits the steps in order and stops at the first that fails.
    async fn commit(&self, root: Key, plan: Plan<Write>) -> (Key, Outcome) {
        let mut outcome = Outcome::Nothing;
        for step in plan.steps {
            outcome = self.commit_step(&root, step).await;
            if matches!(outcome, Outcome::Again | Outcome::Unknown) {
                break;
            }
        }
        (root, outcome)
    }

    async fn commit_step(&self, root: &Key, step: Step<Write>) -> Outcome {
        let name = self.controller.name();
        let began = std::time::Instant::now();
        let mut guards = step.guards;
        guards.push(self.term.clone());
        let answer = self.store.commit(Txn { guards, writes: step.effects }).await;
        let seconds = telemetry::COMMIT_SECONDS.with_label_values(&[name]);
        seconds.observe(began.elapsed().as_secs_f64());
        let error = match answer {
            Ok(revision) => return Outcome::Committed(revision),
            Err(error) => error,
        };
        telemetry::COMMIT_FAILURES.with_label_values(&[name, reason(error)]).inc();
        match error {
            CommitError::Conflict => tracing::debug!(controller = name, %root, "a guard no longer holds"),
            CommitError::TooLarge => tracing::error!(controller = name, %root, "a step is too large: a bug"),
            CommitError::NotApplied | CommitError::Unknown | CommitError::Full => {
                tracing::warn!(controller = name, %root, "{error}");
            }
        }
        // Whatever the reason, the next plan is made from a fresh view. What may still arrive is not in that view,
        // and need not collide with what is planned next: another node may be chosen for the same slot.
        if error == CommitError::Unknown { Outcome::Unknown } else { Outcome::Again }
    }

    fn name_roots(&self, pulse: Result<Pulse, RecvError>, changes: &mut Changes, queue: &mut Queue) -> bool {
        match pulse {
            Ok(pulse) => {
                let view = self.cache.view();
                for root in pulse.keys().flat_map(|key| self.controller.roots(&view, key)) {
                    queue.push(root);
                }
                true
            }
            Err(RecvError::Lagged(_)) => {
                *changes = self.cache.subscribe();
                self.name_all(queue);
                true
            }
            Err(RecvError::Closed) => false,
        }
    }

    fn name_all(&self, queue: &mut Queue) {
        let view = self.cache.view();
        self.controller.all_roots(&view).into_iter().for_each(|root| queue.push(root));
    }
}

fn settle(queue: &mut Queue, root: &Key, outcome: Outcome) {
    match outcome {
        Outcome::Nothing => queue.done(root, None),
        Outcome::Committed(revision) => queue.done(root, Some(revision)),
        Outcome::Again | Outcome::Unknown => queue.failed(root, Instant::now()),
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What a failed commit is counted as.
fn reason(error: CommitError) -> &'static str {
    match error {
        CommitError::Conflict => "conflict",
        CommitError::NotApplied => "not_applied",
        CommitError::Unknown => "unknown",
        CommitError::TooLarge => "too_large",
        CommitError::Full => "full",
    }
}
