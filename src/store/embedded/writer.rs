//! The one thread that writes: decides, journals, publishes, answers, in this order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use schemas::key::Revision;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::journal::{Journal, Loaded, is_full};
use super::panics::caught;
use crate::any::OpenError;
use crate::contract::{CommitError, Txn};
use crate::core::{Core, Limits, Staged};
use crate::live::Live;

/// The most transactions that share one fsync: bounds the wait of the first of them.
const GROUP_TXNS: usize = 512;
/// The most bytes that share one fsync.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

type Answer = Result<Revision, CommitError>;

/// A transaction on its way to the journal.
pub(super) struct Request {
    pub(super) txn: Txn,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Opens the journal: once at the start, and again after a write went wrong.
pub(super) type Opener = Box<dyn Fn() -> Result<(Journal, Loaded), OpenError> + Send>;

/// The owner of the file.
pub(super) struct Writer {
    live: Arc<Live>,
    /// Whether what `live` shows is known to be what the file holds.
    is_sound: Arc<AtomicBool>,
    /// Nothing while the file could not be opened again.
    journal: Option<Journal>,
    open: Opener,
    limits: Limits,
}

impl Writer {
    /// Opens the journal and puts its content in service.
    pub(super) fn start(open: Opener, limits: Limits) -> Result<Writer, OpenError> {
        let (journal, loaded) = open()?;
        let live = Live::new(restored(loaded, limits));
        let is_sound = Arc::new(AtomicBool::new(true));
        Ok(Writer { live, is_sound, journal: Some(journal), open, limits })
    }

    /// What readers share with the writer.
    pub(super) fn shared(&self) -> (Arc<Live>, Arc<AtomicBool>) {
        (self.live.clone(), self.is_sound.clone())
    }

    /// Serves until the last handle on the store is gone.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            self.serve(gather(first, &mut requests));
        }
    }

    fn serve(&mut self, group: Vec<Request>) {
        if !self.is_open() {
            return answer(group.into_iter().map(|request| (request.answer, Err(CommitError::NotApplied))));
        }
        let (staged, answers) = self.stage(group);
        if staged.batches().is_empty() {
            return answer(answers.into_iter());
        }
        let journal = self.journal.as_mut().expect("it is open");
        match journal.append(&staged) {
            Ok(()) => {
                self.live.lock().publish(staged);
                answer(answers.into_iter());
            }
            Err(error) => {
                let outcome = self.recover(&error);
                answer(answers.into_iter().map(|(sender, decided)| (sender, undone(decided, outcome))));
            }
        }
    }

    fn stage(&self, group: Vec<Request>) -> (Staged, Vec<(oneshot::Sender<Answer>, Answer)>) {
        let state = self.live.lock();
        let mut staged = state.core.begin();
        let decide = |Request { txn, answer }| (answer, state.core.stage(&mut staged, txn));
        let answers = group.into_iter().map(decide).collect();
        (staged, answers)
    }

    /// After a failed write only the file knows what happened: reads it again and says what became of the group.
    fn recover(&mut self, failure: &redb::Error) -> CommitError {
        error!(error = %failure, "the journal could not be written; opening it again");
        let before = self.live.lock().core.revision();
        self.is_sound.store(false, Ordering::SeqCst);
        self.live.lock().break_watches();
        let journal = self.journal.take();
        if let Err(words) = caught(|| drop(journal)) {
            warn!(words, "the journal could not be closed");
        }
        if !self.is_open() || self.live.lock().core.revision() != before {
            return CommitError::Unknown;
        }
        if is_full(failure) { CommitError::Full } else { CommitError::NotApplied }
    }

    /// Whether the journal is open, after trying.
    fn is_open(&mut self) -> bool {
        if self.journal.is_some() {
            return true;
        }
        let (journal, loaded) = match (self.open)() {
            Ok(opened) => opened,
            Err(error) => {
                warn!(%error, "the journal is still not usable");
                return false;
            }
        };
        let core = restored(loaded, self.limits);
        let mut state = self.live.lock();
        if core.revision() != state.core.revision() {
            state.replace(core);
        }
        info!(revision = %state.core.revision(), "the journal is open again");
        drop(state);
        self.journal = Some(journal);
        self.is_sound.store(true, Ordering::SeqCst);
        true
    }
}

/// The first request and whatever waits behind it.
fn gather(first: Request, requests: &mut mpsc::Receiver<Request>) -> Vec<Request> {
    let mut bytes = first.txn.size();
    let mut group = vec![first];
    while group.len() < GROUP_TXNS && bytes < GROUP_BYTES {
        let Ok(request) = requests.try_recv() else { break };
        bytes += request.txn.size();
        group.push(request);
    }
    group
}

/// What to say of a decision whose group was not written. A conflict may have been with a neighbour that is not
/// there either, so it is no conflict any more.
fn undone(decided: Answer, outcome: CommitError) -> Answer {
    match decided {
        Err(CommitError::TooLarge) => Err(CommitError::TooLarge),
        Err(CommitError::Conflict) => Err(CommitError::NotApplied),
        Ok(_) | Err(CommitError::NotApplied | CommitError::Unknown | CommitError::Full) => Err(outcome),
    }
}

fn answer(answers: impl Iterator<Item = (oneshot::Sender<Answer>, Answer)>) {
    for (sender, answer) in answers {
        // Who no longer listens has given up on the answer, not on the write.
        sender.send(answer).ok();
    }
}

fn restored(loaded: Loaded, limits: Limits) -> Core {
    match loaded.revision {
        Some(revision) => Core::restored(loaded.entries, revision, limits),
        None => Core::new(limits),
    }
}
