//! A node on which every act happens at once, for scenes of its life.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use agent::{
    Act, AllocationId, AllocationMemory, CheckFact, CheckStatus, DiskUse, Exit, Fact, Local, Observed,
    Refusal, VersionFact, Wanted, decide,
};
use jiff::{SignedDuration, Timestamp};
use schemas::job::JobSpec;
use schemas::key::Revision;
use schemas::node::Amount;
use schemas::placement::{Placement, Wish};
use schemas::roster::Index;
use serde_json::{Value, json};

/// A node on which every act happens at once.
pub(crate) struct Node {
    pub(crate) local: Local,
    pub(crate) now: Timestamp,
    pub(crate) log: String,
    /// Tasks that do not start, and what would help.
    broken: BTreeMap<String, Refusal>,
    /// The memory as it was last saved.
    saved: BTreeMap<AllocationId, AllocationMemory>,
    /// The job of the placement that was taken away.
    lost_job: Option<VersionFact>,
}

pub(crate) fn id() -> AllocationId {
    AllocationId::new("default", "web.api.0-v0.0")
}

fn spec(job_type: &str, group: Value) -> JobSpec {
    let mut group = group;
    group["name"] = json!("api");
    for task in group["tasks"].as_array_mut().unwrap() {
        task["driver"] = json!("raw_exec");
    }
    let spec: JobSpec = serde_json::from_value(json!({"type": job_type, "groups": [group]})).unwrap();
    spec.canonicalize("web")
}

impl Node {
    pub(crate) fn new() -> Node {
        let local = Local { complete: true, ..Local::default() };
        let (broken, saved) = (BTreeMap::new(), BTreeMap::new());
        Node { local, now: Timestamp::UNIX_EPOCH, log: String::new(), broken, saved, lost_job: None }
    }

    /// Places one allocation of a group; the rest of the job is as small as can be.
    pub(crate) fn place(self, job_type: &str, group: Value) -> Node {
        let spec = spec(job_type, group);
        self.place_spec(spec, 0)
    }

    /// The placement was deleted and made again under the same name, and both were seen at once.
    pub(crate) fn made_again(mut self, job_type: &str, group: Value) -> Node {
        let wanted = self.local.wishes.get_mut(&id()).unwrap();
        wanted.created = Revision(wanted.created.0 + 1);
        wanted.job = VersionFact::Known(Arc::new(spec(job_type, group)));
        self.settle("made again")
    }

    /// What follows is told as if it were the beginning.
    pub(crate) fn hush(mut self) -> Node {
        self.log.clear();
        self
    }

    /// Loses the memory without a decision in between: the agent was not running.
    pub(crate) fn forget_silently(mut self) -> Node {
        self.local.memory.clear();
        self
    }

    pub(crate) fn place_spec(mut self, spec: JobSpec, version: u64) -> Node {
        let placement = Placement {
            job: "web".into(),
            group: "api".into(),
            index: Index::Number(0),
            version: 0,
            attempt: 0,
            spec: version,
            wish: Wish::Run,
            claim: Amount::default(),
            cores: vec![],
            ports: vec![],
            adopts: None,
            placed_at: self.now,
        };
        let job = VersionFact::Known(Arc::new(spec));
        self.local.wishes.insert(id(), Wanted { placement, created: Revision(7), job });
        self.settle("place")
    }

    pub(crate) fn stop(mut self) -> Node {
        let wanted = self.local.wishes.get_mut(&id()).unwrap();
        wanted.placement.wish = Wish::Stop { reason: "job stopped".into(), unfit: false };
        self.settle("wish stop")
    }

    pub(crate) fn unplace(mut self) -> Node {
        self.lost_job = self.local.wishes.get(&id()).map(|wanted| wanted.job.clone());
        self.local.wishes.clear();
        self.settle("unplace")
    }

    /// The placement is there and cannot be read.
    pub(crate) fn garble(mut self) -> Node {
        self.local.wishes.clear();
        self.local.unreadable.insert(id());
        self.settle("garbled")
    }

    /// The store wrote the placement again, for what runs of the one that was lost, or to have it stopped.
    pub(crate) fn adopt(mut self, wish: Wish) -> Node {
        let report = &self.local.reports[&id()];
        let lost = report.orphan.clone().expect("the node says what it was placed as");
        let placement = Placement { wish, adopts: Some(report.placed), ..*lost };
        let job = self.lost_job.clone().expect("it was placed before");
        self.local.wishes.insert(id(), Wanted { placement, created: Revision(70), job });
        self.settle("adopt")
    }

    /// The node was purged at a revision.
    pub(crate) fn purge(mut self, at: u64) -> Node {
        self.local.disowned = Some(Revision(at));
        self.settle("purged")
    }

    pub(crate) fn exit(mut self, task: &str, code: i32) -> Node {
        let observed = self.local.tasks.get_mut(&id()).unwrap().get_mut(task).unwrap();
        observed.fact = Fact::Exited { at: self.now, exit: Exit { code, ..Exit::default() } };
        self.settle(&format!("{task} exits {code}"))
    }

    pub(crate) fn check(mut self, status: CheckStatus, failures_in_row: u32) -> Node {
        let fact = CheckFact { status, since: self.now, failures_in_row, output: String::new() };
        self.local.checks.entry(id()).or_default().insert("web/alive".into(), fact);
        self.settle(&format!("check {status:?}").to_lowercase())
    }

    pub(crate) fn take_port(mut self, task: &str, port: u16) -> Node {
        self.broken.insert(task.into(), Refusal::PortTaken(port));
        self
    }

    /// So many MB of logs and of other files were measured.
    pub(crate) fn hold(mut self, logs_mb: u64, other_mb: u64) -> Node {
        let held = DiskUse { logs_bytes: logs_mb << 20, other_bytes: other_mb << 20 };
        self.local.disk.insert(id(), held);
        self.settle(&format!("holds {logs_mb} and {other_mb} MB"))
    }

    pub(crate) fn break_start(mut self, task: &str, fatal: bool) -> Node {
        let refusal = if fatal { Refusal::Final } else { Refusal::Passing };
        self.broken.insert(task.into(), refusal);
        self
    }

    pub(crate) fn mend(mut self) -> Node {
        self.broken.clear();
        self
    }

    pub(crate) fn lose_memory(mut self) -> Node {
        self.local.memory.clear();
        self.settle("memory lost")
    }

    pub(crate) fn save_memory(mut self) -> Node {
        self.saved = self.local.memory.clone();
        self
    }

    /// The agent is started again with the memory that was saved.
    pub(crate) fn return_to_memory(mut self) -> Node {
        self.local.memory = self.saved.clone();
        self.settle("old memory")
    }

    /// A start that nobody waits for any more comes through.
    pub(crate) fn appear(mut self, task: &str, incarnation: u32) -> Node {
        let fact = Fact::Running { since: self.now, asked_to_stop: None };
        let tasks = self.local.tasks.entry(id()).or_default();
        tasks.insert(task.to_owned(), Observed { incarnation, fact });
        self.settle(&format!("{task} #{incarnation} turns up"))
    }

    /// Lets time pass, stopping at every wish to be woken.
    pub(crate) fn wait(mut self, seconds: i64) -> Node {
        let until = self.now + SignedDuration::from_secs(seconds);
        while let Some(at) = decide(&self.local, &id(), self.now).wake_at.filter(|at| *at <= until) {
            assert!(at > self.now, "a wish to be woken must lie ahead");
            self.now = at;
            self = self.settle("timer");
        }
        self.now = until;
        self.settle("wait")
    }

    /// Decides and acts until nothing is left to do.
    pub(crate) fn settle(mut self, what: &str) -> Node {
        let mut lines = String::new();
        for _round in 0..20 {
            let plan = decide(&self.local, &id(), self.now);
            let acts: Vec<Act> = plan.steps.into_iter().flat_map(|step| step.effects).collect();
            if acts.is_empty() {
                if !lines.is_empty() {
                    let time = self.now.as_second();
                    writeln!(self.log, "{time}s {what}:{lines}").unwrap();
                }
                return self;
            }
            for act in acts {
                if !matches!(act, Act::Remember(_, Some(_))) {
                    write!(lines, "\n  {act}").unwrap();
                }
                self.act(act);
            }
        }
        panic!("the node does not come to rest: {lines}");
    }

    fn act(&mut self, act: Act) {
        let now = self.now;
        match act {
            Act::Remember(id, Some(memory)) => drop(self.local.memory.insert(id, *memory)),
            Act::Remember(id, None) => drop(self.local.memory.remove(&id)),
            Act::Report(id, Some(report)) => drop(self.local.reports.insert(id, report)),
            Act::Report(id, None) => drop(self.local.reports.remove(&id)),
            Act::Start { allocation, task, incarnation } => {
                let tasks = self.local.tasks.entry(allocation).or_default();
                let alive = tasks.get(&task).is_some_and(|seen| seen.fact.is_alive());
                assert!(!alive, "{task} was started while it runs");
                let fact = match self.broken.get(&task) {
                    Some(refusal) => {
                        Fact::Refused { at: now, refusal: *refusal, message: refused(*refusal).into() }
                    }
                    None => Fact::Running { since: now, asked_to_stop: None },
                };
                tasks.insert(task, Observed { incarnation, fact });
            }
            Act::Stop { allocation, task, .. } => {
                let exit = Exit { code: 130, signal: Some(2), ..Exit::default() };
                let observed = self.local.tasks.get_mut(&allocation).unwrap().get_mut(&task).unwrap();
                assert!(observed.fact.is_alive(), "{task} was stopped while it does not run");
                observed.fact = Fact::Exited { at: now, exit };
            }
            Act::Forget { allocation, task } => {
                let tasks = self.local.tasks.get_mut(&allocation).unwrap();
                tasks.remove(&task);
                if tasks.is_empty() {
                    self.local.tasks.remove(&allocation);
                }
            }
            Act::Remove(_) => {}
        }
    }
}

fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Passing | Refusal::Final => "no such program",
        Refusal::PortTaken(_) => "port 8080 is taken by PID 7 (nginx)",
    }
}
