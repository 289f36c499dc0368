//! The members of the cluster and the way to ask one of them.
//!
//! All calls go to one member until it fails; then the next is asked. Asking the same one keeps reads and
//! watches on one clock, and a dead or frozen member costs one failed call, not every third.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Client, Error};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::{connect, failure};
use crate::any::Options;

/// Why a call brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// No member could be reached, so none heard of it.
    Unsent(Error),
    /// The time is over; it may have been heard.
    TimedOut,
    /// It was refused, or the connection broke under it.
    Refused(Error),
}

/// Connections, each made when it is first needed.
#[derive(Clone)]
pub(super) struct Members {
    all: Arc<[Member]>,
    current: Arc<AtomicUsize>,
    options: Arc<Options>,
}

struct Member {
    endpoint: String,
    client: OnceCell<Client>,
}

impl Members {
    pub(super) fn new(endpoints: &[String], options: &Options) -> Members {
        let member = |endpoint: &String| Member { endpoint: endpoint.clone(), client: OnceCell::new() };
        Members {
            all: endpoints.iter().map(member).collect(),
            current: Arc::new(AtomicUsize::new(0)),
            options: Arc::new(options.clone()),
        }
    }

    /// How they are spoken to.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// The one that is asked first.
    pub(super) fn current(&self) -> &str {
        &self.all[self.current.load(Ordering::Relaxed)].endpoint
    }

    /// How long one call may take.
    pub(super) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// Asks a member, and the others in turn as long as the question surely reached none.
    pub(super) async fn call<T, Asking>(&self, ask: impl Fn(Client) -> Asking) -> Result<T, Failure>
    where
        Asking: Future<Output = Result<T, Error>>,
    {
        self.call_within(self.timeout(), ask).await
    }

    /// [`Members::call`] with a time of its own.
    pub(super) async fn call_within<T, Asking>(
        &self,
        time: Duration,
        ask: impl Fn(Client) -> Asking,
    ) -> Result<T, Failure>
    where
        Asking: Future<Output = Result<T, Error>>,
    {
        let deadline = Instant::now() + time;
        let mut others = self.all.len() - 1;
        loop {
            let number = self.current.load(Ordering::Relaxed);
            let failure = match self.ask_one(&self.all[number], deadline, &ask).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let endpoint = &self.all[number].endpoint;
            debug!(endpoint, ?failure, "a call to etcd failed");
            if !failure.is_word_of_a_sound_member() {
                self.leave(number);
            }
            if others == 0 || !matches!(failure, Failure::Unsent(_)) {
                return Err(failure);
            }
            others -= 1;
        }
    }

    /// Asks every member, one after the other; each has this time. The first failure is answered, but all are asked.
    pub(super) async fn each<T, Asking>(
        &self,
        time: Duration,
        ask: impl Fn(Client) -> Asking,
    ) -> Result<(), Failure>
    where
        Asking: Future<Output = Result<T, Error>>,
    {
        let mut outcome = Ok(());
        for member in self.all.iter() {
            let answer = self.ask_one(member, Instant::now() + time, &ask).await;
            outcome = outcome.and(answer.map(drop));
        }
        outcome
    }

    async fn ask_one<T, Asking>(
        &self,
        member: &Member,
        deadline: Instant,
        ask: impl Fn(Client) -> Asking,
    ) -> Result<T, Failure>
    where
        Asking: Future<Output = Result<T, Error>>,
    {
        // Making a client logs in, which is a call too.
        let connecting = member.client.get_or_try_init(|| connect::connect(&member.endpoint, &self.options));
        let client = match timeout_at(deadline, Box::pin(connecting)).await {
            Ok(Ok(client)) => client.clone(),
            Ok(Err(error)) => return Err(Failure::Unsent(error)),
            Err(_) => return Err(Failure::TimedOut),
        };
        let mut answer = timeout_at(deadline, Box::pin(ask(client.clone()))).await;
        // The client logs in again by itself when etcd calls the token invalid, but not when it calls it old
        // (somebody changed users or roles) or only answers a watch with "permission denied".
        if self.options.login.is_some()
            && let Ok(Err(error)) = &answer
            && failure::is_old_token(error)
            && let Ok(Ok(())) = timeout_at(deadline, Box::pin(client.refresh_token())).await
        {
            answer = timeout_at(deadline, Box::pin(ask(client))).await;
        }
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if failure::is_unsent(&error) => Err(Failure::Unsent(error)),
            Ok(Err(error)) => Err(Failure::Refused(error)),
            Err(_) => Err(Failure::TimedOut),
        }
    }

    /// Turns to the next member, unless somebody else has already.
    fn leave(&self, number: usize) {
        let next = (number + 1) % self.all.len();
        // Whoever came first has chosen; that choice is as good as ours.
        self.current.compare_exchange(number, next, Ordering::Relaxed, Ordering::Relaxed).ok();
    }
}

impl Failure {
    /// What happened, with all its causes, in words for a person.
    pub(super) fn explain(&self) -> String {
        match self {
            Failure::Unsent(error) | Failure::Refused(error) => failure::causes(error),
            Failure::TimedOut => "no answer in time".to_owned(),
        }
    }

    /// Whether a member that works said no, so that another would say the same.
    fn is_word_of_a_sound_member(&self) -> bool {
        match self {
            Failure::Unsent(_) | Failure::TimedOut => false,
            Failure::Refused(error) => failure::is_refusal(error),
        }
    }
}
