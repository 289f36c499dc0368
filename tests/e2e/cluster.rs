//! A whole cluster of real processes over loopback, in a directory of its own.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use crate::{
    api::{Allocation, Api},
    etcd::Etcd,
    mounts, ports,
    process::{self, Process},
    wait,
};

/// How the cluster is put together.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// `encamp dev`: server, agent and embedded store in one process.
    Dev,
    /// `encamp server` with a store of its own, and this many `encamp agent`s.
    Embedded {
        /// How many agents.
        agents: usize,
    },
    /// `encamp server` over a real etcd, and this many `encamp agent`s.
    Etcd {
        /// How many agents.
        agents: usize,
    },
    /// The same with flags of its own.
    Special(Special),
}

/// A cluster over an etcd that is not like the others.
#[derive(Clone, Copy, Debug)]
pub struct Special {
    /// How many agents.
    pub agents: usize,
    /// How many members etcd has.
    pub members: usize,
    /// More flags of etcd.
    pub etcd: &'static [&'static str],
    /// More flags of the server.
    pub server: &'static [&'static str],
}

impl Shape {
    fn agents(self) -> usize {
        match self {
            Shape::Dev => 0,
            Shape::Embedded { agents } | Shape::Etcd { agents } | Shape::Special(Special { agents, .. }) => {
                agents
            }
        }
    }

    /// How many nodes there are once all is started.
    fn ready(self) -> usize {
        if matches!(self, Shape::Dev) { 1 } else { self.agents() }
    }

    fn nodes(self) -> usize {
        self.agents().max(1)
    }
}

/// The running cluster. Dropping it ends every process it started and every task these left behind.
pub struct Cluster {
    /// The API, seen as a user sees it.
    pub api: Api,
    agents: Vec<Option<Process>>,
    /// The process of the server (or `dev`).
    pub server: Option<Process>,
    /// The store's own process, where there is one.
    pub etcd: Option<Etcd>,
    shape: Shape,
    port: u16,
    ranges: Vec<ports::Range>,
    directory: tempfile::TempDir,
}

impl Cluster {
    /// Starts everything and waits until all nodes are ready.
    pub async fn start(shape: Shape) -> Cluster {
        Cluster::start_with(shape, (0..shape.nodes()).map(|_| ports::range()).collect()).await
    }

    /// The same with ports that were chosen, a range for each node.
    pub async fn start_with(shape: Shape, ranges: Vec<ports::Range>) -> Cluster {
        let directory =
            tempfile::Builder::new().prefix("encamp-e2e-").tempdir().expect("/tmp can be written");
        for inner in ["witness", "jobs"] {
            std::fs::create_dir(directory.path().join(inner)).expect("a new directory can be made");
        }
        let etcd = match shape {
            Shape::Etcd { .. } => Some(Etcd::start(directory.path(), 1, &[]).await),
            Shape::Special(special) => {
                Some(Etcd::start(directory.path(), special.members, special.etcd).await)
            }
            Shape::Dev | Shape::Embedded { .. } => None,
        };
        let port = ports::free();
        let api = Api::new(format!("http://127.0.0.1:{port}"));
        let mut cluster =
            Cluster { api, agents: Vec::new(), server: None, etcd, shape, port, ranges, directory };
        cluster.write_configuration();
        cluster.start_server().await;
        for index in 0..shape.agents() {
            cluster.agents.push(None);
            cluster.start_agent(index);
        }
        cluster.until_nodes_are_ready(shape.ready()).await;
        cluster
    }

    /// Starts the server (or `dev`) and waits for `/readyz`.
    pub async fn start_server(&mut self) {
        let mut command = self.encamp();
        match self.shape {
            Shape::Dev => command.arg("dev").arg("--config").arg(self.configuration(0)),
            Shape::Embedded { .. } | Shape::Etcd { .. } => command.arg("server"),
            Shape::Special(special) => command.arg("server").args(special.server),
        };
        command.args(["--bind", &format!("127.0.0.1:{}", self.port), "--data-dir"]);
        command.arg(self.path("server"));
        if let Some(etcd) = &self.etcd {
            command.args(["--store", &etcd.address()]);
        }
        self.server = Some(Process::start("server", &mut command, self.directory.path()));
        wait::until(wait::START, "the server to be ready", async || {
            let server = self.server.as_mut().expect("it was just started");
            assert!(server.is_running(), "the server ended\n{}", server.last_words());
            self.api.is_ready().await.map_err(|error| format!("{error}\n{}", server.last_words()))
        })
        .await;
    }

    /// Starts the agent of node `n<index>`, over the data it left.
    pub fn start_agent(&mut self, index: usize) {
        let mut command = self.encamp();
        command.args(["agent", "--raw-exec", "--node", &node(index), "--servers", self.api.address()]);
        command.arg("--config").arg(self.configuration(index)).arg("--data-dir").arg(self.path(&node(index)));
        self.agents[index] = Some(Process::start(&node(index), &mut command, self.directory.path()));
    }

    /// Ends the server as a power cut would.
    pub fn kill_server(&mut self) {
        self.server.take().expect("the server runs").kill_9();
    }

    /// Ends an agent as a power cut would; its tasks go on.
    pub fn kill_agent(&mut self, index: usize) {
        self.agents[index].take().expect("the agent runs").kill_9();
    }

    /// Stops the server in its tracks: connections stay open, nothing answers.
    pub fn freeze_server(&self) {
        self.server.as_ref().expect("the server runs").freeze();
    }

    /// Lets the server go on.
    pub fn thaw_server(&self) {
        self.server.as_ref().expect("the server runs").thaw();
    }

    /// Asks the server (or `dev`) to end, and says whether it did so well.
    pub fn stop_server(&mut self) -> bool {
        self.server.take().expect("the server runs").terminate(Duration::from_secs(20))
    }

    /// Waits until this many nodes are ready.
    pub async fn until_nodes_are_ready(&self, count: usize) {
        wait::until(wait::START, "the nodes to be ready", async || {
            let ready = self.api.ready_nodes().await?;
            if ready.len() == count {
                Ok(())
            } else {
                Err(format!("ready: {ready:?}\n{}", self.last_words()))
            }
        })
        .await;
    }

    /// Writes a job file and gives its path.
    pub fn write_job(&self, name: &str, text: &str) -> String {
        let file = self.path("jobs").join(format!("{name}.hcl"));
        std::fs::write(&file, text).expect("the job file can be written");
        file.into_os_string().into_string().expect("the path is plain text")
    }

    /// Applies a job file with our own command line.
    pub fn apply(&self, name: &str, text: &str) {
        self.run(&["apply", &self.write_job(name, text)]);
    }

    /// Applies a job file that is accepted and cannot become healthy: whether the command waits for that or not.
    pub fn apply_broken(&self, name: &str, text: &str) {
        let output = self.try_run(&["apply", &self.write_job(name, text)]);
        assert!(matches!(output.status.code(), Some(0 | 2)), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Waits until a job has exactly this many instances, all wanted, running and healthy.
    pub async fn until_healthy(&self, job: &str, count: usize) {
        wait::until(wait::ROLLOUT, &format!("{count} healthy instances of {job}"), async || {
            let allocations = self.api.allocations(job).await?;
            let serving = allocations.iter().filter(|one| one.is_serving()).count();
            let live =
                allocations.iter().filter(|one| matches!(one.state.as_str(), "running" | "pending")).count();
            let done = serving == count && live == count;
            if done { Ok(()) } else { Err(format!("{allocations:#?}\n{}", self.last_words())) }
        })
        .await;
    }

    /// The names of the instances of a job that serve.
    pub async fn names(&self, job: &str) -> BTreeSet<String> {
        let allocations = self.api.allocations(job).await.expect("the API answers");
        allocations.into_iter().filter(Allocation::is_serving).map(|one| one.name).collect()
    }

    /// Ends a node as a power cut would: its agent and every task on it.
    pub fn kill_node(&mut self, index: usize) {
        self.kill_agent(index);
        process::clear_away(&self.path(&node(index)));
    }

    /// Runs our command line against the cluster and gives what it printed.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.try_run(arguments);
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "encamp {} ended with {status}\n{stdout}\n{stderr}", arguments.join(" "));
        stdout.into_owned()
    }

    /// Runs our command line and gives all it answered.
    pub fn try_run(&self, arguments: &[impl AsRef<OsStr>]) -> Output {
        let mut command = self.command(arguments);
        command.env("ENCAMP_ADDR", self.api.address()).output().expect("the binary under test runs")
    }

    /// A command line of ours, not yet run.
    pub fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = self.encamp();
        command.args(arguments);
        command
    }

    /// Starts a process beside those of the cluster.
    pub fn start_another(&self, name: &str, arguments: &[impl AsRef<OsStr>]) -> Process {
        Process::start(name, &mut self.command(arguments), self.directory.path())
    }

    /// The process of an agent.
    pub fn agent(&self, index: usize) -> &Process {
        self.agents[index].as_ref().expect("the agent runs")
    }

    /// Runs our command line again and again until it succeeds: the cluster may not be able to write for a while.
    pub async fn until_done(&self, arguments: &[&str]) {
        wait::until(wait::STEP, &arguments.join(" "), async || {
            let answer = self.try_run(arguments);
            let why = || String::from_utf8_lossy(&answer.stderr).into_owned();
            if answer.status.success() { Ok(()) } else { Err(why()) }
        })
        .await;
    }

    /// The tasks that live, by their own word.
    pub fn tasks(&self) -> Vec<process::Identity> {
        witnesses(&self.witness())
    }

    /// These tasks still live, each as the process that it was.
    #[track_caller]
    pub fn assert_alive(&self, before: &[process::Identity]) {
        let after = self.tasks();
        assert!(
            before.iter().all(|one| after.contains(one)),
            "{before:?} became {after:?}\n{}",
            self.last_words()
        );
    }

    /// Where tasks write who they are.
    pub fn witness(&self) -> PathBuf {
        self.path("witness")
    }

    /// A path of the cluster's own directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The ends of all logs, for the message of a failing test.
    pub fn last_words(&self) -> String {
        let running = self.server.iter().chain(self.agents.iter().flatten());
        running.map(Process::last_words).collect::<Vec<_>>().join("\n")
    }

    /// One file per node, which keeps the ports of its tasks apart from those of all other nodes on this machine.
    fn write_configuration(&self) {
        for (index, ports::Range { first, last, .. }) in self.ranges.iter().enumerate() {
            let text = format!("client {{\n  min_dynamic_port = {first}\n  max_dynamic_port = {last}\n}}\n");
            std::fs::write(self.configuration(index), text).expect("a new file can be written");
        }
    }

    fn configuration(&self, index: usize) -> PathBuf {
        self.path(&format!("{}.hcl", node(index)))
    }

    fn encamp(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_encamp"));
        command
            .env_remove("ENCAMP_ADDR")
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path());
        command.env("NO_COLOR", "1");
        command
    }
}

/// The name of an agent's node.
pub fn node(index: usize) -> String {
    format!("n{index}")
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.agents.clear();
        self.server = None;
        process::clear_away(self.directory.path());
        mounts::unmount_below(self.directory.path());
    }
}

/// Everything that lives below a directory, by the tasks' own word.
pub fn witnesses(directory: &Path) -> Vec<process::Identity> {
    let entries = std::fs::read_dir(directory).expect("the directory of witnesses is there");
    let pids = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.rsplit('.').next()?.parse().ok()
    });
    let mut alive: Vec<_> = pids.filter_map(process::Identity::of).collect();
    alive.sort();
    alive
}
