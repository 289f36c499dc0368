//! `encamp agent`: runs tasks on this machine for a cluster somewhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use schemas::agent_address::{AgentAddress, NoAgentAddress};
use schemas::node_name;
use tokio::task::JoinSet;

use super::config::{self, FileConfig};
use super::dev::{DevArgs, dev};
use super::host;
use super::ownership::{self, Owned, Reset};
use super::storage::StoreArgs;
use crate::error::StartError;
use api::exposure::Listening;
use clock::Clock;
use drivers::{self, Driver};
use node::disk::DataDir;
use node::lifeline::HttpLifeline;
use node::machine::{Machine as _, ThisMachine};
use node::probe::NetworkProber;
use node::{self, AgentConfig, World};
use store::{Http, Store};

/// Arguments of `agent`.
#[derive(Clone, Debug, Default, Args)]
pub struct AgentArgs {
    /// Run a server and an agent together, for development: the same as `encamp dev`.
    #[arg(long, conflicts_with = "servers")]
    dev: bool,
    #[command(flatten)]
    node: NodeArgs,
    /// The servers' addresses, joined by commas. Default: http://127.0.0.1:4646.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    servers: Vec<String>,
    /// A configuration file, HCL or YAML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where allocations and logs lie.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the agent answers servers for logs. Default: 127.0.0.1, any port.
    #[arg(long, value_name = "HOST:PORT", value_parser = host::address)]
    bind: Option<SocketAddr>,
    /// Allow the raw_exec driver, whose tasks have all rights of the agent.
    #[arg(long)]
    raw_exec: bool,
}

impl AgentArgs {
    /// The arguments of `dev` that mean the same.
    fn for_dev(self) -> DevArgs {
        // There is but one server, and raw_exec is allowed anyway.
        let AgentArgs { dev: _, node, servers: _, config, data_dir, bind, raw_exec: _ } = self;
        DevArgs { bind, data_dir, storage: StoreArgs::default(), node, config }
    }
}

/// What a node is called and where it belongs.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct NodeArgs {
    /// The node's name, unique in the cluster. Default: the host's name.
    #[arg(long = "node", alias = "name", value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Where the machine stands. Default: dc1.
    #[arg(long, alias = "dc", value_name = "NAME")]
    pub(super) datacenter: Option<String>,
    /// The pool that jobs choose. Default: default.
    #[arg(long, value_name = "NAME")]
    pub(super) node_pool: Option<String>,
    /// A free word for machines that are alike.
    #[arg(long, value_name = "NAME")]
    pub(super) node_class: Option<String>,
    /// A word for jobs to match as ${meta.KEY}; may be given more than once.
    #[arg(long = "meta", value_name = "KEY=VALUE")]
    pub(super) meta: Vec<String>,
    /// Take a new node id: for a data directory that was copied and is to be a node of its own.
    #[arg(long)]
    pub(super) reset_node_id: bool,
}

impl NodeArgs {
    /// Whether the node keeps its id.
    pub(super) fn reset(&self) -> Reset {
        if self.reset_node_id { Reset::NewId } else { Reset::KeepId }
    }

    /// Flags over what the configuration says.
    pub(super) fn over(&self, config: &mut AgentConfig) -> Result<(), StartError> {
        let set = |to: &mut String, from: &Option<String>| {
            if let Some(from) = from {
                to.clone_from(from);
            }
        };
        set(&mut config.name, &self.name);
        set(&mut config.datacenter, &self.datacenter);
        set(&mut config.pool, &self.node_pool);
        set(&mut config.class, &self.node_class);
        for given in &self.meta {
            let Some((key, value)) = given.split_once('=') else {
                return Err(StartError::failed(format!("--meta {given:?} is not KEY=VALUE")));
            };
            config.meta.insert(key.to_owned(), value.to_owned());
        }
        Ok(())
    }
}

/// Runs an agent until it is told to stop. Its tasks go on: the next agent finds them.
pub fn agent(args: AgentArgs) -> Result<ExitCode, StartError> {
    if args.dev {
        return dev(args.for_dev());
    }
    let file = config::load(args.config.as_ref())?;
    let log_level = file.log_level();
    host::run(&log_level, |stop| async move {
        let config = settings(&args, &file)?;
        let client = http_client::builder().build().map_err(|error| StartError::failed(error.to_string()))?;
        let store =
            Http::new(&config.servers, client).map_err(|error| StartError::failed(error.to_string()))?;
        let owned = ownership::own(&config, args.node.reset()).await?;
        let (id, session) = (&owned.identity.id, &owned.identity.session);
        tracing::info!(node = config.name, id, session, servers = ?config.servers, "starting the agent");
        run(config, &owned, store, stop).await.map(drop)
    })
}

fn settings(args: &AgentArgs, file: &FileConfig) -> Result<AgentConfig, StartError> {
    let data_dir = args.data_dir.clone().or_else(|| file.data_dir.clone());
    let data_dir = data_dir.ok_or_else(|| StartError::failed("say where allocations lie: --data-dir DIR"))?;
    // Supervisors stand in folders of their own: a path from here would lead them elsewhere.
    let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
    let mut config = AgentConfig::new(file.name.clone().unwrap_or_else(host::hostname), data_dir);
    file.over(&mut config)?;
    args.node.over(&mut config)?;
    if !args.servers.is_empty() {
        config.servers.clone_from(&args.servers);
    }
    if config.servers.is_empty() {
        config.servers.push(http_client::DEFAULT_ADDRESS.to_owned());
    }
    config
        .servers
        .iter_mut()
        .filter(|server| !server.contains("://"))
        .for_each(|server| server.insert_str(0, "http://"));
    config.raw_exec |= args.raw_exec;
    config.bind = args.bind.unwrap_or(config.bind);
    Ok(config)
}

/// Runs the agent's loop with the drivers of this machine over a directory that is owned, and answers servers that
/// ask for logs. The drivers are left to whoever wants to end what they hold.
pub(super) async fn run<S: Store>(
    mut config: AgentConfig,
    owned: &Owned,
    store: S,
    stop: tokio_util::sync::CancellationToken,
) -> Result<BTreeMap<String, Arc<dyn Driver>>, StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::failed(error.to_string());
    node_name::check(&config.name)
        .map_err(|why| StartError::failed(format!("{:?} is not the name of a node: {why}", config.name)))?;
    let lifeline = HttpLifeline::new(config.servers.clone()).map_err(|error| failed(&error))?;
    let listener = host::listen(config.bind).await?;
    config.bind = listener.local_addr().map_err(|error| failed(&error))?;
    config.advertise = Some(advertised(&config)?);
    host::warn_if_open(Listening::Agent(config.bind));
    let drivers = node::open_all(&config, &owned.identity.id).await;
    let disk = DataDir::new(config.data_dir.clone());
    let mut answering = JoinSet::new();
    answering.spawn(node::http::serve(listener, disk.allocations(), stop.clone()));
    let world = World {
        store,
        prober: Arc::new(NetworkProber::new(drivers.clone()).map_err(|error| failed(&error))?),
        drivers: drivers.clone(),
        clock: Clock::system(),
        disk: Arc::new(disk),
        lifeline: Arc::new(lifeline),
        machine: Arc::new(ThisMachine::new(&config)),
        identity: owned.identity.clone(),
    };
    node::run(config, world, stop).await;
    // Whoever still follows a log is cut off.
    answering.shutdown().await;
    Ok(drivers)
}

/// Where servers find this agent: as it was told, with the port it listens on where none was said; else where it
/// listens, or where the machine is reached if it listens everywhere.
fn advertised(config: &AgentConfig) -> Result<String, StartError> {
    let port = config.bind.port();
    let Some(told) = &config.advertise else {
        let ip = config.bind.ip();
        let ip = if ip.is_unspecified() { ThisMachine::new(config).host_ip() } else { ip };
        return Ok(SocketAddr::new(ip, port).to_string());
    };
    let with_port = if told.contains(':') { format!("[{told}]:{port}") } else { format!("{told}:{port}") };
    let address =
        told.parse::<AgentAddress>().or_else(|why| with_port.parse().map_err(|_: NoAgentAddress| why));
    let address = address.map_err(|why| {
        StartError::failed(format!("advertise.http: servers cannot call this agent at {told:?}: {why}"))
    })?;
    Ok(address.to_string())
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;

    fn parsed(line: &str) -> Result<AgentArgs, clap::Error> {
        let command = AgentArgs::augment_args(Command::new("agent"));
        AgentArgs::from_arg_matches(&command.try_get_matches_from(line.split(' '))?)
    }

    #[test]
    fn development_minds_the_other_flags() {
        let line = "agent --dev --node n7 --meta rack=r1 --config a.hcl --data-dir /d --bind 127.0.0.1:7000";
        let DevArgs { bind, data_dir, storage: _, node, config } = parsed(line).unwrap().for_dev();
        assert_eq!((node.name.as_deref(), &node.meta[..]), (Some("n7"), &["rack=r1".to_owned()][..]));
        assert_eq!((config, data_dir), (Some("a.hcl".into()), Some("/d".into())));
        assert_eq!(bind.map(|bind| bind.port()), Some(7000));
        assert!(parsed("agent --dev --servers http://a:4646").is_err(), "its server is its own");
    }

    #[test]
    fn an_agent_says_where_it_can_be_called() {
        let said = |bind: &str, told: Option<&str>| {
            let mut config = AgentConfig::new("n1", "/d");
            config.bind = bind.parse().unwrap();
            config.advertise = told.map(str::to_owned);
            config.host_ip = Some("10.0.0.7".parse().unwrap());
            advertised(&config).ok()
        };
        assert_eq!(said("127.0.0.1:70", None).as_deref(), Some("127.0.0.1:70"));
        assert_eq!(said("0.0.0.0:70", None).as_deref(), Some("10.0.0.7:70"));
        assert_eq!(said("0.0.0.0:70", Some("n1.example.org")).as_deref(), Some("n1.example.org:70"));
        assert_eq!(said("0.0.0.0:70", Some("fd00::1")).as_deref(), Some("[fd00::1]:70"));
        assert_eq!(said("0.0.0.0:70", Some("10.0.0.9:71")).as_deref(), Some("10.0.0.9:71"));
        assert_eq!(said("0.0.0.0:70", Some("http://n1:71")), None);
        assert_eq!(said("0.0.0.0:70", Some("169.254.169.254:71")), None);
    }

    #[test]
    fn a_data_directory_is_named_from_here() {
        let args = AgentArgs { data_dir: Some("data".into()), ..AgentArgs::default() };
        let config = settings(&args, &FileConfig::default()).unwrap();
        assert_eq!(config.data_dir, std::env::current_dir().unwrap().join("data"));
    }
}
