//! `encamp dev`: a server with an embedded store and an agent in one process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::agent::{self, NodeArgs};
use super::config::{self, FileConfig};
use super::host;
use super::lanes::{Lanes, Roads};
use super::server::{self, ServerArgs, ServerSettings};
use super::storage::StoreArgs;
use super::{leftovers, ownership, throwaway};
use crate::error::StartError;
use crate::host::talk;
use node::disk::DataDir;
use node::{self, AgentConfig};

/// Arguments of `dev`.
#[derive(Clone, Debug, Default, Args)]
pub struct DevArgs {
    /// Where the API listens. Default: 127.0.0.1:4646.
    #[arg(long, value_name = "HOST:PORT", value_parser = host::address)]
    pub(super) bind: Option<SocketAddr>,
    /// Where everything is kept. Default: a new folder, removed at the end.
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) storage: StoreArgs,
    #[command(flatten)]
    pub(super) node: NodeArgs,
    /// A configuration file, HCL or YAML.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// Runs both until told to stop, then ends all tasks. With a data directory of its own, a kill -9 and a new
/// start find everything as it was.
pub fn dev(args: DevArgs) -> Result<ExitCode, StartError> {
    let file = config::load(args.config.as_ref())?;
    let log_level = file.log_level();
    let roads = Roads::open()?;
    let lanes = roads.lanes();
    host::run(&log_level, |stop| async move {
        leftovers::clear_up(std::env::temp_dir()).await;
        let named = args.data_dir.clone().or_else(|| file.data_dir.clone());
        let Some(folder) = named else {
            let (folder, lock) = throwaway::make(&std::env::temp_dir())?;
            let result = Box::pin(both(&args, &file, folder.clone(), (&lanes, stop))).await;
            throwaway::remove(&folder, lock);
            return result;
        };
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let _lock = ownership::lock(&folder).await?;
        Box::pin(both(&args, &file, folder, (&lanes, stop))).await
    })
}

async fn both(
    args: &DevArgs,
    file: &FileConfig,
    folder: PathBuf,
    (lanes, stop): (&Lanes, CancellationToken),
) -> Result<(), StartError> {
    let server_args = ServerArgs {
        bind: args.bind,
        data_dir: Some(folder.clone()),
        storage: args.storage.clone(),
        ..ServerArgs::default()
    };
    let settings = ServerSettings::new(&server_args, file)?;
    let listener = host::listen(settings.bind).await?;
    let Some((store, _store_lock)) = settings.open(lanes, &listener, &stop).await? else { return Ok(()) };
    let address = listener.local_addr().map_err(|error| StartError::failed(error.to_string()))?;

    let mut config = AgentConfig::new(file.name.clone().unwrap_or_else(host::hostname), folder.join("agent"));
    file.over(&mut config)?;
    args.node.over(&mut config)?;
    config.servers = vec![format!("http://{address}")];
    config.raw_exec = true;
    config.bind = SocketAddr::new(address.ip(), 0);
    let owned = ownership::own(&config, args.node.reset()).await?;

    talk(&format!("encamp {} dev: http://{address}", env!("CARGO_PKG_VERSION")));
    talk(&format!("  data in {}", folder.display()));
    talk("  try:  encamp init && encamp run web.hcl        stop with Ctrl-C");

    // The server outlives the agent, so that the agent's last reports are heard.
    let server_stop = CancellationToken::new();
    let serving = server::serve(store.clone(), listener, &settings, (lanes, server_stop.clone()));
    let running = agent::run(config.clone(), &owned, store.clone(), stop.clone());
    tokio::pin!(serving, running);
    let drivers = tokio::select! { biased;
        result = &mut serving => return result,
        result = &mut running => result?,
    };
    talk("stopping: ending all tasks");
    let left = tokio::select! { biased;
        result = &mut serving => return result,
        left = node::drain_all(&drivers) => left,
    };
    server_stop.cancel();
    serving.await?;
    if !left.is_empty() {
        return Err(StartError::failed(format!(
            "the server is down, these may still run: {}",
            left.join(", ")
        )));
    }
    take_off_secrets(&config).await;
    talk("stopped: all tasks have ended, the server is down");
    Ok(())
}

/// Takes away what tasks had in memory.
async fn take_off_secrets(config: &AgentConfig) {
    if let Err(error) = DataDir::new(config.data_dir.clone()).take_off_all_secrets().await {
        tracing::warn!("secrets are still mounted below {}: {error}", config.data_dir.display());
    }
}
