//! The agent's side: starts supervisors, finds them again, and turns what they say into events.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures::stream::BoxStream;
use tokio::{net::UnixStream, sync::mpsc, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    cgroup::Cgroups,
    connection::{Asked, Connection},
    orphan,
    record::{ExitRecord, Found, Record, StateFolder},
    survey,
    wire::{Notice, Order, ProcessLaunch},
};
use crate::{
    TaskId,
    contract::{Event, RunningTask, StartError, Started, Unavailable},
    events::Events,
    task_id::digest,
    turns::Turns,
};

/// A supervisor answers in milliseconds; a machine short of memory may need longer.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Orders are carried out at once.
pub(super) const ORDER_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at a supervisor that does not listen.
const PURSUIT_PAUSE: Duration = Duration::from_millis(20);
/// Orders on their way to one supervisor.
const ORDER_ROOM: usize = 16;

/// Where and how tasks are supervised.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// One folder per task goes here; of one driver alone, and kept over restarts of the agent.
    pub state_root: PathBuf,
    /// The binary with the hidden commands: this one, unless a test says otherwise.
    pub program: PathBuf,
    /// Where tasks get their control groups, if this process may make any.
    pub cgroups: Option<Cgroups>,
}

/// All supervised tasks of one driver. Dropping it leaves the tasks alone.
#[derive(Clone)]
pub struct ProcessHost {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) options: HostOptions,
    events: Events,
    links: Mutex<BTreeMap<TaskId, Link>>,
    pub(super) turns: Turns,
    /// Folders of supervisors that do not listen, each watched once.
    pursued: Mutex<BTreeSet<PathBuf>>,
    /// A supervisor that waits for its task: starting one takes longer than starting most tasks.
    spare: Mutex<Option<UnixStream>>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// A connection to a supervisor: while it lasts, so does the task.
#[derive(Clone)]
pub(super) struct Link {
    record: Record,
    pub(super) orders: mpsc::Sender<Asked>,
}

impl ProcessHost {
    /// Finds what its predecessors left running and attaches to it.
    pub async fn open(options: HostOptions) -> io::Result<Self> {
        std::fs::create_dir_all(&options.state_root)?;
        let stop = CancellationToken::new();
        let inner = Inner {
            options,
            events: Events::new(),
            links: Mutex::default(),
            turns: Turns::default(),
            pursued: Mutex::default(),
            spare: Mutex::default(),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        };
        let host = Self { inner: Arc::new(inner) };
        host.running().await.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(host)
    }

    /// The options it was opened with.
    pub fn options(&self) -> &HostOptions {
        &self.inner.options
    }

    /// The control group of a task: distinct even from that of another agent on this machine.
    pub fn group_name(&self, id: &TaskId) -> String {
        digest(&format!("{}/{id}", self.inner.options.state_root.display()))
    }

    /// See [`crate::Driver::running`]. A task whose folder was removed by somebody else lives on; its
    /// supervisor tells.
    pub async fn running(&self) -> Result<Vec<RunningTask>, Unavailable> {
        let root = self.inner.options.state_root.clone();
        let looked = tokio::task::spawn_blocking(move || survey::look_everywhere(&root)).await;
        let looked = looked.map_err(|error| Unavailable(error.to_string()))?;
        let mut tasks = Vec::new();
        for (folder, found) in looked.map_err(|error| Unavailable(format!("state folder: {error}")))? {
            match found {
                survey::Seen::Alive(record) => {
                    if let Err(error) = self.attach(&folder, &record).await {
                        tracing::debug!(%error, id = %record.id, "no way to the supervisor yet");
                        self.pursue(folder);
                    }
                    tasks.push(survey::alive(&record));
                }
                survey::Seen::Ended(exit) => tasks.push(survey::ended(exit)),
            }
        }
        let links = self.links();
        let without_folder = links.values().filter(|link| tasks.iter().all(|task| task.id != link.record.id));
        let without_folder: Vec<_> = without_folder.map(|link| survey::alive(&link.record)).collect();
        drop(links);
        tasks.extend(without_folder);
        tasks.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(tasks)
    }

    /// See [`crate::Driver::start`].
    pub async fn start(&self, launch: ProcessLaunch) -> Result<Started, StartError> {
        let _mine = self.inner.turns.take(&launch.id).await;
        let folder = StateFolder::of(&self.inner.options.state_root, &launch.id);
        if let Some(known) = self.known(&folder, &launch).await? {
            return Ok(known);
        }
        folder.create().map_err(|error| recoverable("cannot make the state folder", &error))?;
        let started = match timeout(START_PATIENCE, self.launch(&folder, launch)).await {
            Ok(started) => started,
            Err(_) => Err(StartError::Recoverable("the supervisor did not answer".into())),
        };
        if started.is_err() {
            self.settle(&folder).await;
        }
        self.keep_spare();
        started
    }

    /// Whether this launch, or one that forbids it, has been there before.
    async fn known(
        &self,
        folder: &StateFolder,
        launch: &ProcessLaunch,
    ) -> Result<Option<Started>, StartError> {
        let mut found = folder.look().map_err(|error| recoverable("cannot read the state folder", &error))?;
        if matches!(found, Found::Nothing)
            && let Some(link) = self.link(&launch.id)
        {
            found = Found::Supervised(Some(link.record));
        }
        if matches!(found, Found::Orphaned(..)) {
            drop(found);
            self.settle(folder).await;
            found = folder.look().map_err(|error| recoverable("cannot read the state folder", &error))?;
        }
        match found {
            Found::Orphaned(..) => {
                Err(StartError::Recoverable("an earlier start of this task cannot be cleaned up".into()))
            }
            Found::Supervised(Some(record)) if record.incarnation == launch.incarnation => {
                let at = record.started;
                self.attach(folder, &record).await.map_err(|error| recoverable("no supervisor", &error))?;
                Ok(Some(Started { at, already: true, address: None }))
            }
            Found::Supervised(_) | Found::Copied(_) => Err(still_alive()),
            Found::Ended(exit) if exit.incarnation == launch.incarnation => {
                Ok(Some(Started { at: exit.started, already: true, address: None }))
            }
            Found::Nothing | Found::Ended(_) => Ok(None),
        }
    }

    async fn launch(&self, folder: &StateFolder, launch: ProcessLaunch) -> Result<Started, StartError> {
        let order = Order::Launch { folder: folder.path().to_owned(), launch: Box::new(launch) };
        let spare = self.inner.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(spare) = spare {
            match ask(spare, &order).await {
                // It was killed while it waited, and has begun nothing: that is no failure of this task.
                Err(_) | Ok((_, None)) if matches!(folder.look(), Ok(Found::Nothing)) => {}
                answer => return self.judge(answer),
            }
        }
        let supervisor = self.spawn().map_err(|error| recoverable("cannot start a supervisor", &error))?;
        self.judge(ask(supervisor, &order).await)
    }

    /// What a supervisor's first word means.
    fn judge(&self, answer: io::Result<(Connection, Option<Notice>)>) -> Result<Started, StartError> {
        let (link, notice) = answer.map_err(|error| recoverable("the supervisor failed", &error))?;
        match notice {
            Some(Notice::Running(record)) => {
                let at = record.started;
                self.adopt(&record, link);
                self.inner.events.tell(Event::Started { id: record.id, incarnation: record.incarnation });
                Ok(Started { at, already: false, address: None })
            }
            Some(Notice::Failed(failure)) if failure.is_recoverable => {
                Err(StartError::Recoverable(failure.text))
            }
            Some(Notice::Failed(failure)) => Err(StartError::Fatal(failure.text)),
            Some(Notice::Exited(_) | Notice::Done(_)) | None => {
                Err(StartError::Recoverable("the supervisor ended before the task began".into()))
            }
        }
    }

    /// After the first task there is always a supervisor for the next.
    fn keep_spare(&self) {
        let mut spare = self.inner.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.is_none() {
            *spare = self.spawn().inspect_err(|error| tracing::debug!(%error, "no spare supervisor")).ok();
        }
    }

    /// The supervisor is born with one end of a socket as its standard input; if ours is closed, it leaves.
    fn spawn(&self) -> io::Result<UnixStream> {
        let (own, other) = std::os::unix::net::UnixStream::pair()?;
        own.set_nonblocking(true)?;
        let child = tokio::process::Command::new(&self.inner.options.program)
            .arg("__supervise")
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(other)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // Not waited for here: the runtime reaps dropped children, and the socket tells all that matters.
        drop(child);
        UnixStream::from_std(own)
    }

    /// Connects to a supervisor unless there is a connection.
    pub(super) async fn attach(&self, folder: &StateFolder, record: &Record) -> io::Result<()> {
        if self.link(&record.id).is_some_and(|link| link.record.incarnation == record.incarnation) {
            return Ok(());
        }
        // Through the descriptor, since a socket's path may have 107 bytes only.
        let pinned = File::open(folder.path())?;
        let path = format!("/proc/self/fd/{}/socket", pinned.as_raw_fd());
        let link = Connection::new(timeout(ORDER_PATIENCE, UnixStream::connect(path)).await??);
        self.adopt(record, link);
        Ok(())
    }

    /// A supervisor that holds its lock but does not listen is being born or is dying: it is watched until it is clear.
    fn pursue(&self, folder: StateFolder) {
        if !self.pursued().insert(folder.path().to_owned()) {
            return;
        }
        let (inner, stop) = (Arc::downgrade(&self.inner), self.inner.stop.clone());
        tokio::spawn(async move {
            while let Some(host) = inner.upgrade().map(|inner| Self { inner }) {
                // Whoever loses a connection during the look must be able to begin another pursuit.
                host.pursued().remove(folder.path());
                if host.is_clear(&folder).await || !host.pursued().insert(folder.path().to_owned()) {
                    return;
                }
                drop(host);
                tokio::select! { biased;
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PURSUIT_PAUSE) => {}
                }
            }
        });
    }

    /// Attaches to a supervisor that listens, or settles one that is gone; else it is not clear yet which it is.
    async fn is_clear(&self, folder: &StateFolder) -> bool {
        // A look at an orphan holds its lock, so it must be over before settling looks again.
        let supervised = match folder.look() {
            Ok(Found::Supervised(Some(record))) => Some(record),
            Ok(Found::Supervised(None) | Found::Copied(_)) | Err(_) => return false,
            Ok(Found::Ended(_) | Found::Orphaned(..)) => None,
            Ok(Found::Nothing) => {
                // Its folder is gone, and with it the way to tell how it ended.
                self.inner.events.tell(Event::Resync);
                return true;
            }
        };
        let Some(record) = supervised else {
            self.settle(folder).await;
            return true;
        };
        self.attach(folder, &record).await.is_ok()
    }

    fn pursued(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.inner.pursued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn link(&self, id: &TaskId) -> Option<Link> {
        self.links().get(id).cloned()
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<TaskId, Link>> {
        self.inner.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the connection of an incarnation that has ended.
    pub(super) fn unlink(&self, id: &TaskId, incarnation: u32) {
        let mut links = self.links();
        if links.get(id).is_some_and(|link| link.record.incarnation == incarnation) {
            links.remove(id);
        }
    }

    fn adopt(&self, record: &Record, connection: Connection) {
        let (orders, asked) = mpsc::channel(ORDER_ROOM);
        self.links().insert(record.id.clone(), Link { record: record.clone(), orders });
        let (inner, stop) = (Arc::downgrade(&self.inner), self.inner.stop.clone());
        let record = record.clone();
        tokio::spawn(async move {
            tokio::select! { biased;
                () = stop.cancelled() => {}
                exit = connection.follow(asked) => Self::lost(&inner, &record, exit),
            }
        });
    }

    /// A connection is over: the task has ended, or its supervisor was killed.
    fn lost(inner: &Weak<Inner>, record: &Record, exit: Option<ExitRecord>) {
        let Some(inner) = inner.upgrade() else { return };
        let host = Self { inner };
        host.unlink(&record.id, record.incarnation);
        match exit {
            Some(exit) => host.tell_exit(exit),
            // Its socket is closed before its lock: at this moment it may still look alive.
            None => host.pursue(StateFolder::of(&host.inner.options.state_root, &record.id)),
        }
    }

    /// Cleans up after a dead supervisor, and tells an end that is on record.
    async fn settle(&self, folder: &StateFolder) {
        let folder = folder.clone();
        match tokio::task::spawn_blocking(move || orphan::settle(&folder)).await {
            Ok(Ok(Some(exit))) => self.tell_exit(exit),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "a task without supervisor could not be cleaned up");
                self.inner.events.tell(Event::Resync);
            }
            Err(error) => tracing::error!(%error, "cleaning up panicked"),
        }
    }

    fn tell_exit(&self, exit: ExitRecord) {
        let ExitRecord { id, incarnation, started: _, exit } = exit;
        self.inner.events.tell(Event::Exited { id, incarnation, exit });
    }

    /// See [`crate::Driver::events`].
    pub fn events(&self) -> BoxStream<'static, Event> {
        self.inner.events.listen()
    }
}

fn still_alive() -> StartError {
    StartError::StillAlive("an earlier start of this task is still alive".into())
}

/// Gives a supervisor its first order and waits for its first word.
async fn ask(supervisor: UnixStream, order: &Order) -> io::Result<(Connection, Option<Notice>)> {
    let mut link = Connection::new(supervisor);
    link.send(order).await?;
    let notice = link.next().await?;
    Ok((link, notice))
}

fn recoverable(what: &str, error: &io::Error) -> StartError {
    StartError::Recoverable(format!("{what}: {error}"))
}
