//! Every command and flag, and which function answers it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use http_client::DEFAULT_ADDRESS;

use super::connection::{CliError, Connection};
use super::living::Wanted;
use super::{
    apply, delete, describe, diff, get, history, init, local, logs, operator, plan, print, revert, scale,
    status, wait, why, words,
};

/// Runs jobs on machines: containers, plain binaries and more, from one job file.
#[derive(Debug, Parser)]
#[command(name = "encamp", version, propagate_version = true, max_term_width = 100)]
pub(super) struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command that talks to a server takes.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// The server. Default: ENCAMP_ADDR, NOMAD_ADDR, or http://127.0.0.1:4646.
    #[arg(long, global = true, value_name = "URL")]
    pub address: Option<String>,
    /// The namespace. Default: ENCAMP_NAMESPACE, NOMAD_NAMESPACE, or `default`.
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    pub namespace: Option<String>,
}

impl Global {
    /// A connection to the server that was named.
    pub(super) fn connect(&self) -> Result<Connection, CliError> {
        let named = self.address.clone().or_else(|| environment(&["ENCAMP_ADDR", "NOMAD_ADDR"]));
        Connection::new(named.as_deref().unwrap_or(DEFAULT_ADDRESS))
    }
    /// The namespace that was named, if any.
    pub(super) fn named_namespace(&self) -> Option<String> {
        self.namespace.clone().or_else(|| environment(&["ENCAMP_NAMESPACE", "NOMAD_NAMESPACE"]))
    }
    /// The namespace to look in.
    pub(super) fn namespace(&self) -> String {
        self.named_namespace().unwrap_or_else(|| "default".to_owned())
    }
}

fn environment(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server and an agent in this process, for development.
    Dev(process::DevArgs),
    /// Run a server: the API and the controllers.
    Server(process::ServerArgs),
    /// Run an agent: the part that runs tasks on a machine (`-dev` is `encamp dev`).
    Agent(process::AgentArgs),
    /// Make the server's documents equal to files (server-side apply).
    Apply(apply::ApplyArgs),
    /// Apply one job file and follow it until it is healthy.
    Run(apply::RunArgs),
    /// Show what applying a job file would change and where it would run.
    Plan(plan::PlanArgs),
    /// Show how files differ from what the server has.
    Diff(diff::DiffArgs),
    /// List documents.
    Get(get::GetArgs),
    /// Show one document with all that belongs to it.
    Describe(describe::DescribeArgs),
    /// Show anything by the beginning of its name; without a name, all jobs.
    Status(status::StatusArgs),
    /// Delete documents.
    Delete(delete::DeleteArgs),
    /// Stop a job and keep it known.
    Stop(delete::StopArgs),
    /// Change how many instances of a group run.
    Scale(scale::ScaleArgs),
    /// Print what tasks write to stdout and stderr.
    Logs(logs::LogsArgs),
    /// Wait until something is true of a document.
    Wait(wait::WaitArgs),
    /// Tell why a job or an allocation does not run.
    Why(why::WhyArgs),
    /// Check job files without a server.
    Validate(local::ValidateArgs),
    /// Write HCL files in the canonical form.
    Fmt(local::FmtArgs),
    /// Write an example job file.
    Init(init::InitArgs),
    /// Describe a field of a document, as in `encamp explain job.groups.tasks`.
    Explain(local::ExplainArgs),
    /// Print the JSON Schema of a kind.
    Schema(local::SchemaArgs),
    /// Print a completion script for a shell.
    Completion(local::CompletionArgs),
    /// Print the version.
    Version(status::Form),
    /// Nomad's spellings for jobs.
    #[command(subcommand)]
    Job(JobCommand),
    /// Nomad's spellings for nodes.
    #[command(subcommand)]
    Node(NodeCommand),
    /// Nomad's spellings for allocations.
    #[command(subcommand, alias = "allocation")]
    Alloc(AllocCommand),
    /// Nomad's spellings for deployments.
    #[command(subcommand)]
    Deployment(DeploymentCommand),
    /// Keep the cluster itself running: its store, and how silence is judged.
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
}

#[derive(Debug, Subcommand)]
enum JobCommand {
    /// = `encamp run`
    Run(apply::RunArgs),
    /// = `encamp plan`
    Plan(plan::PlanArgs),
    /// = `encamp status`
    Status(status::StatusArgs),
    /// = `encamp stop`
    Stop(delete::StopArgs),
    /// Let a stopped job run again.
    Start(delete::StartArgs),
    /// = `encamp validate`
    Validate(local::ValidateArgs),
    /// = `encamp init`
    Init(init::InitArgs),
    /// = `encamp scale`
    Scale(scale::ScaleArgs),
    /// = `encamp get job NAME -o json`
    Inspect(status::NameArgs),
    /// = `encamp get jobversions` of one job
    History(history::HistoryArgs),
    /// Go back: an earlier version becomes the next one.
    #[command(alias = "rollback")]
    Revert(revert::RevertArgs),
    /// = `encamp get allocations` of one job
    Allocs(status::AllocsArgs),
    /// = `encamp get deployments` of one job
    Deployments(status::NameArgs),
}

#[derive(Debug, Subcommand)]
enum NodeCommand {
    /// All nodes, or one.
    Status(status::NodeStatusArgs),
    /// Allow or forbid new allocations on a node.
    Eligibility(scale::EligibilityArgs),
    /// Give a node up that is gone for good: what it ran is placed elsewhere, and ends should it come back.
    Purge(delete::PurgeArgs),
}

#[derive(Debug, Subcommand)]
enum AllocCommand {
    /// One allocation.
    Status(status::StatusArgs),
    /// = `encamp logs`
    Logs(logs::LogsArgs),
}

#[derive(Debug, Subcommand)]
enum DeploymentCommand {
    /// All rollouts.
    List(status::Form),
    /// One rollout.
    Status(status::StatusArgs),
}

/// Files to read, and the values of their variables.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct FileArgs {
    /// A value of a variable; may be given more than once.
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// A file with values of variables; may be given more than once.
    #[arg(long = "var-file", value_name = "FILE")]
    pub variable_files: Vec<PathBuf>,
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let command = CommandLine::command();
    let words = words::with_two_dashes(std::env::args_os().collect(), &command);
    let parsed = command
        .try_get_matches_from(words)
        .and_then(|matches| CommandLine::from_arg_matches(&matches))
        .unwrap_or_else(|error| words::explained(error).exit());
    match run(parsed) {
        Ok(code) => code,
        Err(error) => {
            print::complain(&error);
            error.code()
        }
    }
}

fn run(line: CommandLine) -> Result<ExitCode, CliError> {
    let CommandLine { global, command } = line;
    match command {
        Command::Version(form) => local::version(&form)?,
        Command::Validate(args) | Command::Job(JobCommand::Validate(args)) => local::validate(&args)?,
        Command::Fmt(args) => local::format(&args)?,
        Command::Init(args) | Command::Job(JobCommand::Init(args)) => init::init(&args)?,
        Command::Explain(args) => local::explain(&args)?,
        Command::Schema(args) => local::schema(&args)?,
        Command::Completion(args) => local::complete(&args, &mut CommandLine::command()),
        Command::Dev(args) => return Ok(process::dev(args)?),
        Command::Server(args) => return Ok(process::server(args)?),
        Command::Agent(args) => return Ok(process::agent(args)?),
        Command::Operator(command) => return operator::operate(&global, command),
        command @ (Command::Apply(_)
        | Command::Run(_)
        | Command::Plan(_)
        | Command::Diff(_)
        | Command::Get(_)
        | Command::Describe(_)
        | Command::Status(_)
        | Command::Delete(_)
        | Command::Stop(_)
        | Command::Scale(_)
        | Command::Logs(_)
        | Command::Wait(_)
        | Command::Why(_)
        | Command::Job(_)
        | Command::Node(_)
        | Command::Alloc(_)
        | Command::Deployment(_)) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| CliError::failed(error.to_string()))?;
            return runtime.block_on(ask(&global, command));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The commands that ask a server.
async fn ask(global: &Global, command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Apply(args) => apply::apply(global, &args).await?,
        Command::Run(args) | Command::Job(JobCommand::Run(args)) => apply::run(global, &args).await?,
        Command::Plan(args) | Command::Job(JobCommand::Plan(args)) => return plan::plan(global, &args).await,
        Command::Diff(args) => return diff::diff(global, &args).await,
        Command::Get(args) => get::get(global, &args).await?,
        Command::Describe(args) => describe::describe(global, &args).await?,
        Command::Status(args) => status::status(global, &args, None).await?,
        Command::Job(JobCommand::Status(args)) => status::status(global, &args, Some("jobs")).await?,
        Command::Node(NodeCommand::Status(args)) => status::nodes(global, &args).await?,
        Command::Alloc(AllocCommand::Status(args)) => {
            status::status(global, &args, Some("allocations")).await?;
        }
        Command::Deployment(DeploymentCommand::Status(args)) => {
            status::status(global, &args, Some("deployments")).await?;
        }
        Command::Deployment(DeploymentCommand::List(form)) => status::deployments(global, &form).await?,
        Command::Delete(args) => delete::delete(global, &args).await?,
        Command::Stop(args) | Command::Job(JobCommand::Stop(args)) => delete::stop(global, &args).await?,
        Command::Job(JobCommand::Start(args)) => delete::start(global, &args).await?,
        Command::Scale(args) | Command::Job(JobCommand::Scale(args)) => scale::scale(global, &args).await?,
        Command::Node(NodeCommand::Eligibility(args)) => scale::eligibility(global, &args).await?,
        Command::Node(NodeCommand::Purge(args)) => delete::purge(global, &args).await?,
        Command::Logs(args) | Command::Alloc(AllocCommand::Logs(args)) => logs::logs(global, &args).await?,
        Command::Wait(args) => wait::wait(global, &args).await?,
        Command::Why(args) => why::why(global, &args).await?,
        Command::Job(JobCommand::Inspect(args)) => status::inspect(global, &args).await?,
        Command::Job(JobCommand::Revert(args)) => revert::revert(global, &args).await?,
        Command::Job(JobCommand::History(args)) => history::history(global, &args).await?,
        Command::Job(JobCommand::Allocs(args)) => {
            status::of_job(global, ("allocations", ""), (&args.job, Wanted::of(args.all))).await?;
        }
        Command::Job(JobCommand::Deployments(args)) => {
            status::of_job(global, ("deployments", ""), (&args, Wanted::All)).await?;
        }
        Command::Version(_)
        | Command::Validate(_)
        | Command::Fmt(_)
        | Command::Init(_)
        | Command::Explain(_)
        | Command::Schema(_)
        | Command::Completion(_)
        | Command::Dev(_)
        | Command::Server(_)
        | Command::Agent(_)
        | Command::Operator(_)
        | Command::Job(JobCommand::Validate(_) | JobCommand::Init(_)) => {
            unreachable!("answered without a server")
        }
    }
    Ok(ExitCode::SUCCESS)
}
