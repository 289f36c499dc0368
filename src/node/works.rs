//! Everything the agent waits for, beside its loop: each work ends in a [`Done`] and touches nothing of the loop.

use std::sync::Arc;
use std::time::Duration;

use agent::{AllocationId, DiskRoom, DiskUse, Kill};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use schemas::codec;
use schemas::entry::Entry;
use schemas::job::Version;
use schemas::key::{Key, Prefix, Revision};

use super::details;
use super::disk::Disk;
use super::environment::SeenDirs;
use super::feed::reports_of;
use super::launch::{Ask, Here};
use super::machine::Machine;
use super::ports::{PortAsk, Taken};
use super::reports::Flight;
use drivers::contract::{RunningTask, StartError, Started, Unavailable};
use drivers::{Driver, Signal, TaskId};
use tokio::time::Instant;

use super::versions::VersionAnswer;
use store::{CommitError, ReadError, Store, Txn};

/// A work that has ended.
pub(crate) enum Done {
    /// A start was answered.
    Started { id: TaskId, incarnation: u32, answer: Result<Started, StartError> },
    /// An order to end was taken, or not.
    Stopped { id: TaskId, answer: Result<(), Unavailable> },
    /// A record was removed, or not.
    Forgot { id: TaskId, answer: Result<(), Unavailable> },
    /// The secrets of an allocation that has ended are gone, or stay.
    Sealed,
    /// The folders of an allocation are gone, or stay.
    Removed(AllocationId),
    /// A driver told what it holds.
    Listed { driver: String, asked: u64, answer: Result<Vec<RunningTask>, Unavailable> },
    /// A job version was read.
    Version { key: Key, answer: VersionAnswer },
    /// Reports were sent.
    Reported { flight: Flight, answer: Result<Revision, CommitError> },
    /// The reports were read again.
    ReportsRead(Result<Vec<Entry>, ReadError>),
    /// It was read which allocations have details, or not.
    DetailsRead(Result<Vec<Key>, ReadError>),
    /// The memory was saved, or not.
    Saved,
    /// Details were sent.
    Detailed(Result<Revision, CommitError>),
}

/// What is waited for.
pub(crate) enum Pause {
    /// To look at a driver again.
    Look(String),
    /// To fetch a job version again.
    Fetch(Key),
    /// To read the reports again.
    ReadReports,
    /// To decide about an allocation again.
    Decide(AllocationId),
    /// To save the memory again, if it has changed meanwhile.
    Save,
    /// To measure again what allocations hold on the disk.
    Measure,
    /// What they hold was measured, in that time.
    Measured(Vec<Measured>, Duration),
}

/// What one placement of an allocation holds on the disk.
pub(crate) struct Measured {
    pub(crate) id: AllocationId,
    pub(crate) created: Revision,
    pub(crate) room: DiskRoom,
    pub(crate) held: DiskUse,
}

/// Measures one allocation after the other; what could not be measured is left out.
pub(crate) async fn measure(disk: Arc<dyn Disk>, asked: Vec<(AllocationId, Revision, DiskRoom)>) -> Pause {
    let (began, mut measured) = (tokio::time::Instant::now(), Vec::new());
    for (id, created, room) in asked {
        match disk.measure(id.namespace(), id.allocation(), room).await {
            Ok(held) => measured.push(Measured { id, created, room, held }),
            Err(error) => tracing::warn!(allocation = %id, "what it holds was not measured: {error}"),
        }
    }
    Pause::Measured(measured, began.elapsed())
}

/// Whether the ports of an allocation are somebody else's, once that is known.
pub(crate) type Probe = Shared<BoxFuture<'static, Option<Taken>>>;

/// How long a port may be held by something that is going away, such as the proxy of a container that has just ended.
const PATIENCE: Duration = Duration::from_secs(2);
/// How soon a port that is held is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Looks whether ports are somebody else's.
pub(crate) fn probe(machine: Arc<dyn Machine>, asks: Vec<PortAsk>) -> Probe {
    let probe = async move {
        let until = Instant::now() + PATIENCE;
        loop {
            let taken = machine.taken(asks.clone()).await?;
            if Instant::now() >= until {
                return Some(taken);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    probe.boxed().shared()
}

/// Waits for the ports, makes the folders, then starts the task.
pub(crate) async fn start(
    driver: Option<Arc<dyn Driver>>,
    disk: Arc<dyn Disk>,
    (ask, here): (Ask, Arc<Here>),
    probe: Option<Probe>,
) -> Done {
    let (id, incarnation) = (ask.id.clone(), ask.incarnation);
    let answer = async {
        if let Some(probe) = probe
            && let Some(Taken { port, holder }) = probe.await
        {
            return Err(StartError::PortTaken { port, holder });
        }
        let driver = driver
            .ok_or_else(|| StartError::Fatal(format!("this node has no driver {}", ask.task.driver)))?;
        let dirs = disk.prepare(&ask.id, ask.secrets_mb()).await;
        let dirs = dirs.map_err(|error| StartError::Recoverable(format!("cannot make folders: {error}")))?;
        let seen = if driver.has_own_root() { SeenDirs::inside() } else { SeenDirs::on_host(&dirs) };
        let launch = ask.launch(dirs, &seen, &here);
        match ask.excess(&launch, &here) {
            Some(why) => Err(StartError::Fatal(why)),
            None => driver.start(launch).await,
        }
    };
    let answer = answer.await;
    Done::Started { id, incarnation, answer }
}

/// Asks a task to end.
pub(crate) async fn stop(driver: Option<Arc<dyn Driver>>, id: TaskId, kill: Option<Kill>) -> Done {
    let (signal, grace) = match kill {
        Some(Kill { signal, grace }) => (signal.parse().unwrap_or(Signal::TERM), grace.to_std()),
        None => (Signal::TERM, Duration::from_secs(5)),
    };
    let answer = match driver {
        Some(driver) => driver.stop(&id, signal, grace).await,
        None => Err(Unavailable("its driver is gone".to_owned())),
    };
    Done::Stopped { id, answer }
}

/// Removes the runtime's record of a task.
pub(crate) async fn forget(driver: Option<Arc<dyn Driver>>, id: TaskId) -> Done {
    let answer = match driver {
        Some(driver) => driver.forget(&id).await,
        None => Ok(()),
    };
    Done::Forgot { id, answer }
}

/// Takes the secrets of an allocation that has ended out of memory.
pub(crate) async fn take_off_secrets(disk: Arc<dyn Disk>, id: AllocationId) -> Done {
    if let Err(error) = disk.take_off_secrets(id.namespace(), id.allocation()).await {
        tracing::warn!(allocation = %id, "secrets stay in memory: {error}");
    }
    Done::Sealed
}

/// Removes the folders of an allocation.
pub(crate) async fn remove(disk: Arc<dyn Disk>, id: AllocationId) -> Done {
    if let Err(error) = disk.remove(id.namespace(), id.allocation()).await {
        tracing::warn!(allocation = %id, "folders were not removed: {error}");
    }
    Done::Removed(id)
}

/// Asks a driver what it holds.
pub(crate) async fn look(driver: Arc<dyn Driver>, name: String, asked: u64) -> Done {
    Done::Listed { driver: name, asked, answer: driver.running().await }
}

/// Reads a job version.
pub(crate) async fn fetch<S: Store>(store: S, key: Key) -> Done {
    let answer = store.list(&Prefix::one(&key)).await.map(|listing| {
        let version = listing.entries.first().and_then(|entry| {
            codec::decode::<Version>(&entry.value)
                .inspect_err(|error| tracing::error!(%key, "a job version cannot be read: {error}"))
                .ok()
        });
        (listing.revision, version.map(Box::new))
    });
    Done::Version { key, answer }
}

/// Sends reports.
pub(crate) async fn send<S: Store>(store: S, flight: Flight) -> Done {
    let answer = store.commit(flight.txn.clone()).await;
    Done::Reported { flight, answer }
}

/// Reads the node's reports.
pub(crate) async fn read_reports<S: Store>(store: S, node: String) -> Done {
    Done::ReportsRead(store.list(&reports_of(&node)).await.map(|listing| listing.entries))
}

/// Reads which allocations have details.
pub(crate) async fn read_details<S: Store>(store: S, node: String) -> Done {
    Done::DetailsRead(details::read(&store, &node).await)
}

/// Saves the memory.
pub(crate) async fn save(disk: Arc<dyn Disk>, bytes: Vec<u8>) -> Done {
    if let Err(error) = disk.save(bytes).await {
        tracing::warn!("the agent's memory was not saved: {error}");
    }
    Done::Saved
}

/// Writes documents that only people read.
pub(crate) async fn write_details<S: Store>(store: S, txn: Txn) -> Done {
    Done::Detailed(store.commit(txn).await)
}
