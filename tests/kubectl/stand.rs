//! A served API over a memory store, and the stock kubectl pointed at it.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use encamp::api::{Server, serve};
use encamp::cache::Cache;
use encamp::control::Clock;
use encamp::store::{Limits, Memory, Store, Txn};
use plan::Write;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Everything that runs, and stops when it is dropped.
pub struct Stand {
    /// The store behind the API.
    pub store: Memory,
    /// `http://127.0.0.1:port`
    pub address: String,
    home: TempDir,
    stop: CancellationToken,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stand {
    /// Starts an API over an empty store.
    pub async fn start() -> Stand {
        let store = Memory::new(Limits::default());
        let cache = Cache::new(Duration::from_secs(60), Clock::system());
        let stop = CancellationToken::new();
        let server = Server::new("s1", store.clone(), cache.clone(), Clock::system(), stop.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let follow = {
            let (cache, store, stop) = (cache.clone(), store.clone(), stop.clone());
            tokio::spawn(async move { cache.run(store, stop).await })
        };
        let feed = {
            let server = server.clone();
            tokio::spawn(async move { server.run().await })
        };
        let answer = tokio::spawn(serve(listener, server.router(), stop.clone()));
        let tasks = [follow, feed, answer].map(AbortOnDropHandle::new).into();
        Stand { store, address, home: TempDir::new().unwrap(), stop, _tasks: tasks }
    }

    /// Writes documents as a controller would.
    pub async fn write(&self, writes: Vec<Write>) {
        self.store.commit(Txn { guards: Vec::new(), writes }).await.unwrap();
    }

    /// Runs kubectl with a text on its standard input.
    pub async fn feed(&self, input: &str, arguments: &[&str]) -> Output {
        use tokio::io::AsyncWriteExt;
        let mut command = tokio::process::Command::from(self.command(arguments));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        child.wait_with_output().await.unwrap()
    }

    /// Runs kubectl and gives all it answered.
    pub async fn try_run(&self, arguments: &[&str]) -> Output {
        self.feed("", arguments).await
    }

    /// Runs kubectl; gives what it printed and fails where it fails.
    pub async fn run(&self, arguments: &[&str]) -> String {
        printed(arguments, self.feed("", arguments).await)
    }

    /// Runs kubectl with a text on its standard input; fails where it fails.
    pub async fn run_with(&self, input: &str, arguments: &[&str]) -> String {
        printed(arguments, self.feed(input, arguments).await)
    }

    /// kubectl, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["--server", &self.address, "--cache-dir"]);
        command.arg(self.home.path().join("cache")).args(arguments);
        command.env("HOME", self.home.path()).env("KUBECONFIG", "/dev/null");
        command
    }
}

#[track_caller]
fn printed(arguments: &[&str], output: Output) -> String {
    let Output { status, stdout, stderr } = output;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "kubectl {} ended with {status}\n{stdout}\n{stderr}", arguments.join(" "));
    stdout.into_owned()
}
