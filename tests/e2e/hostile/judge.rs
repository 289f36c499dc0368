//! Watches over a cluster while something is done to it.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{
    cluster::Cluster,
    process::{Identity, Process},
};

/// The longest that a question after the health may take.
const ALIVE_WITHIN: Duration = Duration::from_secs(2);
/// How much the server may grow while one thing is done to it.
const GROWTH_KIB: u64 = 200 * 1024;
/// How much memory the server can have at all: whatever a row does to it, the machine goes on.
const ADDRESS_SPACE_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// How often the health is asked for.
const BETWEEN: Duration = Duration::from_millis(100);

/// The watch over one cluster: what went wrong, by the names of the rows.
pub struct Judge {
    cluster: Cluster,
    tasks: Vec<Identity>,
    health: Arc<Health>,
    asking: JoinHandle<()>,
    complaints: Vec<String>,
}

/// What the asker has seen since it was last asked.
#[derive(Default)]
struct Health {
    complaint: Mutex<Option<String>>,
    is_over: AtomicBool,
}

/// What is measured before a row.
pub struct Before {
    kib: u64,
    logged: usize,
}

impl Judge {
    /// Watches a cluster on which these tasks run.
    pub fn new(cluster: Cluster, tasks: Vec<Identity>) -> Judge {
        let (health, address) = (Arc::new(Health::default()), host(&cluster));
        let asking = tokio::spawn(ask_for_health(health.clone(), address));
        let judge = Judge { cluster, tasks, health, asking, complaints: Vec::new() };
        judge.bound();
        judge
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What is so before a row.
    pub fn before(&self) -> Before {
        // The peak is counted anew. Where that is not allowed it only counts what came before as well.
        drop(fs::write(format!("/proc/{}/clear_refs", self.server()), "5"));
        self.health.complaint.lock().expect("nobody panics").take();
        Before { kib: self.memory_kib("VmRSS"), logged: self.log().len() }
    }

    /// Bounds the server's memory, so that it dies of a row instead of the machine.
    fn bound(&self) {
        let pid = i32::try_from(self.server()).ok().and_then(Pid::from_raw);
        let limit = Rlimit { current: Some(ADDRESS_SPACE_BYTES), maximum: Some(ADDRESS_SPACE_BYTES) };
        prlimit(pid, Resource::As, limit).expect("our own child can be bounded");
    }

    /// Judges a row. The next one begins with whatever runs now, a new server if need be.
    pub async fn after(&mut self, row: &str, before: &Before, outcome: Result<(), String>) {
        let mut wrong: Vec<String> = outcome.err().into_iter().collect();
        if !self.cluster.server.as_mut().is_some_and(Process::is_running) {
            wrong.push("the server ended".to_owned());
            self.cluster.start_server().await;
            self.cluster.until_nodes_are_ready(1).await;
            self.bound();
        }
        wrong.extend(self.health.complaint.lock().expect("nobody panics").take());
        let now = self.cluster.tasks();
        let ended: Vec<&Identity> = self.tasks.iter().filter(|task| !now.contains(task)).collect();
        if !ended.is_empty() {
            wrong.push(format!("tasks were ended: {ended:?}"));
        }
        let grown = self.memory_kib("VmHWM").saturating_sub(before.kib);
        if grown > GROWTH_KIB {
            wrong.push(format!("the server grew by {} MiB", grown / 1024));
        }
        let log = self.log();
        let said = log.get(before.logged..).unwrap_or_default();
        if let Some(line) = said.lines().find(|line| line.contains("panicked at")) {
            wrong.push(format!("the server panicked: {line}"));
        }
        self.tasks = now;
        self.complaints.extend(wrong.iter().map(|wrong| format!("{row}: {wrong}")));
    }

    /// Fails with everything that went wrong.
    pub fn verdict(self) {
        self.health.is_over.store(true, Ordering::Relaxed);
        self.asking.abort();
        let complaints = &self.complaints;
        assert!(
            complaints.is_empty(),
            "{} complaints\n{}\n{}",
            complaints.len(),
            complaints.join("\n"),
            self.cluster.last_words()
        );
    }

    fn server(&self) -> u32 {
        self.cluster.server.as_ref().expect("the server was started").id()
    }

    fn memory_kib(&self, what: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
        line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(u64::MAX)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.cluster.path("server.log")).unwrap_or_default()
    }
}

/// `host:port` of the API.
pub fn host(cluster: &Cluster) -> String {
    cluster.api.address().trim_start_matches("http://").to_owned()
}

async fn ask_for_health(health: Arc<Health>, address: String) {
    while !health.is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = tokio::time::timeout(ALIVE_WITHIN * 5, is_alive(&address)).await;
        let took = began.elapsed();
        let complaint = match answer {
            Ok(Ok(true)) if took <= ALIVE_WITHIN => None,
            Ok(Ok(true)) => Some(format!("/livez took {} ms", took.as_millis())),
            Ok(Ok(false)) => Some("/livez was refused".to_owned()),
            Ok(Err(error)) => Some(format!("/livez failed: {error}")),
            Err(_) => Some("/livez was not answered".to_owned()),
        };
        if let Some(complaint) = complaint {
            health.complaint.lock().expect("nobody panics").get_or_insert(complaint);
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Asks on a connection of its own, as a probe does.
async fn is_alive(address: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}
