//! A real etcd of one or several members, on ports and in a directory of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{ports, process::Process, wait};

/// An etcd whose members can be killed and started again over the same data.
#[derive(Debug)]
pub struct Etcd {
    members: Vec<Member>,
    directory: PathBuf,
    flags: Vec<String>,
}

#[derive(Debug)]
struct Member {
    /// Nothing until it is started.
    process: Option<Process>,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    client: u16,
    peer: u16,
    /// Plain HTTP whatever the clients speak.
    health: u16,
}

impl Etcd {
    /// Starts this many members with additional flags and waits until all answer.
    pub async fn start(directory: &Path, members: usize, flags: &[&str]) -> Etcd {
        let mut etcd = Etcd::planned(directory, members, flags);
        (0..members).for_each(|index| etcd.spawn(index));
        for index in 0..members {
            etcd.until_healthy(index).await;
        }
        etcd
    }

    /// A cluster of this many members, none of which is started.
    pub fn planned(directory: &Path, members: usize, flags: &[&str]) -> Etcd {
        let new = |_| Ports { client: ports::free(), peer: ports::free(), health: ports::free() };
        let all: Vec<Ports> = (0..members).map(new).collect();
        let peers: Vec<String> =
            all.iter().map(|ports| format!("{0}=http://127.0.0.1:{0}", ports.peer)).collect();
        let mut own = vec!["--initial-cluster".to_owned(), peers.join(",")];
        own.extend(flags.iter().map(|&flag| flag.to_owned()));
        let members = all.into_iter().map(|ports| Member { process: None, ports }).collect();
        Etcd { members, directory: directory.to_owned(), flags: own }
    }

    /// Starts a member and waits for nothing.
    pub fn spawn(&mut self, index: usize) {
        let ports = self.members[index].ports;
        self.members[index].process = Some(spawn(&self.directory, ports, &self.flags));
    }

    /// The value of `--store`.
    pub fn address(&self) -> String {
        format!("etcd://{}", self.endpoints().join(","))
    }

    /// `HOST:PORT` of every member.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| format!("127.0.0.1:{}", member.ports.client)).collect()
    }

    /// Ends a member as a power cut would.
    pub fn kill_9(&mut self, index: usize) {
        self.members[index].process.take().expect("it runs").kill_9();
    }

    /// Starts a member again over what it had stored.
    pub async fn restart(&mut self, index: usize) {
        self.spawn(index);
        self.until_healthy(index).await;
    }

    /// Freezes or thaws a member.
    pub fn treat(&self, index: usize, how: impl Fn(&Process)) {
        self.members[index].process.iter().for_each(how);
    }

    /// The member that leads, by its own word.
    pub async fn leader(&self) -> usize {
        wait::until(wait::STEP, "etcd to have a leader", async || {
            for (index, member) in self.members.iter().enumerate() {
                let url = format!("http://127.0.0.1:{}/metrics", member.ports.health);
                let Ok(answer) = reqwest::get(&url).await else { continue };
                let text = answer.text().await.map_err(|error| error.to_string())?;
                if text.lines().any(|line| line == "etcd_server_is_leader 1") {
                    return Ok(index);
                }
            }
            Err("no member says that it leads".to_owned())
        })
        .await
    }

    async fn until_healthy(&self, index: usize) {
        let member = &self.members[index];
        let last_words = || member.process.as_ref().map(Process::last_words).unwrap_or_default();
        let url = format!("http://127.0.0.1:{}/health", member.ports.health);
        wait::until(wait::START, "etcd to answer", async || match reqwest::get(&url).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("{}\n{}", answer.status(), last_words())),
            Err(error) => Err(format!("{error}\n{}", last_words())),
        })
        .await;
    }
}

fn spawn(directory: &Path, ports: Ports, flags: &[String]) -> Process {
    let is_tls = flags.iter().any(|flag| flag == "--cert-file");
    let client = format!("{}://127.0.0.1:{}", if is_tls { "https" } else { "http" }, ports.client);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    let name = format!("etcd-{}", ports.peer);
    let mut command = Command::new("etcd");
    command
        .args(["--name", &ports.peer.to_string(), "--data-dir"])
        .arg(directory.join(&name))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--listen-metrics-urls", &format!("http://127.0.0.1:{}", ports.health)])
        .args(["--log-level", "error"])
        .args(flags);
    Process::start(&name, &mut command, directory)
}
