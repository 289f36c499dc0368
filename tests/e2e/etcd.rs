//! A real etcd of one member, on ports and a directory of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{ports, process::Process, wait};

/// One etcd server that can be killed and started again over the same data.
#[derive(Debug)]
pub struct Etcd {
    process: Process,
    directory: PathBuf,
    client_port: u16,
    peer_port: u16,
}

impl Etcd {
    /// Starts etcd and waits until it answers.
    pub async fn start(directory: &Path) -> Etcd {
        let (client_port, peer_port) = (ports::free(), ports::free());
        let process = spawn(directory, client_port, peer_port);
        let etcd = Etcd { process, directory: directory.to_owned(), client_port, peer_port };
        etcd.until_healthy().await;
        etcd
    }

    /// The value of `--store`.
    pub fn address(&self) -> String {
        format!("etcd://127.0.0.1:{}", self.client_port)
    }

    /// Ends it as a power cut would.
    pub fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// Starts it again over what it had stored.
    pub async fn restart(&mut self) {
        self.process = spawn(&self.directory, self.client_port, self.peer_port);
        self.until_healthy().await;
    }

    async fn until_healthy(&self) {
        let url = format!("http://127.0.0.1:{}/health", self.client_port);
        wait::until(wait::START, "etcd to answer", async || match reqwest::get(&url).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("{}\n{}", answer.status(), self.process.last_words())),
            Err(error) => Err(format!("{error}\n{}", self.process.last_words())),
        })
        .await;
    }
}

fn spawn(directory: &Path, client_port: u16, peer_port: u16) -> Process {
    let client = format!("http://127.0.0.1:{client_port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    let mut command = Command::new("etcd");
    command
        .args(["--name", "one", "--data-dir"])
        .arg(directory.join("etcd"))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("one={peer}"), "--log-level", "error"]);
    Process::start("etcd", &mut command, directory)
}
