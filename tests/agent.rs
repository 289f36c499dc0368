//! The agent with real processes: placements in, processes and reports out, and nothing that ends an agent ends
//! a task.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests may fail loudly and say what they measured"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use encamp::api::lifeline::Hearing;
use encamp::clock::Clock;
use encamp::drivers::process::HostOptions;
use encamp::drivers::process::record::StateFolder;
use encamp::drivers::raw_exec::RawExec;
use encamp::drivers::{Driver, Signal};
use encamp::node::alloc_dir::AllocDir;
use encamp::node::disk::DataDir;
use encamp::node::identity::Identity;
use encamp::node::lifeline::{Heard, Lifeline, Unheard};
use encamp::node::machine::{FixedMachine, MachineFacts};
use encamp::node::probe::NetworkProber;
use encamp::node::{AgentConfig, World, drain_all, run};
use encamp::store::{Limits, Memory, Store, Txn};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use plan::Write;
use schemas::codec::decode;
use schemas::entry::Change;
use schemas::job::{JobSpec, Version};
use schemas::key::{Key, Prefix, Revision};
use schemas::node::{AgentBeat, Amount, Link};
use schemas::placement::{Placement, PortClaim, Wish};
use schemas::report::{AllocationReport, ClientState, Details, Report};
use schemas::roster::Index;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const ALLOCATION: &str = "web.api.0-v0.0";

struct Line(Hearing<Memory>);
impl Lifeline for Line {
    fn beat<'a>(&'a self, node: &'a str, beat: &'a AgentBeat) -> BoxFuture<'a, Result<Heard, Unheard>> {
        self.0.beat(node, beat.clone()).unwrap();
        Box::pin(std::future::ready(Ok(Heard::Holder)))
    }
}

/// The data directory of an agent. No test leaves a process behind, not even one that failed.
struct Data(tempfile::TempDir);

impl Data {
    fn new() -> Data {
        Data(tempfile::tempdir().unwrap())
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        for folder in StateFolder::all(&self.path().join("raw_exec")).unwrap_or_default() {
            if let Some(record) = folder.record() {
                record.supervisor.signal(Signal::KILL).ok();
            }
        }
        AllocDir::new(&self.path().join("alloc"), "default", ALLOCATION).remove().ok();
    }
}

/// One life of an agent.
struct Life {
    task: JoinHandle<()>,
    stop: CancellationToken,
    driver: Arc<dyn Driver>,
}

async fn live(store: &Memory, data: &Path) -> Life {
    let options = HostOptions {
        state_root: data.join("raw_exec"),
        program: env!("CARGO_BIN_EXE_encamp").into(),
        cgroups: None,
    };
    let driver: Arc<dyn Driver> = Arc::new(RawExec::open(options).await.unwrap());
    let drivers = [("raw_exec".to_owned(), driver.clone())].into();
    let hearing = Hearing::new(store.clone(), "s1", Clock::system());
    let stop = CancellationToken::new();
    tokio::spawn(hearing.clone().run(stop.clone()));
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let world = World {
        store: store.clone(),
        prober: Arc::new(NetworkProber::new(std::collections::BTreeMap::clone(&drivers)).unwrap()),
        drivers,
        clock: Clock::system(),
        disk: Arc::new(DataDir::new(data)),
        lifeline: Arc::new(Line(hearing)),
        machine: Arc::new(FixedMachine { facts: MachineFacts::default(), ip }),
        identity: Identity::default(),
    };
    let task = tokio::spawn(run(AgentConfig::new("n1", data), world, stop.clone()));
    Life { task, stop, driver }
}

impl Life {
    /// As `kill -9` would: nothing is said or saved.
    async fn die(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.stop.cancel();
    }
    async fn leave(self) -> Arc<dyn Driver> {
        self.stop.cancel();
        self.task.await.unwrap();
        self.driver
    }
}

fn placement(wish: Wish, ports: Vec<PortClaim>) -> Placement {
    Placement {
        job: "web".into(),
        group: "api".into(),
        index: Index::Number(0),
        version: 0,
        attempt: 0,
        spec: 0,
        wish,
        claim: Amount::default(),
        cores: vec![],
        ports,
        adopts: None,
        placed_at: Timestamp::UNIX_EPOCH,
    }
}

async fn write(store: &Memory, writes: Vec<Write>) -> Revision {
    store.commit(Txn { guards: vec![], writes }).await.unwrap()
}

async fn place(store: &Memory, group: Value, ports: Vec<PortClaim>) -> Revision {
    let mut group = group;
    group["name"] = json!("api");
    let spec: JobSpec = serde_json::from_value(json!({"type": "service", "groups": [group]})).unwrap();
    let version = Version { spec: spec.canonicalize("web"), ..Version::default() };
    let writes = vec![
        Write::put(Key::version("default", "web", 0), &version),
        Write::put(Key::placement("n1", "default", ALLOCATION), &placement(Wish::Run, ports)),
    ];
    write(store, writes).await
}

fn shell(script: &str) -> Value {
    json!({"name": "server", "driver": "raw_exec", "config": {"command": "/bin/sh", "args": ["-c", script]}})
}

/// The report of the allocation in a stored document.
fn report_in(value: &[u8]) -> Option<AllocationReport> {
    decode::<Report>(value).unwrap().allocations.remove(&format!("default/{ALLOCATION}"))
}

/// Waits until the node's report is as it should be; `None` means that there is none.
async fn reported(
    store: &Memory,
    after: Revision,
    is_so: impl Fn(Option<&AllocationReport>) -> bool,
) -> (Revision, Option<AllocationReport>) {
    let mut watch = store.watch(&Prefix::under("/reports/n1/"), after).await.unwrap();
    let found = async {
        loop {
            let batch = watch.next().await.unwrap().unwrap();
            for change in batch.changes {
                let report = match change {
                    Change::Put(entry) => report_in(&entry.value),
                    Change::Delete { .. } => None,
                };
                if is_so(report.as_ref()) {
                    return (batch.revision, report);
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the report did not come")
}

fn is(state: ClientState) -> impl Fn(Option<&AllocationReport>) -> bool {
    move |report| report.is_some_and(|report| report.state == state)
}

/// The last number that the task wrote to its log.
async fn number_in_log(data: &Path) -> i32 {
    let log = data.join("alloc/default").join(ALLOCATION).join("alloc/logs/server.stdout.0");
    let read = async {
        loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if let Some(number) = text.strip_suffix('\n').and_then(|text| text.lines().last()) {
                return number.parse().unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the task wrote nothing")
}

fn is_alive(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_outlives_every_agent_and_ends_by_wish() {
    let (store, data) = (Memory::new(Limits::default()), Data::new());
    let life = live(&store, data.path()).await;
    let began = Instant::now();
    let placed = place(&store, json!({"tasks": [shell("echo $$; exec sleep 1000")]}), vec![]).await;
    let (running, _) = reported(&store, placed, is(ClientState::Running)).await;
    eprintln!("placement to running report: {:?}", began.elapsed());
    let pid = number_in_log(data.path()).await;

    life.die().await;
    let life = live(&store, data.path()).await;
    life.leave().await;
    // The memory may be lost as well.
    std::fs::remove_file(data.path().join("agent/memory.json")).unwrap();
    let life = live(&store, data.path()).await;
    let link = wait_for_link(&store).await;
    assert!(link.connected);
    assert!(is_alive(pid), "the task outlived two agents");
    assert_eq!(number_in_log(data.path()).await, pid, "and was not started again");
    let listing = store.list(&Prefix::under("/reports/n1/")).await.unwrap();
    assert!(is(ClientState::Running)(report_in(&listing.entries[0].value).as_ref()));

    let wish = Wish::Stop { reason: "job stopped".into(), unfit: false };
    let key = Key::placement("n1", "default", ALLOCATION);
    write(&store, vec![Write::put(key.clone(), &placement(wish, vec![]))]).await;
    let (stopped, report) = reported(&store, running, is(ClientState::Complete)).await;
    assert_eq!(report.unwrap().reason, "job stopped");
    assert!(!is_alive(pid), "the report comes after the end");

    write(&store, vec![Write::Delete { key }]).await;
    reported(&store, stopped, |report| report.is_none()).await;
    let folder = data.path().join("alloc/default").join(ALLOCATION);
    let gone = async {
        while folder.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("its folders go with it");
    assert_eq!(life.leave().await.running().await.unwrap(), vec![]);
}

async fn wait_for_link(store: &Memory) -> Link {
    let mut watch = store.watch(&Prefix::one(&Key::link("n1")), Revision(1)).await.unwrap();
    let found = async {
        loop {
            if let Some(Change::Put(entry)) = watch.next().await.unwrap().unwrap().changes.pop() {
                return decode(&entry.value).unwrap();
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("no server hears the node")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_task_is_restarted_and_then_given_up() {
    let (store, data) = (Memory::new(Limits::default()), Data::new());
    let life = live(&store, data.path()).await;
    let restart = json!({"attempts": 1, "delay": "10ms", "interval": "10s", "mode": "fail"});
    let placed = place(&store, json!({"restart": restart, "tasks": [shell("exit 7")]}), vec![]).await;
    let (_, report) = reported(&store, placed, is(ClientState::Failed)).await;
    let report = report.unwrap();
    assert_eq!((report.restarts, report.exit_code, report.healthy), (1, Some(7), Some(false)));
    assert_eq!(report.reason, "task server: exit code 7");
    life.leave().await;
}

/// Each state of an allocation is told by one revision, together with its tasks: who sees it can ask for their logs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_and_its_tasks_are_told_at_once() {
    let (store, data) = (Memory::new(Limits::default()), Data::new());
    let life = live(&store, data.path()).await;
    let helper = json!({"name": "helper", "driver": "raw_exec", "config": {"command": "/bin/true"}});
    let restart = json!({"attempts": 0, "mode": "fail"});
    let group = json!({"restart": restart, "tasks": [shell("exit 0"), helper]});
    let version = place(&store, group, vec![]).await;
    let mut watch = store.watch(&Prefix::all(), version).await.unwrap();
    let details = Key::details("n1", "default", ALLOCATION);
    let told = async {
        loop {
            let batch = watch.next().await.unwrap().unwrap();
            let put = |wanted: &dyn Fn(&Key) -> bool| {
                batch.changes.iter().find_map(|change| match change {
                    Change::Put(entry) if wanted(&entry.key) => Some(entry.value.clone()),
                    Change::Put(_) | Change::Delete { .. } => None,
                })
            };
            let report = put(&|key| key.kind() == "reports").and_then(|value| report_in(&value));
            let Some(report) = report.filter(|report| report.state.is_terminal()) else { continue };
            let read = put(&|key| *key == details).expect("its tasks come with its end");
            return (report, decode::<Details>(&read).unwrap());
        }
    };
    let (_, details) = tokio::time::timeout(PATIENCE, told).await.expect("the end was not told");
    let states: Vec<(&str, &str)> =
        details.tasks.iter().map(|(name, task)| (name.as_str(), task.state.as_str())).collect();
    assert_eq!(states, [("helper", "dead"), ("server", "dead")]);
    life.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passing_check_makes_an_allocation_healthy_and_keeps_it_so_over_a_new_version() {
    let (store, data) = (Memory::new(Limits::default()), Data::new());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let life = live(&store, data.path()).await;
    let check = json!({"type": "tcp", "interval": "200ms", "timeout": "1s"});
    let service = json!({"name": "web", "provider": "nomad", "port": "http", "checks": [check]});
    let update = json!({"minHealthyTime": "50ms"});
    let group = json!({"update": update, "services": [service], "tasks": [shell("exec sleep 1000")]});
    let ports = vec![PortClaim { label: "http".into(), host_port: port, to: None }];
    let placed = place(&store, group, ports.clone()).await;
    let healthy =
        |report: Option<&AllocationReport>| report.is_some_and(|report| report.healthy == Some(true));
    reported(&store, placed, healthy).await;

    let version = store.list(&Prefix::one(&Key::version("default", "web", 0))).await.unwrap();
    let same = Write::Put { key: Key::version("default", "web", 1), value: version.entries[0].value.clone() };
    let updated = Placement { spec: 1, ..placement(Wish::Run, ports) };
    let updated = Write::put(Key::placement("n1", "default", ALLOCATION), &updated);
    let updated = write(&store, vec![same, updated]).await;
    let (_, report) = reported(&store, updated, |report| report.is_some_and(|report| report.spec == 1)).await;
    assert_eq!(report.unwrap().healthy, Some(true), "what serves does not look ill meanwhile");
    let drivers = [("raw_exec".to_owned(), life.leave().await)].into();
    assert_eq!(drain_all(&drivers).await, Vec::<String>::new());
    assert_eq!(drivers["raw_exec"].running().await.unwrap(), vec![], "a drained node holds nothing");
}
