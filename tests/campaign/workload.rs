//! The jobs of a campaign and the people who change them without pause, remembering what was acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    client::{Client, JOBS, Outcome},
    recorder::{MARK, VERSION},
};

/// How many instances of a job change at a time.
pub const PARALLEL: usize = 6;
/// Until a write that nobody acknowledges is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A job of instances that do nothing.
pub fn sleepers(name: &str, count: usize, version: u64, mark: &Path) -> Value {
    let environment = json!({MARK: mark.display().to_string(), VERSION: version.to_string()});
    let task = json!({
        "name": "sleep", "driver": "raw_exec", "env": environment,
        "config": {"command": "/bin/sleep", "args": ["100000"]},
        "resources": {"cpu": 5, "memory": 10}, "logs": {"maxFiles": 1, "maxFileSize": 1},
    });
    let update = json!({"maxParallel": PARALLEL, "minHealthyTime": "200ms", "healthCheck": "task_states"});
    // A hundred of the default size would not fit on a small disk.
    let disk = json!({"size": 10});
    job(
        name,
        &json!({"name": "main", "count": count, "ephemeralDisk": disk, "update": update, "tasks": [task]}),
    )
}

/// A job without instances: what counts is that it is there.
fn note(name: &str) -> Value {
    let task = json!({"name": "none", "driver": "raw_exec", "config": {"command": "/bin/true"}});
    job(name, &json!({"name": "main", "count": 0, "tasks": [task]}))
}

fn job(name: &str, group: &Value) -> Value {
    json!({
        "apiVersion": "encamp.dev/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"groups": [group]},
    })
}

/// What one job may be in the end.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Acknowledged last.
    pub acknowledged: Option<u64>,
    /// May have been done later than that: their end is unknown.
    pub possible: BTreeSet<u64>,
}

impl Ledger {
    /// Remembers the end of a write.
    pub fn write(&mut self, value: u64, outcome: &Outcome) {
        match outcome {
            Outcome::Acknowledged { twice } => {
                self.acknowledged = Some(value);
                if *twice {
                    self.possible.insert(value);
                }
            }
            Outcome::Unknown(_) => drop(self.possible.insert(value)),
            Outcome::Refused(_) => {}
        }
    }

    /// Whether a job that is this now has lost nothing.
    pub fn allows(&self, value: Option<u64>) -> bool {
        self.acknowledged == value || value.is_some_and(|value| self.possible.contains(&value))
    }
}

/// All that was written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// By job: its version, or how many instances it has.
    pub ledgers: BTreeMap<String, Ledger>,
    /// How many writes were acknowledged.
    pub acknowledged: u64,
    /// What was refused for good, which is a fault of this tool or of a server.
    pub refused: Vec<String>,
}

/// Changes jobs until it is stopped.
pub struct Writers {
    written: Arc<Mutex<Written>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// What is changed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Jobs that are updated in turn.
    pub rolling: Vec<String>,
    /// How many instances each of them has.
    pub count: usize,
    /// How long after an update the next one follows.
    pub pause: Duration,
    /// A job that is scaled up and down, and between what.
    pub scaled: (String, std::ops::Range<usize>),
    /// How long after a note the next one is written.
    pub note_pause: Duration,
}

impl Writers {
    /// Starts to write.
    pub fn start(client: &Client, plan: &Plan, mark: &Path, seed: u64) -> Writers {
        let mut writers = Writers { written: Arc::default(), stop: Arc::default(), tasks: JoinSet::new() };
        let scribe = || Scribe {
            client: client.clone(),
            written: Arc::clone(&writers.written),
            stop: Arc::clone(&writers.stop),
        };
        let (updates, scales, notes) = (scribe(), scribe(), scribe());
        writers.tasks.spawn(updates.update(plan.clone(), mark.to_owned()));
        writers.tasks.spawn(scales.scale(plan.clone(), seed));
        writers.tasks.spawn(notes.note(plan.note_pause));
        writers
    }

    /// What is being written is the last; nobody waits for it yet.
    pub fn let_it_be_the_last(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Stops; all that was written, once the last writes have been answered.
    pub async fn stop(mut self) -> Written {
        self.let_it_be_the_last();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a writer does not panic");
        }
        self.written.lock().expect("no writer panics").clone()
    }
}

struct Scribe {
    client: Client,
    written: Arc<Mutex<Written>>,
    stop: Arc<AtomicBool>,
}

impl Scribe {
    async fn update(self, plan: Plan, mark: std::path::PathBuf) {
        for version in 2.. {
            let name = &plan.rolling[usize::try_from(version).unwrap_or_default() % plan.rolling.len()];
            let job = sleepers(name, plan.count, version, &mark);
            let outcome = self.client.apply(&job, PATIENCE).await;
            self.remember(name, version, &outcome);
            if self.rest(plan.pause).await {
                return;
            }
        }
    }

    async fn scale(self, plan: Plan, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let (name, range) = plan.scaled;
        loop {
            let count = random.random_range(range.clone());
            let outcome = self.client.scale(&name, count, PATIENCE).await;
            self.remember(&name, count as u64, &outcome);
            if self.rest(plan.pause).await {
                return;
            }
        }
    }

    async fn note(self, pause: Duration) {
        for number in 0_u64.. {
            let name = format!("note-{number}");
            let outcome = self.client.apply(&note(&name), PATIENCE).await;
            self.remember(&name, 0, &outcome);
            if self.rest(pause).await {
                return;
            }
        }
    }

    fn remember(&self, job: &str, value: u64, outcome: &Outcome) {
        let mut written = self.written.lock().expect("no writer panics");
        written.ledgers.entry(job.to_owned()).or_default().write(value, outcome);
        match outcome {
            Outcome::Acknowledged { .. } => written.acknowledged += 1,
            Outcome::Refused(why) => written.refused.push(format!("{job} {value}: {why}")),
            Outcome::Unknown(_) => {}
        }
    }

    /// Waits; whether it is time to stop.
    async fn rest(&self, pause: Duration) -> bool {
        tokio::time::sleep(pause).await;
        self.stop.load(Ordering::Relaxed)
    }
}

/// What the jobs are now: how many instances each has and at which version.
pub async fn jobs(client: &Client) -> Result<BTreeMap<String, (usize, Option<u64>)>, String> {
    let list = client.read(JOBS).await?;
    let read = |job: &Value| {
        let group = &job["spec"]["groups"][0];
        let version = group["tasks"][0]["env"][VERSION].as_str().and_then(|text| text.parse().ok());
        let count = group["count"].as_u64().and_then(|count| usize::try_from(count).ok());
        Some((job["metadata"]["name"].as_str()?.to_owned(), (count.unwrap_or(1), version)))
    };
    Ok(list["items"].as_array().into_iter().flatten().filter_map(read).collect())
}
