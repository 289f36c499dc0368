//! What a campaign torments: members of etcd, servers and agents as real processes, each killed, paused and started
//! again by name.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    client::Client,
    recorder::MARK,
    schedule::{Harm, Victim},
};
use crate::{etcd::Etcd, mounts, ports, process, process::Process, wait};

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Members of etcd.
    pub etcd: usize,
    /// Servers.
    pub servers: usize,
    /// Agents.
    pub agents: usize,
}

/// The running processes. Dropping it ends them and every task that they left behind.
pub struct Stand {
    /// The API, at whichever server answers.
    pub client: Client,
    /// The members of etcd.
    pub etcd: Etcd,
    servers: Vec<Daemon>,
    agents: Vec<Daemon>,
    _ranges: Vec<ports::Range>,
    directory: tempfile::TempDir,
}

/// A process of ours and how it is started.
struct Daemon {
    name: String,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Stand {
    /// Starts everything and waits until all nodes are ready.
    pub async fn start(shape: Shape) -> Stand {
        let directory =
            tempfile::Builder::new().prefix("encamp-campaign-").tempdir().expect("/tmp can be written");
        let etcd = Etcd::start(directory.path(), shape.etcd, &[]).await;
        let addresses: Vec<String> =
            (0..shape.servers).map(|_| format!("127.0.0.1:{}", ports::free())).collect();
        let servers = addresses.iter().enumerate().map(|(index, address)| {
            let data = path(directory.path(), &format!("s{index}"));
            let words =
                ["server", "--bind", address, "--data-dir", &data, "--store", &etcd.address(), "--name"];
            Daemon::new(format!("s{index}"), &words, &format!("s{index}"))
        });
        let ranges: Vec<ports::Range> = (0..shape.agents).map(|_| ports::range()).collect();
        let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
        let agents = ranges.iter().enumerate().map(|(index, range)| {
            let (data, config) = (
                path(directory.path(), &format!("n{index}")),
                path(directory.path(), &format!("n{index}.hcl")),
            );
            let ports::Range { first, last, .. } = range;
            let text = format!("client {{\n  min_dynamic_port = {first}\n  max_dynamic_port = {last}\n}}\n");
            std::fs::write(&config, text).expect("a new file can be written");
            let servers = urls.join(",");
            let words = [
                "agent",
                "--raw-exec",
                "--servers",
                &servers,
                "--config",
                &config,
                "--data-dir",
                &data,
                "--node",
            ];
            Daemon::new(format!("n{index}"), &words, &format!("n{index}"))
        });
        let (servers, agents) = (servers.collect(), agents.collect());
        let client = Client::new(urls);
        let mut stand = Stand { client, etcd, servers, agents, _ranges: ranges, directory };
        (0..shape.servers).for_each(|index| stand.start_again(Victim::Server(index)));
        stand.until_servers_answer().await;
        (0..shape.agents).for_each(|index| stand.start_again(Victim::Agent(index)));
        stand.until_nodes_are_ready(shape.agents).await;
        stand
    }

    /// Does a harm.
    pub fn harm(&mut self, victim: Victim, harm: Harm) {
        match harm {
            Harm::Kill => self.kill_9(victim),
            Harm::Pause => self.freeze(victim),
        }
    }

    /// Undoes a harm: starts or thaws.
    pub fn mend(&mut self, victim: Victim, harm: Harm) {
        match harm {
            Harm::Kill => self.start_again(victim),
            Harm::Pause => self.thaw(victim),
        }
    }

    /// Ends a process as a power cut would.
    pub fn kill_9(&mut self, victim: Victim) {
        match victim {
            Victim::Etcd(index) => self.etcd.kill_9(index),
            Victim::Server(_) | Victim::Agent(_) => drop(self.daemon(victim).process.take()),
        }
    }

    /// Asks a server or an agent to end, and waits until it has.
    pub fn terminate(&mut self, victim: Victim) {
        let ended = self.daemon(victim).process.take().map(|mut process| process.terminate(wait::STEP));
        assert_eq!(ended, Some(true), "{victim} ended well");
    }

    /// Starts a process over what it left behind.
    pub fn start_again(&mut self, victim: Victim) {
        let directory = self.directory.path().to_owned();
        match victim {
            Victim::Etcd(index) => self.etcd.spawn(index),
            Victim::Server(_) | Victim::Agent(_) => self.daemon(victim).start(&directory),
        }
    }

    /// Stops a process in its tracks.
    pub fn freeze(&mut self, victim: Victim) {
        match victim {
            Victim::Etcd(index) => self.etcd.treat(index, Process::freeze),
            Victim::Server(_) | Victim::Agent(_) => {
                self.daemon(victim).process.iter().for_each(Process::freeze);
            }
        }
    }

    /// Lets a process go on.
    pub fn thaw(&mut self, victim: Victim) {
        match victim {
            Victim::Etcd(index) => self.etcd.treat(index, Process::thaw),
            Victim::Server(_) | Victim::Agent(_) => {
                self.daemon(victim).process.iter().for_each(Process::thaw);
            }
        }
    }

    /// Ends a node for good: its agent and every task on it.
    pub fn kill_node(&mut self, index: usize) {
        self.kill_9(Victim::Agent(index));
        process::clear_away(&self.directory.path().join(format!("n{index}")));
    }

    /// The servers and agents that ended by themselves since this was last asked; each is started again, as an init
    /// system would.
    pub fn revive(&mut self) -> Vec<String> {
        let directory = self.directory.path().to_owned();
        let all = self.servers.iter_mut().chain(&mut self.agents);
        all.filter_map(|one| {
            if one.process.as_mut()?.is_running() {
                return None;
            }
            let words = one.process.iter().map(Process::last_words).collect::<String>();
            one.start(&directory);
            let last = words.lines().last().unwrap_or_default().to_owned();
            Some(format!("{} ended by itself: {last}", one.name))
        })
        .collect()
    }

    /// Waits until every server answers that it is ready.
    pub async fn until_servers_answer(&mut self) {
        for index in 0..self.servers.len() {
            wait::until(wait::START, "the servers to be ready", async || {
                self.client
                    .get(index, "/readyz")
                    .await
                    .map_err(|error| format!("{error}\n{}", self.last_words()))
            })
            .await;
        }
    }

    /// Waits until this many nodes are ready.
    pub async fn until_nodes_are_ready(&self, count: usize) {
        wait::until(wait::START, "the nodes to be ready", async || {
            let ready = self.client.ready_nodes().await?;
            if ready == count { Ok(()) } else { Err(format!("{ready} are ready\n{}", self.last_words())) }
        })
        .await;
    }

    /// What tasks of this stand carry in their environment.
    pub fn mark(&self) -> (&'static str, PathBuf) {
        (MARK, self.directory.path().to_owned())
    }

    /// The logs of servers and agents, by name.
    pub fn logs(&self) -> Vec<(String, String)> {
        let all = self.servers.iter().chain(&self.agents);
        let read =
            |name: &str| std::fs::read(self.directory.path().join(format!("{name}.log"))).unwrap_or_default();
        all.map(|one| (one.name.clone(), String::from_utf8_lossy(&read(&one.name)).into_owned())).collect()
    }

    /// The ends of all logs, for the message of a failure.
    pub fn last_words(&self) -> String {
        let running = self.servers.iter().chain(&self.agents).filter_map(|one| one.process.as_ref());
        running.map(Process::last_words).collect::<Vec<_>>().join("\n")
    }

    fn daemon(&mut self, victim: Victim) -> &mut Daemon {
        match victim {
            Victim::Server(index) => &mut self.servers[index],
            Victim::Agent(index) => &mut self.agents[index],
            Victim::Etcd(_) => panic!("etcd is no process of ours"),
        }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.agents.clear();
        self.servers.clear();
        // An agent may have been about to start a task when it ended.
        for _ in 0..2 {
            process::clear_away(self.directory.path());
            std::thread::sleep(Duration::from_millis(50));
        }
        // Secrets of tasks, without which the directory goes.
        mounts::unmount_below(self.directory.path());
    }
}

impl Daemon {
    fn new(name: String, words: &[&str], last: &str) -> Daemon {
        let arguments = words.iter().chain([&last]).map(|&word| word.to_owned()).collect();
        Daemon { name, arguments, process: None }
    }

    fn start(&mut self, directory: &Path) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_encamp"));
        command.args(&self.arguments).env("HOME", directory).env("NO_COLOR", "1").current_dir(directory);
        command.env_remove("ENCAMP_ADDR");
        self.process = Some(Process::start(&self.name, &mut command, directory));
    }
}

fn path(directory: &Path, name: &str) -> String {
    directory.join(name).display().to_string()
}
