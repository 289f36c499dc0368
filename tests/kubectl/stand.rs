//! A served API over a memory store, and the stock kubectl pointed at it.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use encamp::api::Server;
use encamp::cache::Cache;
use encamp::clock::Clock;
use encamp::http_server::{self, Limits};
use encamp::store::{Memory, Store, Txn};
use plan::Write;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// A job that most tests use.
pub(super) const WEB: &str = "\
apiVersion: encamp.dev/v1
kind: Job
metadata:
  name: web
  labels: {app: web}
spec:
  groups:
  - name: api
    count: 2
    tasks:
    - name: main
      driver: raw_exec
      config: {command: /bin/sleep, args: ['60']}
";

/// The words of a line of a table.
pub(super) fn words(table: &str, line: usize) -> Vec<&str> {
    table.lines().nth(line).unwrap_or_default().split_whitespace().collect()
}

/// Everything that runs, and stops when it is dropped.
pub(super) struct Stand {
    /// The store behind the API.
    pub(super) store: Memory,
    /// `http://127.0.0.1:port`
    pub(super) address: String,
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
    pub(super) async fn start() -> Stand {
        let store = Memory::default();
        let cache = Cache::new(Duration::from_mins(1), Clock::system());
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
        let serving = http_server::serve(listener, server.router(), Limits::of_server(None), stop.clone());
        let answer = tokio::spawn(serving);
        let tasks = [follow, feed, answer].map(AbortOnDropHandle::new).into();
        Stand { store, address, home: TempDir::new().unwrap(), stop, _tasks: tasks }
    }

    /// Writes documents as a controller would.
    pub(super) async fn write(&self, writes: Vec<Write>) {
        self.store.commit(Txn { guards: Vec::new(), writes }).await.unwrap();
    }

    /// Runs kubectl with a text on its standard input.
    pub(super) async fn feed(&self, input: &str, arguments: &[&str]) -> Output {
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

    /// Runs kubectl; gives what it printed and fails where it fails.
    pub(super) async fn run(&self, arguments: &[&str]) -> String {
        printed(arguments, self.feed("", arguments).await)
    }

    /// Runs kubectl with a text on its standard input; fails where it fails.
    pub(super) async fn run_with(&self, input: &str, arguments: &[&str]) -> String {
        printed(arguments, self.feed(input, arguments).await)
    }

    /// Runs kubectl with a variable set.
    pub(super) async fn run_env(&self, (name, value): (&str, &str), arguments: &[&str]) -> String {
        let mut command = tokio::process::Command::from(self.command(arguments));
        printed(arguments, command.env(name, value).stdin(Stdio::null()).output().await.unwrap())
    }

    /// Runs kubectl, which must fail; gives what it complained.
    pub(super) async fn fail(&self, arguments: &[&str]) -> String {
        self.fail_with("", arguments).await
    }

    /// Runs kubectl with a text on its standard input; it must fail.
    pub(super) async fn fail_with(&self, input: &str, arguments: &[&str]) -> String {
        let output = self.feed(input, arguments).await;
        assert!(!output.status.success(), "kubectl {} worked: {output:?}", arguments.join(" "));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// A part of the job `web`.
    pub(super) async fn get(&self, jsonpath: &str) -> String {
        self.run(&["get", "job", "web", "-o", &format!("jsonpath={jsonpath}")]).await
    }

    /// How many instances there should be of the job `web`, said or not.
    pub(super) async fn count(&self) -> String {
        self.get("{.status.replicas}").await
    }

    /// How many instances of the first group change at a time in a version of the job `web`.
    pub(super) async fn parallel(&self, version: u32) -> String {
        let path = "jsonpath={.spec.template.groups[0].update.maxParallel}";
        self.run(&["get", "jobversion", &format!("web-v{version}"), "-o", path]).await
    }

    /// Starts kubectl and gives its lines as they come.
    pub(super) fn lines(&self, arguments: &[&str]) -> Lines {
        let mut command = tokio::process::Command::from(self.command(arguments));
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Lines { child, lines }
    }

    /// kubectl, ready to be started.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
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

/// The output of a kubectl that runs on.
pub(super) struct Lines {
    child: tokio::process::Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Lines {
    /// The next line; fails if none comes.
    pub(super) async fn next(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next_line()).await;
        line.expect("a line within 20 s").unwrap().expect("kubectl goes on")
    }

    /// Waits until kubectl ends well.
    pub(super) async fn end(mut self) {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        assert!(ended.expect("an end within 20 s").unwrap().success());
    }
}
