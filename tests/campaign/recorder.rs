//! The ground truth: which tasks of a campaign really live, read from /proc ten times a second.
//!
//! Tasks are known by a variable of their environment that names the campaign's own directory. A process is its number
//! and its start, so that one that was replaced is another one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::process::Identity;

/// The variable that all tasks of a campaign carry.
pub const MARK: &str = "CAMPAIGN";
/// The variable that tells the versions of a job apart.
pub const VERSION: &str = "VERSION";

const EVERY: Duration = Duration::from_millis(100);
/// A process that is not ours may become ours by one exec soon after its start.
const LOOKS: u32 = 20;

/// What a process says about itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    /// The job.
    pub job: String,
    /// `job.group[index]`
    pub name: String,
    /// The allocation's id: another one for every version and attempt.
    pub allocation: String,
    /// The version of the job, by our own count.
    pub version: u64,
}

/// One process of a task, from when it was first seen to when it was last.
#[derive(Clone, Debug)]
pub struct Life {
    /// Whose it is.
    pub task: Task,
    /// Which process.
    pub identity: Identity,
    /// Since the recorder began.
    pub first: Duration,
    /// Since the recorder began.
    pub last: Duration,
    /// Whether it was there at the last look.
    pub is_alive: bool,
}

/// Something seen that must never be.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Since the recorder began.
    pub at: Duration,
    /// What.
    pub what: String,
}

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Every process of every task.
    pub lives: Vec<Life>,
    /// An allocation that lived twice, a job with too many processes.
    pub sights: Vec<Sight>,
    /// How often was looked.
    pub looks: u64,
    by_identity: BTreeMap<Identity, usize>,
    told: BTreeSet<String>,
}

impl Record {
    /// The tasks that live now, with their processes.
    pub fn alive(&self) -> impl Iterator<Item = &Life> {
        self.lives.iter().filter(|life| life.is_alive)
    }

    /// Takes in one look at all processes.
    pub fn look(&mut self, at: Duration, seen: &[(Identity, Option<Task>)], most: &BTreeMap<String, usize>) {
        self.looks += 1;
        self.lives.iter_mut().for_each(|life| life.is_alive = false);
        for (identity, task) in seen {
            let known = self.by_identity.get(identity).copied();
            if let (None, Some(task)) = (known, task) {
                self.by_identity.insert(identity.clone(), self.lives.len());
                let (task, identity) = (task.clone(), identity.clone());
                self.lives.push(Life { task, identity, first: at, last: at, is_alive: true });
            } else if let Some(known) = known {
                self.lives[known].last = at;
                self.lives[known].is_alive = true;
            }
        }
        for what in too_many(self.alive(), most) {
            if self.told.insert(what.clone()) {
                self.sights.push(Sight { at, what });
            }
        }
    }
}

/// Allocations that live twice, and jobs with more processes than their updates allow.
fn too_many<'a>(alive: impl Iterator<Item = &'a Life>, most: &BTreeMap<String, usize>) -> Vec<String> {
    let (mut allocations, mut jobs): (BTreeMap<_, Vec<u32>>, BTreeMap<&str, usize>) = Default::default();
    for life in alive {
        allocations
            .entry((&life.task.name, life.task.version, &life.task.allocation))
            .or_default()
            .push(life.identity.pid);
        *jobs.entry(&life.task.job).or_default() += 1;
    }
    let twice = allocations.into_iter().filter(|(_, pids)| pids.len() > 1);
    let twice =
        twice.map(|((name, version, _), pids)| format!("{name} version {version} lives as {pids:?} at once"));
    let over = jobs.into_iter().filter(|(job, count)| most.get(*job).is_some_and(|most| count > most));
    twice.chain(over.map(|(job, count)| format!("{job} has {count} processes at once"))).collect()
}

/// Looks until it is stopped or dropped.
pub struct Recorder {
    record: Arc<Mutex<Record>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// When it began: the zero of all times.
    pub began: Instant,
}

impl Recorder {
    /// Starts to look for tasks that carry this mark; `most` says how many processes a job may have at once.
    pub fn start(mark: &Path, most: BTreeMap<String, usize>) -> Recorder {
        let (record, stop) = (Arc::<Mutex<Record>>::default(), Arc::<AtomicBool>::default());
        let began = Instant::now();
        let mut eyes =
            Eyes { mark: mark.display().to_string(), others: BTreeMap::new(), known: BTreeMap::new() };
        let (to, until) = (Arc::clone(&record), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let seen = eyes.look();
                to.lock().expect("nobody panics with the record").look(began.elapsed(), &seen, &most);
                thread::sleep(EVERY);
            }
        });
        Recorder { record, stop, thread: Some(thread), began }
    }

    /// All that was seen so far.
    pub fn record(&self) -> Record {
        self.record.lock().expect("nobody panics with the record").clone()
    }

    /// Waits until what was seen is so; how many tasks live then.
    pub async fn until(&self, is_so: impl Fn(&Record) -> bool) -> usize {
        crate::wait::until(crate::wait::STEP, "tasks to live or end", async || {
            let record = self.record();
            if is_so(&record) {
                Ok(record.alive().count())
            } else {
                Err(format!("{} live", record.alive().count()))
            }
        })
        .await
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it panicked of has been printed.
            thread.join().ok();
        }
    }
}

/// Tells our tasks from all other processes.
struct Eyes {
    mark: String,
    /// Processes that are not ours, and how often they were looked at.
    others: BTreeMap<Identity, u32>,
    known: BTreeMap<Identity, Task>,
}

impl Eyes {
    fn look(&mut self) -> Vec<(Identity, Option<Task>)> {
        let entries = fs::read_dir("/proc").expect("/proc can be read");
        let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let alive: Vec<Identity> = numbers.filter_map(Identity::of).collect();
        let seen: BTreeSet<&Identity> = alive.iter().collect();
        self.others.retain(|identity, _| seen.contains(identity));
        alive.into_iter().map(|identity| self.task(&identity)).collect()
    }

    fn task(&mut self, identity: &Identity) -> (Identity, Option<Task>) {
        if let Some(task) = self.known.get(identity) {
            return (identity.clone(), Some(task.clone()));
        }
        let looks = self.others.get(identity).copied().unwrap_or_default();
        let read = || fs::read(format!("/proc/{}/environ", identity.pid)).ok();
        match (looks < LOOKS).then(read).flatten().and_then(|environment| task(&environment, &self.mark)) {
            Some(task) => drop(self.known.insert(identity.clone(), task)),
            None => drop(self.others.insert(identity.clone(), looks + 1)),
        }
        (identity.clone(), self.known.get(identity).cloned())
    }
}

/// What an environment says about its process, if it carries the mark.
pub fn task(environment: &[u8], mark: &str) -> Option<Task> {
    let text = String::from_utf8_lossy(environment);
    let variables: BTreeMap<&str, &str> = text.split('\0').filter_map(|one| one.split_once('=')).collect();
    let value = |name: &str| variables.get(name).map(|&value| value.to_owned());
    (value(MARK)? == mark).then_some(())?;
    Some(Task {
        job: value("NOMAD_JOB_NAME")?,
        name: value("NOMAD_ALLOC_NAME")?,
        allocation: value("NOMAD_ALLOC_ID")?,
        version: value(VERSION)?.parse().ok()?,
    })
}
