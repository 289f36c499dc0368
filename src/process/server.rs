//! `encamp server`: the API and the controllers over a store.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use clap::Args;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::config::{self, FileConfig};
use super::control_plane::{ControlPlane, Identity};
use super::lanes::{Lanes, Roads};
use super::storage::StoreArgs;
#[cfg(feature = "etcd")]
use super::upkeep::keep_up;
use super::{epoch, host, opening, ownership, watchdog};
use crate::error::StartError;
use api::exposure::Listening;
use api::{self, lifeline::Hearing};
use cache::{Cache, Cached};
use clock::Clock;
use http_server::{self, Limits};
use node::data_lock::DataLock;
use store::{self, AnyStore};

/// How often the cache is compared with the store.
const DIGEST_EVERY: Duration = Duration::from_secs(60);

/// Arguments of `server`.
#[derive(Clone, Debug, Default, Args)]
pub struct ServerArgs {
    /// A configuration file, HCL or YAML.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the API listens. Default: 127.0.0.1:4646.
    #[arg(long, value_name = "HOST:PORT", value_parser = host::address)]
    pub bind: Option<SocketAddr>,
    /// Where the embedded store lies.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the documents lie.
    #[command(flatten)]
    pub storage: StoreArgs,
    /// The server's name, unique in the cluster. Default: the host's name and the port.
    #[arg(long)]
    pub name: Option<String>,
}

/// Runs a server until it is told to stop.
pub fn server(args: ServerArgs) -> Result<ExitCode, StartError> {
    let file = config::load(args.config.as_ref())?;
    let log_level = file.log_level();
    let roads = Roads::open()?;
    let lanes = roads.lanes();
    host::run(&log_level, |stop| async move {
        let settings = ServerSettings::new(&args, &file)?;
        let listener = host::listen(settings.bind).await?;
        let Some((store, _lock)) = settings.open(&lanes, &listener, &stop).await? else { return Ok(()) };
        serve(store, listener, &settings, (&lanes, stop)).await
    })
}

/// What a server needs to know.
#[derive(Clone, Debug)]
pub(super) struct ServerSettings {
    pub(super) bind: SocketAddr,
    pub(super) store: String,
    pub(super) options: store::Options,
    /// How much history etcd keeps for slow watches, if it is for us to say.
    #[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "other stores keep what they can"))]
    pub(super) history: Option<Duration>,
    pub(super) name: String,
    /// How much is answered at once.
    pub(super) limits: Limits,
}

impl ServerSettings {
    /// Flags over files over defaults.
    pub(super) fn new(args: &ServerArgs, file: &FileConfig) -> Result<ServerSettings, StartError> {
        let bind = match args.bind {
            Some(bind) => bind,
            None => file.api_bind()?,
        };
        let data_dir = args.data_dir.clone().or_else(|| file.data_dir.clone());
        let storage = args.storage.over(&file.server);
        let (store, options) = (storage.address(data_dir.as_deref())?, storage.options()?);
        let name = args.name.clone().or_else(|| file.name.clone());
        let name = name.unwrap_or_else(|| format!("{}-{}", host::hostname(), bind.port()));
        let limits = Limits::of_server(file.limits.per_address);
        Ok(ServerSettings { bind, store, options, history: storage.history(), name, limits })
    }

    /// Opens the store on the lane of life, where the connections that it makes stay; nothing if told to stop before it
    /// was there. One that lies in a folder is ours alone as long as the lock is held.
    pub(super) async fn open(
        &self,
        lanes: &Lanes,
        listener: &TcpListener,
        stop: &CancellationToken,
    ) -> Result<Option<(AnyStore, Option<DataLock>)>, StartError> {
        let lock = match self.store.strip_prefix("embedded:") {
            Some(folder) => Some(ownership::lock(Path::new(folder)).await?),
            None => None,
        };
        let store = opening::open((&self.store, &self.options), &lanes.life, listener, stop).await?;
        Ok(store.map(|store| (store, lock)))
    }
}

/// What agents beat on, and what tells who else reaches this server.
fn lifeline(hearing: Hearing<AnyStore>, cache: &Cache, address: SocketAddr) -> Router {
    api::lifeline::router(hearing, cache.clone()).merge(api::exposure::router(address, cache.clone()))
}

/// Says where the server is, and who else may reach it there.
fn announce(address: SocketAddr, settings: &ServerSettings) {
    tracing::info!(%address, server = settings.name, "serving");
    host::warn_if_open(Listening::Api(address));
}

/// Runs the API and the controllers on an open store until told to stop; then resigns and closes.
pub(super) async fn serve(
    store: AnyStore,
    listener: TcpListener,
    settings: &ServerSettings,
    (lanes, stop): (&Lanes, CancellationToken),
) -> Result<(), StartError> {
    let address = listener.local_addr().map_err(|error| StartError::failed(error.to_string()))?;
    let identity = Identity { name: settings.name.clone(), address: format!("http://{address}") };
    Box::pin(epoch::name(&store)).await;
    let kept = store.clone();
    let (cache, clock) = (Cache::new(DIGEST_EVERY, Clock::system()), Clock::system());
    let hearing = Hearing::new(store.clone(), identity.name.clone(), clock.clone());
    let plane = ControlPlane {
        store: store.clone(),
        cache: cache.clone(),
        clock: clock.clone(),
        identity: identity.clone(),
        hearing: hearing.clone(),
    };
    let mut tasks = JoinSet::new();
    for (lane, part) in plane.parts(&stop) {
        tasks.spawn_on(part, lanes.of(lane));
    }
    watchdog::watch(lanes, &stop, &mut tasks);
    #[cfg(feature = "etcd")]
    keep_up(&store, &cache, settings, &stop, &mut tasks);
    let server = api::Server::new(identity.name, store.clone(), cache.clone(), clock, stop.clone());
    tasks.spawn(api::strays::collect(store.clone(), cache.clone(), settings.name.clone(), stop.clone()));
    let allow = api::agents::allow(cache.clone());
    let lifeline = lifeline(hearing, &cache, address);
    let face = api::store_face::router(Cached::new(store, cache), allow, stop.clone());
    let router = server.router().merge(lifeline).merge(face);
    tasks.spawn(async move { server.run().await });
    let listener = listener.into_std().map_err(|error| StartError::failed(error.to_string()))?;
    let (router, limits) = (api::hand_over(router, Handle::current()), settings.limits);
    let stopped = stop.clone();
    let answering = async move {
        match TcpListener::from_std(listener) {
            Ok(listener) => http_server::serve(listener, router, limits, stopped).await,
            Err(error) => tracing::error!(%error, "the listener cannot be used"),
        }
    };
    tasks.spawn_on(answering, &lanes.life);
    announce(address, settings);
    let keeping = epoch::keep(kept, stop.clone());
    tokio::pin!(keeping);
    let mut is_kept = true;
    loop {
        let ended = tokio::select! { biased;
            ended = tasks.join_next() => ended,
            kept = &mut keeping, if is_kept => {
                is_kept = false;
                kept.map_err(|(before, now)| StartError::failed(format!(
                    "the store is another one now: its epoch was {before} and is {now}; start the server again"
                )))?;
                continue;
            }
        };
        let Some(ended) = ended else { return Ok(()) };
        ended.map_err(|error| StartError::failed(format!("a part of the server failed: {error}")))?;
        if !stop.is_cancelled() {
            return Err(StartError::failed("a part of the server ended by itself"));
        }
    }
}
