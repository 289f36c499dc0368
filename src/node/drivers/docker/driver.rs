//! The contract, spoken to a Docker daemon.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bollard::{
    API_DEFAULT_VERSION, Docker as Daemon,
    auth::DockerCredentials,
    models::ContainerInspectResponse,
    query_parameters::{
        CreateContainerOptionsBuilder, CreateImageOptionsBuilder, KillContainerOptionsBuilder,
        ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    },
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use tokio::{
    sync::{broadcast, watch},
    time::timeout,
};
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    answer::{self, Known, Life, is_conflict, is_missing, life, start_error, unavailable},
    body::{self, LABEL_NODE},
    config::Config,
    output::Cursor,
    watch::listen,
};
use crate::node::drivers::{
    Driver, Launch, Signal, TaskId,
    contract::{
        Event, Exec, Fingerprint, RunningTask, SignalFailure, StartError, Started, Stats, Unavailable,
    },
};

/// Events kept for a slow listener before it must resync.
const EVENT_ROOM: usize = 1024;
/// What one answer of the daemon may take: long enough for a busy disk, short enough to call it gone.
const ANSWER_SECONDS: u64 = 60;
/// What a pull may take unless the job says otherwise.
const PULL_PATIENCE: Duration = Duration::from_mins(5);
/// The daemon's own default set of capabilities, less raw sockets.
const USUAL_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct DockerOptions {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// Whose containers these are: agents that share a daemon keep to their own.
    pub node: String,
    /// Where the driver remembers how much output it has copied.
    pub state_root: PathBuf,
    /// Jobs may mount any folder of the host and docker volumes.
    pub allow_volumes: bool,
    /// Jobs may switch walls off: `privileged`, host namespaces, security options.
    pub allow_privileged: bool,
    /// Capabilities that jobs may add.
    pub allowed_capabilities: Vec<String>,
}

impl DockerOptions {
    /// What is safe: neither volumes nor privileges.
    pub fn new(node: &str, state_root: PathBuf) -> Self {
        Self {
            socket: "/var/run/docker.sock".into(),
            node: node.to_owned(),
            state_root,
            allow_volumes: false,
            allow_privileged: false,
            allowed_capabilities: USUAL_CAPABILITIES.map(str::to_owned).to_vec(),
        }
    }
}

/// The driver. Dropping it leaves the containers alone.
#[derive(Clone)]
pub struct Docker {
    pub(super) shared: Arc<Shared>,
}

/// What the driver and its listeners share; nothing here decides what runs.
pub(super) struct Shared {
    /// Made when the socket is first there: the client refuses one that does not exist yet.
    client: OnceLock<Daemon>,
    pub(super) options: DockerOptions,
    events: broadcast::Sender<Event>,
    /// Containers between their making and their start: not an end that nobody saw.
    starting: Mutex<BTreeSet<TaskId>>,
    turns: Mutex<BTreeMap<TaskId, Arc<tokio::sync::Mutex<()>>>>,
    followed: Mutex<HashMap<String, watch::Receiver<()>>>,
    pub(super) stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Shared {
    /// The way to the daemon.
    pub(super) fn docker(&self) -> Result<&Daemon, bollard::errors::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let socket = self.options.socket.to_string_lossy();
        let client = Daemon::connect_with_unix(&socket, ANSWER_SECONDS, API_DEFAULT_VERSION)?;
        Ok(self.client.get_or_init(|| client))
    }

    pub(super) fn tell(&self, event: Event) {
        // Nobody listening is fine: events are hints.
        match self.events.send(event) {
            Ok(_) | Err(_) => {}
        }
    }

    pub(super) fn followed(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<()>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn starting(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container of a task, whatever its state.
    pub(super) async fn find(&self, id: &TaskId) -> Result<Option<Found>, bollard::errors::Error> {
        let name = body::name_of(&self.options.node, id);
        match self.docker()?.inspect_container(&name, None).await {
            Ok(found) => Ok(Some(Found { known: Known::inspected(&found, &self.options.node), found })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The live container of a task.
    pub(super) async fn find_running(&self, id: &TaskId) -> Result<String, SignalFailure> {
        let found = self.find(id).await.map_err(|error| unavailable(&error))?;
        let found = found.filter(|found| life(found.found.state.as_ref()) == Life::Running);
        found.and_then(|found| found.known).map(|known| known.container).ok_or(SignalFailure::NotRunning)
    }
}

/// A container with a task's name; foreign if it carries no labels of ours.
pub(super) struct Found {
    known: Option<Known>,
    found: ContainerInspectResponse,
}

impl Docker {
    /// Begins to listen. A daemon that is away is no error: it is looked for again and again.
    pub fn open(options: DockerOptions) -> io::Result<Self> {
        std::fs::create_dir_all(&options.state_root)?;
        let stop = CancellationToken::new();
        let (events, _) = broadcast::channel(EVENT_ROOM);
        let shared = Arc::new(Shared {
            client: OnceLock::new(),
            options,
            events,
            starting: Mutex::default(),
            turns: Mutex::default(),
            followed: Mutex::default(),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        });
        tokio::spawn(listen(Arc::downgrade(&shared)));
        Ok(Self { shared })
    }

    fn docker(&self) -> Result<&Daemon, StartError> {
        self.shared.docker().map_err(|error| start_error("docker", &error))
    }

    fn turn(&self, id: &TaskId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.shared.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(id.clone()).or_default().clone()
    }

    async fn start_once(&self, launch: Launch) -> Result<Started, StartError> {
        let config = Config::read(&launch.config)?;
        let body = body::of(&launch, &config, &self.shared.options)?;
        let name = body::name_of(&self.shared.options.node, &launch.id);
        let docker = self.docker()?;
        if let Some(found) =
            self.shared.find(&launch.id).await.map_err(|error| start_error("docker", &error))?
            && let Some(known) = self.settle_former(&launch, &found).await?
        {
            return Ok(known);
        }
        self.ensure_image(&config).await?;
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let created = docker.create_container(Some(options), body).await;
        let container = created.map_err(|error| start_error("cannot make the container", &error))?.id;
        self.begin(&container).await
    }

    /// What is there under the task's name: this very start, a former one, or somebody else's.
    async fn settle_former(&self, launch: &Launch, found: &Found) -> Result<Option<Started>, StartError> {
        let Found { known: Some(known), found } = found else {
            let name = body::name_of(&self.shared.options.node, &launch.id);
            return Err(StartError::Recoverable(format!("a foreign container has the name {name}")));
        };
        let state = life(found.state.as_ref());
        let is_same = known.incarnation == launch.incarnation;
        match state {
            Life::Created if is_same => self.begin(&known.container).await.map(Some),
            Life::Running | Life::Exited(_) if is_same => {
                self.shared.follow(known);
                let task = answer::task(known, found);
                Ok(Some(Started { at: task.started, already: true, address: task.address }))
            }
            Life::Running => {
                Err(StartError::Recoverable("an earlier start of this task is still alive".into()))
            }
            Life::Created | Life::Exited(_) => {
                self.remove(&known.container).await.map_err(|error| StartError::Recoverable(error.0))?;
                Ok(None)
            }
        }
    }

    /// Starts a container that was made; one that does not start is removed.
    async fn begin(&self, container: &str) -> Result<Started, StartError> {
        let docker = self.docker()?;
        if let Err(error) = docker.start_container(container, None).await
            && !is_conflict(&error)
        {
            if let Err(error) = self.remove(container).await {
                tracing::warn!(%error, container, "a container that did not start stays behind");
            }
            return Err(start_error("cannot start the container", &error));
        }
        let found = docker.inspect_container(container, None).await;
        let found = found.map_err(|error| start_error("the container vanished", &error))?;
        if let Some(known) = Known::inspected(&found, &self.shared.options.node) {
            self.shared.follow(&known);
        }
        let at = answer::time(found.state.as_ref().and_then(|state| state.started_at.as_deref()));
        Ok(Started { at, already: false, address: answer::address(&found) })
    }

    async fn remove(&self, container: &str) -> Result<(), Unavailable> {
        let options = RemoveContainerOptionsBuilder::default().v(true).build();
        let docker = self.shared.docker().map_err(|error| unavailable(&error))?;
        match docker.remove_container(container, Some(options)).await {
            Err(error) if !is_missing(&error) && !is_conflict(&error) => Err(unavailable(&error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn ensure_image(&self, config: &Config) -> Result<(), StartError> {
        let docker = self.docker()?;
        if !config.force_pull {
            match docker.inspect_image(&config.image).await {
                Ok(_) => return Ok(()),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(start_error("docker", &error)),
            }
        }
        let patience = config.image_pull_timeout.map_or(PULL_PATIENCE, schemas::duration::Duration::to_std);
        match timeout(patience, self.pull(config)).await {
            Ok(pulled) => pulled,
            Err(_) => {
                let text = format!("pulling image {:?} took longer than {patience:?}", config.image);
                Err(StartError::Recoverable(text))
            }
        }
    }

    async fn pull(&self, config: &Config) -> Result<(), StartError> {
        let (name, tag) = split_image(&config.image);
        let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
        let credentials = config.auth.as_ref().map(|auth| DockerCredentials {
            username: Some(auth.username.clone()),
            password: Some(auth.password.clone()),
            email: auth.email.clone(),
            serveraddress: auth.server_address.clone(),
            ..DockerCredentials::default()
        });
        let mut progress = Box::pin(self.docker()?.create_image(Some(options), None, credentials));
        while let Some(step) = progress.next().await {
            if let Err(error) = step {
                let text =
                    format!("image {:?} is not on this node and cannot be pulled: {error}", config.image);
                return Err(StartError::Recoverable(text));
            }
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<RunningTask>, Unavailable> {
        let filters = HashMap::from([("label", vec![format!("{LABEL_NODE}={}", self.shared.options.node)])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let docker = self.shared.docker().map_err(|error| unavailable(&error))?;
        let listed = docker.list_containers(Some(options)).await.map_err(|error| unavailable(&error))?;
        let mut tasks = Vec::new();
        for container in listed.into_iter().filter_map(|listed| listed.id) {
            let found = match docker.inspect_container(&container, None).await {
                Ok(found) => found,
                Err(error) if is_missing(&error) => continue,
                Err(error) => return Err(unavailable(&error)),
            };
            let Some(known) = Known::inspected(&found, &self.shared.options.node) else { continue };
            let is_being_born =
                life(found.state.as_ref()) == Life::Created && self.shared.starting().contains(&known.id);
            if !is_being_born {
                tasks.push(answer::task(&known, &found));
            }
        }
        tasks.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(tasks)
    }

    async fn kill(&self, container: &str, signal: Signal) -> Result<(), bollard::errors::Error> {
        let options = KillContainerOptionsBuilder::default().signal(&signal.to_string()).build();
        match self.shared.docker()?.kill_container(container, Some(options)).await {
            Err(error) if !is_missing(&error) && !is_conflict(&error) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn stop_with(&self, id: &TaskId, signal: Signal, grace: Duration) -> Result<(), Unavailable> {
        let container = match self.shared.find_running(id).await {
            Ok(container) => container,
            Err(SignalFailure::Unavailable(error)) => return Err(error),
            Err(SignalFailure::NotRunning | SignalFailure::Refused(_)) => return Ok(()),
        };
        if grace.is_zero() {
            return self.kill(&container, Signal::KILL).await.map_err(|error| unavailable(&error));
        }
        self.kill(&container, signal).await.map_err(|error| unavailable(&error))?;
        let (driver, stop) = (self.clone(), self.shared.stop.clone());
        let forced = async move {
            tokio::time::sleep(grace).await;
            // By the container's own id: a later one of the task has another.
            if let Err(error) = driver.kill(&container, Signal::KILL).await {
                tracing::warn!(%error, container, "could not be killed");
            }
        };
        tokio::spawn(async move {
            tokio::select! { biased;
                () = stop.cancelled() => {}
                () = forced => {}
            }
        });
        Ok(())
    }

    async fn look_at_daemon(&self) -> Fingerprint {
        let socket = self.shared.options.socket.display();
        let version = match self.shared.docker() {
            Ok(docker) => docker.version().await,
            Err(error) => Err(error),
        };
        match version {
            Ok(version) => {
                let mut attributes = BTreeMap::from([("driver.docker".to_owned(), "1".to_owned())]);
                attributes.extend(version.version.map(|text| ("driver.docker.version".to_owned(), text)));
                let flags = [
                    ("volumes", self.shared.options.allow_volumes),
                    ("privileged", self.shared.options.allow_privileged),
                ];
                for (name, _) in flags.into_iter().filter(|(_, is_on)| *is_on) {
                    attributes.insert(format!("driver.docker.{name}.enabled"), "true".to_owned());
                }
                Fingerprint { detected: true, healthy: true, reason: "Healthy".to_owned(), attributes }
            }
            Err(error) => {
                let detected = self.shared.options.socket.exists();
                let reason = format!("no docker daemon answers at {socket}: {error}");
                Fingerprint { detected, healthy: false, reason, attributes: BTreeMap::new() }
            }
        }
    }
}

/// `registry:5000/name:tag`, `name@sha256:…`, or a bare name, which means `latest`.
fn split_image(image: &str) -> (&str, &str) {
    if image.contains('@') {
        return (image, "");
    }
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        Some(_) | None => (image, "latest"),
    }
}

impl Driver for Docker {
    fn fingerprint(&self) -> BoxFuture<'_, Fingerprint> {
        self.look_at_daemon().boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<Vec<RunningTask>, Unavailable>> {
        self.list().boxed()
    }

    fn start(&self, launch: Launch) -> BoxFuture<'_, Result<Started, StartError>> {
        async move {
            let id = launch.id.clone();
            let turn = self.turn(&id);
            let _mine = turn.lock().await;
            self.shared.starting().insert(id.clone());
            let started = self.start_once(launch).await;
            self.shared.starting().remove(&id);
            started
        }
        .boxed()
    }

    fn signal<'a>(&'a self, id: &'a TaskId, signal: Signal) -> BoxFuture<'a, Result<(), SignalFailure>> {
        async move {
            let container = self.shared.find_running(id).await?;
            self.kill(&container, signal).await.map_err(|error| unavailable(&error).into())
        }
        .boxed()
    }

    fn stop<'a>(
        &'a self,
        id: &'a TaskId,
        signal: Signal,
        grace: Duration,
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        self.stop_with(id, signal, grace).boxed()
    }

    fn forget<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<(), Unavailable>> {
        async move {
            let turn = self.turn(id);
            let _mine = turn.lock().await;
            let found = self.shared.find(id).await.map_err(|error| unavailable(&error))?;
            if let Some(Found { known: Some(known), found }) = found {
                if life(found.state.as_ref()) == Life::Running {
                    return Ok(());
                }
                self.remove(&known.container).await?;
            }
            Cursor::remove(&self.shared.options.state_root, id);
            Ok(())
        }
        .boxed()
    }

    fn events(&self) -> BoxStream<'static, Event> {
        let events = BroadcastStream::new(self.shared.events.subscribe());
        events.map(|event| event.unwrap_or(Event::Resync)).boxed()
    }

    fn as_exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }

    fn as_stats(&self) -> Option<&dyn Stats> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_split_into_name_and_tag() {
        let table = [
            ("redis", ("redis", "latest")),
            ("redis:7", ("redis", "7")),
            ("host:5000/a/b", ("host:5000/a/b", "latest")),
            ("host:5000/a:1", ("host:5000/a", "1")),
            ("a@sha256:12", ("a@sha256:12", "")),
        ];
        for (image, expected) in table {
            assert_eq!(split_image(image), expected, "{image}");
        }
    }
}
