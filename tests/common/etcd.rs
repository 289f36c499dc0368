//! Real etcds, each on ports and in a folder of its own, gone when their owner is dropped.

use std::io::{ErrorKind, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

/// For etcd to answer on a busy machine.
const START: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(20);
/// Another process may take a free port before etcd does.
const ATTEMPTS: usize = 5;

/// One member that can be frozen, killed and started again over the same data.
pub(crate) struct Etcd {
    child: Child,
    folder: TempDir,
    ports: Ports,
    flags: Vec<String>,
}

#[derive(Clone, Copy)]
struct Ports {
    client: u16,
    peer: u16,
    /// Plain HTTP whatever the clients speak.
    health: u16,
}

impl Etcd {
    /// Starts etcd with additional flags and waits until it answers; nothing where etcd is not installed.
    pub(crate) async fn start(flags: &[&str]) -> Option<Etcd> {
        Etcd::cluster(1, flags).await.map(|mut members| members.remove(0))
    }

    /// Starts members of one cluster and waits until all answer; nothing where etcd is not installed.
    pub(crate) async fn cluster(members: usize, flags: &[&str]) -> Option<Vec<Etcd>> {
        let is_missing = Command::new("etcd").arg("--version").stdout(Stdio::null()).status();
        if is_missing.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            // Past the capture of a test's output: a skipped test must not look like a passed one.
            writeln!(std::io::stderr(), "skipped: etcd not installed").expect("stderr is open");
            return None;
        }
        for _ in 0..ATTEMPTS {
            let mut started = spawn_all(members, flags);
            let mut all_answer = true;
            for member in &mut started {
                all_answer = all_answer && member.answers().await;
            }
            if all_answer {
                return Some(started);
            }
        }
        panic!("etcd does not start");
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.ports.client)
    }

    /// Stops it in its tracks: connections stay open, nothing answers. Its threads have all stopped when this
    /// returns; the signal alone leaves them time for an answer.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let state = waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED));
        assert_eq!(state, Ok(WaitStatus::Stopped(self.pid(), Signal::SIGSTOP)));
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
        self.child = spawn(&self.folder, self.ports, &self.flags);
        assert!(self.answers().await, "etcd starts again");
    }

    /// Whether it leads its cluster, by its own word.
    pub(crate) async fn leads(&self) -> bool {
        let url = format!("http://127.0.0.1:{}/metrics", self.ports.health);
        let Ok(answer) = reqwest::get(&url).await else { return false };
        answer.text().await.is_ok_and(|text| text.lines().any(|line| line == "etcd_server_is_leader 1"))
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("our own child can be signalled");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"))
    }

    /// Waits for an answer; `false` once the process has ended.
    async fn answers(&mut self) -> bool {
        let url = format!("http://127.0.0.1:{}/health", self.ports.health);
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

fn spawn_all(members: usize, flags: &[&str]) -> Vec<Etcd> {
    let all: Vec<Ports> = free_ports(members);
    let peers: Vec<String> =
        all.iter().map(|ports| format!("{0}=http://127.0.0.1:{0}", ports.peer)).collect();
    // Alone it need not wait for others before it leads.
    let pace: &[&str] = if members == 1 {
        &["--heartbeat-interval", "10", "--election-timeout", "100"]
    } else {
        &["--heartbeat-interval", "50", "--election-timeout", "500"]
    };
    let mut own: Vec<String> = vec!["--initial-cluster".to_owned(), peers.join(",")];
    own.extend(pace.iter().chain(flags).map(|&flag| flag.to_owned()));
    let start = |ports: Ports| {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let child = spawn(&folder, ports, &own);
        Etcd { child, folder, ports, flags: own.clone() }
    };
    all.into_iter().map(start).collect()
}

fn spawn(folder: &TempDir, ports: Ports, flags: &[String]) -> Child {
    let is_tls = flags.iter().any(|flag| flag == "--cert-file");
    let client = format!("{}://127.0.0.1:{}", if is_tls { "https" } else { "http" }, ports.client);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    let health = format!("http://127.0.0.1:{}", ports.health);
    Command::new("etcd")
        .args(["--name", &ports.peer.to_string(), "--data-dir"])
        .arg(folder.path().join("etcd"))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--listen-metrics-urls", &health, "--log-level", "error"])
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("etcd is installed")
}

fn free_ports(members: usize) -> Vec<Ports> {
    let listener = |_| TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let listeners: Vec<TcpListener> = (0..3 * members).map(listener).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("a bound socket has an address").port();
    let ports: Vec<u16> = listeners.iter().map(port).collect();
    ports.chunks(3).map(|three| Ports { client: three[0], peer: three[1], health: three[2] }).collect()
}
