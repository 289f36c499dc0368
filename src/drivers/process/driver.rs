//! The contract, kept by the process host; its kinds differ only in how a launch becomes a process.

use std::{io, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture, stream::BoxStream};

use super::{
    enter::Walls,
    host::{HostOptions, ProcessHost},
    wire::ProcessLaunch,
};
use crate::{
    Driver, Launch, Signal, TaskId,
    contract::{
        Event, Exec, ExecCommand, ExecSession, Fingerprint, RunningTask, SignalFailure, StartError, Started,
        Stats, Unavailable, Usage,
    },
};

/// A driver of supervised processes.
pub struct ProcessDriver {
    host: ProcessHost,
    kind: Arc<dyn ProcessKind>,
}

/// What tells one such driver from another.
pub trait ProcessKind: Send + Sync + 'static {
    /// What stands around its tasks.
    fn walls(&self) -> Walls;
    /// Whether it works on this machine.
    fn fingerprint(&self, host: &ProcessHost) -> Fingerprint;
    /// A launch reduced to what the kernel needs, or what is wrong with it. May block for a moment.
    fn plan(&self, launch: Launch, host: &ProcessHost) -> Result<ProcessLaunch, StartError>;
}

impl ProcessDriver {
    /// Opens the driver and attaches to the tasks of its predecessors.
    pub async fn open(options: HostOptions, kind: Arc<dyn ProcessKind>) -> io::Result<Self> {
        Ok(Self { host: ProcessHost::open(options).await?, kind })
    }
}

impl Driver for ProcessDriver {
    fn fingerprint(&self) -> BoxFuture<'_, Fingerprint> {
        std::future::ready(self.kind.fingerprint(&self.host)).boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<Vec<RunningTask>, Unavailable>> {
        self.host.running().boxed()
    }

    fn start(&self, launch: Launch) -> BoxFuture<'_, Result<Started, StartError>> {
        async {
            // Whoever knows the names of users may be far away, so nobody else waits for it.
            let (kind, host) = (self.kind.clone(), self.host.clone());
            let planned = tokio::task::spawn_blocking(move || kind.plan(launch, &host)).await;
            let planned = planned.map_err(|error| StartError::Recoverable(error.to_string()))?;
            self.host.start(planned?).await
        }
        .boxed()
    }

    fn signal<'a>(&'a self, id: &'a TaskId, signal: Signal) -> BoxFuture<'a, Result<(), SignalFailure>> {
        self.host.signal(id, signal).boxed()
    }

    fn stop<'a>(
        &'a self,
        id: &'a TaskId,
        signal: Signal,
        grace: Duration,
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        self.host.stop(id, signal, grace).boxed()
    }

    fn forget<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<(), Unavailable>> {
        self.host.forget(id).boxed()
    }

    fn events(&self) -> BoxStream<'static, Event> {
        self.host.events()
    }

    fn has_own_root(&self) -> bool {
        match self.kind.walls() {
            Walls::None => false,
            Walls::Jail => true,
        }
    }

    fn as_exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }

    fn as_stats(&self) -> Option<&dyn Stats> {
        Some(self)
    }
}

impl Exec for ProcessDriver {
    fn exec<'a>(
        &'a self,
        id: &'a TaskId,
        command: ExecCommand,
    ) -> BoxFuture<'a, Result<ExecSession, SignalFailure>> {
        async { self.host.exec(id, command, self.kind.walls()) }.boxed()
    }
}

impl Stats for ProcessDriver {
    fn stats<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<Usage, SignalFailure>> {
        async { self.host.stats(id) }.boxed()
    }
}
