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
    process: Process,
    client_port: u16,
    peer_port: u16,
}

impl Etcd {
    /// Starts this many members with additional flags and waits until all answer.
    pub async fn start(directory: &Path, members: usize, flags: &[&str]) -> Etcd {
        let all: Vec<(u16, u16)> = (0..members).map(|_| (ports::free(), ports::free())).collect();
        let peers: Vec<String> =
            all.iter().map(|(_, peer)| format!("{peer}=http://127.0.0.1:{peer}")).collect();
        let mut own = vec!["--initial-cluster".to_owned(), peers.join(",")];
        own.extend(flags.iter().map(|&flag| flag.to_owned()));
        let start = |(client_port, peer_port)| {
            let process = spawn(directory, client_port, peer_port, &own);
            Member { process, client_port, peer_port }
        };
        let members = all.into_iter().map(start).collect();
        let etcd = Etcd { members, directory: directory.to_owned(), flags: own };
        for index in 0..etcd.members.len() {
            etcd.until_healthy(index).await;
        }
        etcd
    }

    /// The value of `--store`.
    pub fn address(&self) -> String {
        format!("etcd://{}", self.endpoints().join(","))
    }

    /// `HOST:PORT` of every member.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| format!("127.0.0.1:{}", member.client_port)).collect()
    }

    /// Ends a member as a power cut would.
    pub fn kill_9(&mut self, index: usize) {
        self.members[index].process.kill_9();
    }

    /// Starts a member again over what it had stored.
    pub async fn restart(&mut self, index: usize) {
        let Member { client_port, peer_port, .. } = self.members[index];
        self.members[index].process = spawn(&self.directory, client_port, peer_port, &self.flags);
        self.until_healthy(index).await;
    }

    /// The member that leads, by its own word.
    pub async fn leader(&self) -> usize {
        wait::until(wait::STEP, "etcd to have a leader", async || {
            for (index, member) in self.members.iter().enumerate() {
                let url = format!("http://127.0.0.1:{}/metrics", member.client_port);
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
        let url = format!("http://127.0.0.1:{}/health", member.client_port);
        wait::until(wait::START, "etcd to answer", async || match reqwest::get(&url).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("{}\n{}", answer.status(), member.process.last_words())),
            Err(error) => Err(format!("{error}\n{}", member.process.last_words())),
        })
        .await;
    }
}

fn spawn(directory: &Path, client_port: u16, peer_port: u16, flags: &[String]) -> Process {
    let client = format!("http://127.0.0.1:{client_port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    let name = format!("etcd-{peer_port}");
    let mut command = Command::new("etcd");
    command
        .args(["--name", &peer_port.to_string(), "--data-dir"])
        .arg(directory.join(&name))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--log-level", "error"])
        .args(flags);
    Process::start(&name, &mut command, directory)
}
