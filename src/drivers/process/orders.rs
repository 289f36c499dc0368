//! What an agent asks of tasks that run: signals, ends, measures, oblivion.

use std::{io, time::Duration};

use tokio::{sync::oneshot, time::timeout};

use super::{
    host::{Link, ORDER_PATIENCE, ProcessHost},
    record::{Found, Record, StateFolder},
    wire::Order,
};
use crate::{
    Signal, TaskId,
    contract::{SignalFailure, Unavailable, Usage},
};

impl ProcessHost {
    /// Gives an order to a live supervisor.
    async fn order(&self, id: &TaskId, order: Order) -> Result<(), SignalFailure> {
        let link = match self.link(id) {
            Some(link) => link,
            None => self.reach(id).await?,
        };
        let (answer, answered) = oneshot::channel();
        let carried_out = async {
            link.orders.send((order, answer)).await.map_err(|_| SignalFailure::NotRunning)?;
            answered.await.map_err(|_| SignalFailure::NotRunning)
        };
        match timeout(ORDER_PATIENCE, carried_out).await {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(refusal))) => Err(SignalFailure::Refused(refusal)),
            Ok(Err(gone)) => Err(gone),
            Err(_) => Err(Unavailable("the supervisor does not answer".into()).into()),
        }
    }

    async fn reach(&self, id: &TaskId) -> Result<Link, SignalFailure> {
        let folder = StateFolder::of(&self.inner.options.state_root, id);
        let unknown = |error: io::Error| SignalFailure::Unavailable(Unavailable(error.to_string()));
        let Found::Supervised(Some(record)) = folder.look().map_err(unknown)? else {
            return Err(SignalFailure::NotRunning);
        };
        self.attach(&folder, &record).await.map_err(unknown)?;
        self.link(id).ok_or(SignalFailure::NotRunning)
    }

    /// See [`crate::Driver::signal`].
    pub async fn signal(&self, id: &TaskId, signal: Signal) -> Result<(), SignalFailure> {
        self.order(id, Order::Signal(signal.number())).await
    }

    /// See [`crate::Driver::stop`].
    pub async fn stop(&self, id: &TaskId, signal: Signal, grace: Duration) -> Result<(), Unavailable> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        match self.order(id, Order::Stop { signal: signal.number(), grace_ms }).await {
            Ok(()) | Err(SignalFailure::NotRunning) => Ok(()),
            Err(SignalFailure::Refused(text)) => Err(Unavailable(text)),
            Err(SignalFailure::Unavailable(error)) => Err(error),
        }
    }

    /// See [`crate::Driver::forget`].
    pub async fn forget(&self, id: &TaskId) -> Result<(), Unavailable> {
        let _mine = self.inner.turns.take(id).await;
        let (host, folder) = (self.clone(), StateFolder::of(&self.inner.options.state_root, id));
        let forgotten = tokio::task::spawn_blocking(move || match folder.look()? {
            Found::Ended(exit) => {
                // The supervisor leaves right after writing the exit; its folder must not vanish under it.
                let _lock = folder.lock()?;
                host.unlink(&exit.id, exit.incarnation);
                folder.remove()
            }
            Found::Nothing => folder.remove(),
            Found::Supervised(_) | Found::Orphaned(..) | Found::Copied(_) => Ok(()),
        });
        let forgotten = forgotten.await.map_err(|error| Unavailable(error.to_string()))?;
        forgotten.map_err(|error| Unavailable(format!("state folder: {error}")))
    }

    /// See [`crate::contract::Stats::stats`].
    pub fn stats(&self, id: &TaskId) -> Result<Usage, SignalFailure> {
        let record = self.record(id)?;
        let cgroup = record.cgroup.ok_or_else(|| SignalFailure::Refused("no control groups here".into()))?;
        Ok(cgroup.usage())
    }

    /// The record of a live task.
    pub fn record(&self, id: &TaskId) -> Result<Record, SignalFailure> {
        let folder = StateFolder::of(&self.inner.options.state_root, id);
        match folder.look().map_err(|error| Unavailable(error.to_string()))? {
            Found::Supervised(Some(record)) => Ok(record),
            Found::Supervised(None)
            | Found::Nothing
            | Found::Ended(_)
            | Found::Orphaned(..)
            | Found::Copied(_) => Err(SignalFailure::NotRunning),
        }
    }
}
