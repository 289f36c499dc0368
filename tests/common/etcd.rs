//! A real etcd of one member, on ports and in a folder of its own, gone when its owner is dropped.

use std::io::{ErrorKind, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// For etcd to answer on a busy machine.
const START: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(20);
/// Another process may take a free port before etcd does.
const ATTEMPTS: usize = 5;

/// One server that can be frozen, killed and started again over the same data.
pub(crate) struct Etcd {
    child: Child,
    folder: TempDir,
    client_port: u16,
    peer_port: u16,
    flags: Vec<String>,
}

impl Etcd {
    /// Starts etcd with additional flags and waits until it answers; nothing where etcd is not installed.
    pub(crate) async fn start(flags: &[&str]) -> Option<Etcd> {
        let is_missing = Command::new("etcd").arg("--version").stdout(Stdio::null()).status();
        if is_missing.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            // Past the capture of a test's output: a skipped test must not look like a passed one.
            writeln!(std::io::stderr(), "skipped: etcd not installed").expect("stderr is open");
            return None;
        }
        for _ in 0..ATTEMPTS {
            let folder = tempfile::tempdir().expect("there is room for a folder");
            let (client_port, peer_port) = free_ports();
            let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
            let child = spawn(&folder, (client_port, peer_port), &flags);
            let mut etcd = Etcd { child, folder, client_port, peer_port, flags };
            if etcd.answers().await {
                return Some(etcd);
            }
        }
        panic!("etcd does not start");
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.client_port)
    }

    /// Stops it in its tracks: connections stay open, nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill_9(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// Starts it again over what it had stored.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.folder, (self.client_port, self.peer_port), &self.flags);
        assert!(self.answers().await, "etcd starts again");
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"));
        kill(pid, signal).expect("our own child can be signalled");
    }

    /// Waits for an answer; `false` once the process has ended.
    async fn answers(&mut self) -> bool {
        let url = format!("http://{}/health", self.endpoint());
        let until = Instant::now() + START;
        while Instant::now() < until {
            if reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            if self.child.try_wait().expect("our own child can be waited for").is_some() {
                return false;
            }
            tokio::time::sleep(BETWEEN).await;
        }
        panic!("etcd does not answer within {START:?}");
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // One that has ended already is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(folder: &TempDir, (client, peer): (u16, u16), flags: &[String]) -> Child {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    Command::new("etcd")
        .args(["--name", "one", "--data-dir"])
        .arg(folder.path().join("etcd"))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("one={peer}"), "--log-level", "error"])
        // Alone it need not wait for others before it leads.
        .args(["--heartbeat-interval", "10", "--election-timeout", "100"])
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("etcd is installed")
}

fn free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("loopback has a free port"));
    let [client, peer] =
        listeners.map(|listener| listener.local_addr().expect("a bound socket has an address").port());
    (client, peer)
}
