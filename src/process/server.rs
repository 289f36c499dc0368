//! `encamp server`: the API and the controllers over a store.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use plan::{Guard, Write};
use schemas::key::{Key, Prefix};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::config::{self, FileConfig};
use super::control_plane::{Identity, control_plane};
use super::host;
use super::lanes::{Lanes, Roads};
use super::storage::StoreArgs;
#[cfg(feature = "etcd")]
use super::upkeep::keep_up;
use super::watchdog;
use crate::api::{self, lifeline::Hearing};
use crate::cache::{Cache, Cached};
use crate::cli::CliError;
use crate::clock::Clock;
use crate::store::{self, AnyStore, CommitError, Store, Txn};

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
pub fn server(args: ServerArgs) -> Result<ExitCode, CliError> {
    let file = config::load(args.config.as_ref())?;
    let log_level = file.log_level();
    let roads = Roads::open()?;
    let lanes = roads.lanes();
    host::run(&log_level, |stop| async move {
        let settings = ServerSettings::new(&args, &file)?;
        let store = settings.open(&lanes).await?;
        let listener = host::listen(settings.bind).await?;
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
    pub(super) history: Option<Duration>,
    pub(super) name: String,
}

impl ServerSettings {
    /// Flags over files over defaults.
    pub(super) fn new(args: &ServerArgs, file: &FileConfig) -> Result<ServerSettings, CliError> {
        let bind = match args.bind {
            Some(bind) => bind,
            None => file.api_bind()?,
        };
        let data_dir = args.data_dir.clone().or_else(|| file.data_dir.clone());
        let storage = args.storage.over(&file.server);
        let (store, options) = (storage.address(data_dir.as_deref())?, storage.options()?);
        let name = args.name.clone().or_else(|| file.name.clone());
        let name = name.unwrap_or_else(|| format!("{}-{}", host::hostname(), bind.port()));
        Ok(ServerSettings { bind, store, options, history: storage.history(), name })
    }

    /// Opens the store on the lane of life, where the connections that it makes stay.
    pub(super) async fn open(&self, lanes: &Lanes) -> Result<store::AnyStore, CliError> {
        let (address, options) = (self.store.clone(), self.options.clone());
        let opening = lanes.life.spawn(async move { store::open(&address, &options).await });
        let opened = opening.await.map_err(|error| CliError::failed(error.to_string()))?;
        opened.map_err(|error| CliError::failed(error.to_string()))
    }
}

/// Runs the API and the controllers on an open store until told to stop; then resigns and closes.
pub(super) async fn serve(
    store: AnyStore,
    listener: TcpListener,
    settings: &ServerSettings,
    (lanes, stop): (&Lanes, CancellationToken),
) -> Result<(), CliError> {
    let address = listener.local_addr().map_err(|error| CliError::failed(error.to_string()))?;
    let identity = Identity { name: settings.name.clone(), address: format!("http://{address}") };
    Box::pin(name_history(&store)).await;
    let (cache, clock) = (Cache::new(DIGEST_EVERY, Clock::system()), Clock::system());
    let mut tasks = control_plane(&store, &cache, &clock, &identity, (lanes, &stop));
    watchdog::watch(lanes, &stop, &mut tasks);
    #[cfg(feature = "etcd")]
    keep_up(&store, &cache, settings, &stop, &mut tasks);
    let hearing = Hearing::new(store.clone(), identity.name.clone());
    tasks.spawn(hearing.clone().follow(cache.clone(), stop.clone()));
    let server = api::Server::new(identity.name, store.clone(), cache.clone(), clock, stop.clone());
    let face = api::store_face::router(Cached::new(store, cache), api::agents::allow(), stop.clone());
    let router = server.router().merge(api::lifeline::router(hearing.clone())).merge(face);
    tasks.spawn_on(hearing.run(stop.clone()), &lanes.life);
    {
        let server = server.clone();
        tasks.spawn(async move { server.run().await });
    }
    let listener = listener.into_std().map_err(|error| CliError::failed(error.to_string()))?;
    let (main, stopped) = (Handle::current(), stop.clone());
    let answering = async move {
        match TcpListener::from_std(listener) {
            Ok(listener) => api::serve(listener, (router, main), stopped).await,
            Err(error) => tracing::error!(%error, "the listener cannot be used"),
        }
    };
    tasks.spawn_on(answering, &lanes.life);
    tracing::info!(%address, server = settings.name, "serving");
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| CliError::failed(format!("a part of the server failed: {error}")))?;
        if !stop.is_cancelled() {
            return Err(CliError::failed("a part of the server ended by itself"));
        }
    }
    Ok(())
}

/// Gives the store's history a name if it has none: agents and uids tell one store from another by it.
async fn name_history<S: Store>(store: &S) {
    let key = Key::epoch();
    // A full etcd refuses every put, needed or not.
    if store.list(&Prefix::one(&key)).await.is_ok_and(|listing| !listing.entries.is_empty()) {
        return;
    }
    let value = format!("\"{}\"", uuid::Uuid::new_v4()).into();
    let txn = Txn { guards: vec![Guard::Absent(key.clone())], writes: vec![Write::Put { key, value }] };
    match store.commit(txn).await {
        // Another server was faster.
        Ok(_) | Err(CommitError::Conflict) => {}
        Err(error) => tracing::warn!("the store's history has no name yet: {error}"),
    }
}
