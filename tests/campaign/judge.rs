//! What a campaign found: numbers, and a story for each rule that was broken.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use super::{
    recorder::{Life, Record},
    schedule::Fault,
    workload::Written,
};

/// How many faults are told before a violation.
const BEFORE: usize = 6;

/// The end of one run.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What must not have happened, each with when and after which faults.
    pub violations: Vec<String>,
    /// The numbers, as a row of the track record shows them.
    pub totals: String,
}

impl Verdict {
    /// Fails with every story, if there is one.
    #[track_caller]
    pub fn assert_well(&self) {
        assert!(self.violations.is_empty(), "{}\n{}", self.totals, self.violations.join("\n"));
    }
}

/// All that a run is judged by.
pub struct Evidence<'a> {
    /// What lived.
    pub record: &'a Record,
    /// The processes that nobody had a reason to touch.
    pub untouched: &'a [Life],
    /// The faults, counted from when the recorder began.
    pub faults: &'a [Fault],
    /// What was written.
    pub written: &'a Written,
    /// By job: how many instances it has in the end, and at which version.
    pub jobs: &'a BTreeMap<String, (usize, Option<u64>)>,
    /// How long it took after the last fault until all was as wanted, or what was still wrong then.
    pub convergence: Result<Duration, String>,
    /// How long it may take.
    pub within: Duration,
    /// What processes said as they ended by themselves, with when.
    pub ends: &'a [(Duration, String)],
    /// Lines of logs that tell of a panic.
    pub panics: &'a [String],
}

impl Evidence<'_> {
    /// Judges.
    pub fn verdict(&self) -> Verdict {
        let (kept, touched) = self.touched();
        let duplicates = self.record.sights.iter().map(|sight| (sight.at, sight.what.clone()));
        let lost = self.lost();
        let ends = self.ends.iter().cloned();
        let told: Vec<(Duration, String)> = touched.into_iter().chain(duplicates).chain(ends).collect();
        let mut violations: Vec<String> = told.iter().map(|(at, what)| self.story(*at, what)).collect();
        violations.extend(lost.iter().map(|what| format!("an acknowledged write is lost: {what}")));
        violations.extend(self.written.refused.iter().map(|what| format!("a write was refused: {what}")));
        violations.extend(self.panics.iter().map(|line| format!("a panic: {line}")));
        let converged = match &self.convergence {
            Ok(took) if *took > self.within => {
                violations.push(format!("all was as wanted only after {:.1} s", took.as_secs_f64()));
                format!("converged in {:.1} s", took.as_secs_f64())
            }
            Ok(took) => format!("converged in {:.1} s", took.as_secs_f64()),
            Err(last) => {
                violations.push(format!("never as wanted: {last}"));
                "not converged".to_owned()
            }
        };
        let totals = format!(
            "{} faults; {kept} of {} untouched; {} duplicates; {} of {} acknowledged writes lost; {converged}; \
             {} tasks started, {} of them again for no reason of a user's",
            self.faults.len(),
            self.untouched.len(),
            self.record.sights.len(),
            lost.len(),
            self.written.acknowledged,
            self.record.lives.len(),
            self.replaced(),
        );
        Verdict { violations, totals }
    }

    /// How many of the untouched still live, and the ends and successors of the others.
    fn touched(&self) -> (usize, Vec<(Duration, String)>) {
        let alive: BTreeSet<_> = self.record.alive().map(|life| &life.identity).collect();
        let (kept, ended): (Vec<&Life>, _) =
            self.untouched.iter().partition(|life| alive.contains(&life.identity));
        let jobs: BTreeSet<&str> = self.untouched.iter().map(|life| life.task.job.as_str()).collect();
        let known: BTreeSet<_> = self.untouched.iter().map(|life| &life.identity).collect();
        let ends = ended.into_iter().map(|life| {
            let last = self
                .record
                .lives
                .iter()
                .find(|one| one.identity == life.identity)
                .map_or(life.last, |one| one.last);
            (last, format!("{} (pid {}) ended, untouched by any user", life.task.name, life.identity.pid))
        });
        let others = self.record.lives.iter().filter(|life| jobs.contains(life.task.job.as_str()));
        let successors = others
            .filter(|life| !known.contains(&life.identity))
            .map(|life| (life.first, format!("{} began again as pid {}", life.task.name, life.identity.pid)));
        let mut touched: Vec<_> = ends.chain(successors).collect();
        touched.sort();
        (kept.len(), touched)
    }

    /// How many processes are the second or later one of one instance at one version.
    fn replaced(&self) -> usize {
        let instances: BTreeSet<_> =
            self.record.lives.iter().map(|life| (&life.task.name, life.task.version)).collect();
        // An instance that was scaled away and back begins again because a user wants it.
        let scaled = |name: &str| name.starts_with("scaled");
        let again = self.record.lives.iter().filter(|life| !scaled(&life.task.name)).count();
        again - instances.iter().filter(|(name, _)| !scaled(name)).count()
    }

    fn lost(&self) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, ledger) in &self.written.ledgers {
            let now = self.jobs.get(name).map(|(count, version)| match version {
                _ if name.starts_with("note") => 0,
                _ if name.starts_with("scaled") => *count as u64,
                version => version.unwrap_or_default(),
            });
            if !ledger.allows(now) {
                lost.push(format!(
                    "{name} is {now:?}, and its last acknowledged was {:?}",
                    ledger.acknowledged
                ));
            }
        }
        lost
    }

    /// A violation, and the faults that came before it.
    fn story(&self, at: Duration, what: &str) -> String {
        let before: Vec<&Fault> = self.faults.iter().filter(|fault| fault.begins <= at).collect();
        let mut story = format!("{:7.2} s  {what}", at.as_secs_f64());
        for fault in &before[before.len().saturating_sub(BEFORE)..] {
            write!(story, "\n    after {fault}").expect("a text takes all");
        }
        story
    }
}
