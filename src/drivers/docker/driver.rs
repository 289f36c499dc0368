//! The contract, spoken to a Docker daemon.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::Arc,
    time::Duration,
};

use bollard::{
    Docker as Daemon,
    query_parameters::{
        CreateContainerOptionsBuilder, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
        RemoveContainerOptionsBuilder,
    },
};
use futures::{FutureExt as _, future::BoxFuture, stream::BoxStream};

use super::{
    answer::{self, Known, Life, is_conflict, is_missing, life, start_error, unavailable},
    body::{self, LABEL_NODE},
    config::Config,
    output::Cursor,
    shared::{DockerOptions, Found, Shared},
    watch::listen,
};
use crate::{
    Driver, Launch, Signal, TaskId,
    contract::{
        Event, Exec, Fingerprint, RunningTask, SignalFailure, StartError, Started, Stats, Unavailable,
    },
};

/// The driver. Dropping it leaves the containers alone.
#[derive(Clone)]
pub struct Docker {
    pub(super) shared: Arc<Shared>,
}

impl Docker {
    /// Begins to listen. A daemon that is away is no error: it is looked for again and again.
    pub fn open(options: DockerOptions) -> io::Result<Self> {
        std::fs::create_dir_all(&options.state_root)?;
        let shared = Arc::new(Shared::new(options));
        tokio::spawn(listen(Arc::downgrade(&shared)));
        Ok(Self { shared })
    }

    pub(super) fn docker(&self) -> Result<&Daemon, StartError> {
        self.shared.docker().map_err(|error| start_error("docker", &error))
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
                Err(StartError::StillAlive("an earlier start of this task is still alive".into()))
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
                if !self.shared.options.allow_host_network {
                    attributes.insert("driver.docker.host_network".to_owned(), "0".to_owned());
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
            let _mine = self.shared.turns.take(&id).await;
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
            let _mine = self.shared.turns.take(id).await;
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
        self.shared.events.listen()
    }

    fn has_own_root(&self) -> bool {
        true
    }

    fn as_exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }

    fn as_stats(&self) -> Option<&dyn Stats> {
        Some(self)
    }
}
