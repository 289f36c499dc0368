//! `encamp server`: the API and the controllers over a store.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use plan::{Guard, Write};
use schemas::key::Key;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::config::{self, FileConfig};
use super::control_plane::{Identity, control_plane};
use super::host;
use crate::api::{self, lifeline::Hearing};
use crate::cache::Cache;
use crate::cli::CliError;
use crate::clock::Clock;
use crate::store::{self, CommitError, Store, Txn};

/// How often the cache is compared with the store.
const DIGEST_EVERY: Duration = Duration::from_secs(60);

/// Arguments of `server`.
#[derive(Clone, Debug, Default, Args)]
pub struct ServerArgs {
    /// A configuration file, HCL or YAML.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the API listens. Default: 127.0.0.1:4646.
    #[arg(long, value_name = "HOST:PORT")]
    pub bind: Option<SocketAddr>,
    /// Where the embedded store lies.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// embedded:PATH or etcd://HOST:PORT,HOST:PORT. Default: embedded in the data directory.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// What every key in etcd begins with. Default: /encamp.
    #[arg(long, value_name = "PATH")]
    pub store_root: Option<String>,
    /// The certificate authority of etcd (PEM).
    #[arg(long, value_name = "FILE")]
    pub store_ca: Option<PathBuf>,
    /// Our certificate for etcd (PEM).
    #[arg(long, value_name = "FILE", requires = "store_key")]
    pub store_cert: Option<PathBuf>,
    /// The key of that certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "store_cert")]
    pub store_key: Option<PathBuf>,
    /// The server's name, unique in the cluster. Default: the host's name and the port.
    #[arg(long)]
    pub name: Option<String>,
}

/// Runs a server until it is told to stop.
pub fn server(args: ServerArgs) -> Result<ExitCode, CliError> {
    let file = config::load(args.config.as_ref())?;
    let log_level = file.log_level();
    host::run(&log_level, |stop| async move {
        let settings = ServerSettings::new(&args, &file)?;
        let store = settings.open().await?;
        let listener = host::listen(settings.bind).await?;
        serve(store, listener, &settings.name, stop).await
    })
}

/// What a server needs to know.
#[derive(Clone, Debug)]
pub(super) struct ServerSettings {
    pub(super) bind: SocketAddr,
    pub(super) store: String,
    pub(super) options: store::Options,
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
        let store = match (args.store.clone().or_else(|| file.server.store.clone()), data_dir) {
            (Some(store), _) => store,
            (None, Some(data_dir)) => format!("embedded:{}", data_dir.join("store").display()),
            (None, None) => {
                return Err(CliError::failed("say where to keep the store: --data-dir DIR or --store URL"));
            }
        };
        let mut options = store::Options::default();
        if let Some(root) = &args.store_root {
            options.root.clone_from(root);
        }
        options.ca_file.clone_from(&args.store_ca);
        options.identity_files = args.store_cert.clone().zip(args.store_key.clone());
        let user = std::env::var("ENCAMP_STORE_USER").ok();
        options.login = user.zip(std::env::var("ENCAMP_STORE_PASSWORD").ok());
        let name = args.name.clone().or_else(|| file.name.clone());
        let name = name.unwrap_or_else(|| format!("{}-{}", host::hostname(), bind.port()));
        Ok(ServerSettings { bind, store, options, name })
    }

    pub(super) async fn open(&self) -> Result<store::AnyStore, CliError> {
        store::open(&self.store, &self.options).await.map_err(|error| CliError::failed(error.to_string()))
    }
}

/// Runs the API and the controllers on an open store until told to stop; then resigns and closes.
pub(super) async fn serve<S: Store>(
    store: S,
    listener: TcpListener,
    name: &str,
    stop: CancellationToken,
) -> Result<(), CliError> {
    let address = listener.local_addr().map_err(|error| CliError::failed(error.to_string()))?;
    let identity = Identity { name: name.to_owned(), address: format!("http://{address}") };
    Box::pin(name_history(&store)).await;
    let (cache, clock) = (Cache::new(DIGEST_EVERY, Clock::system()), Clock::system());
    let mut tasks = control_plane(&store, &cache, &clock, &identity, &stop);
    let hearing = Hearing::new(store.clone(), identity.name.clone());
    tasks.spawn(hearing.clone().follow(cache.clone(), stop.clone()));
    let server = api::Server::new(identity.name, store.clone(), cache, clock, stop.clone());
    let face = api::store_face::router(store, api::agents::allow(), stop.clone());
    let router = server.router().merge(api::lifeline::router(hearing.clone())).merge(face);
    tasks.spawn(hearing.run(stop.clone()));
    {
        let server = server.clone();
        tasks.spawn(async move { server.run().await });
    }
    tasks.spawn(api::serve(listener, router, stop.clone()));
    tracing::info!(%address, server = name, "serving");
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
    let value = format!("\"{}\"", uuid::Uuid::new_v4()).into();
    let txn = Txn { guards: vec![Guard::Absent(key.clone())], writes: vec![Write::Put { key, value }] };
    match store.commit(txn).await {
        // It has one already.
        Ok(_) | Err(CommitError::Conflict) => {}
        Err(error) => tracing::warn!("the store's history has no name yet: {error}"),
    }
}
