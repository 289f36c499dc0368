//! The floor: job put → scheduler's watch → transaction → agent's watch → spawn → report put → user's watch, through a
//! real etcd, with nothing decided, checked or remembered on the way.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use etcd_client::{Client, EventType, Txn, TxnOp, WatchOptions, WatchStream};

use crate::{etcd::Etcd, numbers::Chain, stamp};

/// As large as a small job.
const VALUE: [u8; 600] = [b'x'; 600];

/// Measures the chain this many times.
pub async fn measure(runs: usize) -> Vec<Chain> {
    let directory = tempfile::tempdir().expect("/tmp can be written");
    let etcd = Etcd::start(directory.path(), 1, &[]).await;
    let address = etcd.address().replace("etcd://", "http://");
    let scheduler = tokio::spawn(schedule(connect(&address).await));
    let agent = tokio::spawn(act(connect(&address).await, directory.path().to_owned()));
    let mut user = connect(&address).await;
    let mut reports = watch(&mut user, "reports/").await;
    let mut measured = Vec::with_capacity(runs);
    for run in 0..runs {
        let began = stamp::now();
        user.put(format!("jobs/{run}"), VALUE, None).await.expect("etcd answers");
        let reported = next(&mut reports).await;
        let visible = stamp::now().saturating_sub(began);
        assert_eq!(reported, run.to_string(), "runs follow each other");
        let started = started(&directory.path().join(&reported)).await.saturating_sub(began);
        measured.push(Chain { started, visible });
    }
    scheduler.abort();
    agent.abort();
    assert!(agent.await.is_err_and(|error| error.is_cancelled()), "the agent went on to the end");
    measured
}

/// A job is put: one transaction places it.
async fn schedule(mut client: Client) {
    let mut jobs = watch(&mut client, "jobs/").await;
    loop {
        let run = next(&mut jobs).await;
        let put = TxnOp::put(format!("placements/{run}"), VALUE, None);
        client.txn(Txn::new().and_then([put])).await.expect("etcd answers");
    }
}

/// A placement appears: its process is started and reported; the one before it is ended.
async fn act(mut client: Client, directory: PathBuf) {
    let mut placements = watch(&mut client, "placements/").await;
    let mut current: Option<Task> = None;
    loop {
        let run = next(&mut placements).await;
        let task = Task::start(&directory.join(&run));
        client.put(format!("reports/{run}"), VALUE, None).await.expect("etcd answers");
        drop(current.replace(task));
    }
}

/// A process that ends with its owner.
struct Task(Child);

impl Task {
    fn start(file: &Path) -> Task {
        let (program, arguments) = stamp::command(file);
        let child = Command::new(program).args(arguments).stdin(Stdio::null()).spawn();
        Task(child.expect("this program runs"))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("our own child can be ended");
    }
}

/// When the task of a run began; its report may overtake the stamp.
pub async fn started(file: &Path) -> Duration {
    loop {
        match stamp::read(file) {
            Some(at) => return at,
            None => tokio::time::sleep(Duration::from_micros(200)).await,
        }
    }
}

async fn connect(address: &str) -> Client {
    Client::connect([address], None).await.expect("etcd is there")
}

async fn watch(client: &mut Client, prefix: &str) -> WatchStream {
    client.watch(prefix, Some(WatchOptions::new().with_prefix())).await.expect("etcd is there")
}

/// What follows the prefix in the key of the next put.
async fn next(stream: &mut WatchStream) -> String {
    loop {
        let answer = stream.message().await.expect("etcd is there").expect("the watch goes on");
        let puts = answer.events().iter().filter(|event| event.event_type() == EventType::Put);
        let keys = puts.filter_map(|event| event.kv()?.key_str().ok()?.rsplit('/').next().map(str::to_owned));
        let keys: Vec<String> = keys.collect();
        if let [key] = &keys[..] {
            return key.clone();
        }
        assert!(keys.is_empty(), "runs follow each other");
    }
}
