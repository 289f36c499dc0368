//! Kills and pauses without pause while users change their jobs without pause: what nobody changed must not notice.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    judge::{Evidence, Verdict},
    recorder::{Life, Recorder},
    schedule::{self, Fault, Harm, Size, Victim},
    stand::{Shape, Stand},
    wanted::until_as_wanted,
    workload::{self, PARALLEL, Plan, Writers},
};

/// How large a run is.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Kills and pauses, and over how long.
    pub faults: (u32, Duration),
    /// Jobs that nobody changes, and how many instances each has.
    pub quiet: (usize, usize),
    /// Jobs that are updated in turn, and how many instances each has.
    pub rolling: (usize, usize),
    /// Between how many instances another job is scaled.
    pub scaled: (usize, usize),
    /// How long after an update the next one follows.
    pub pause: Duration,
    /// How long it may take after the last fault until all is as wanted.
    pub within: Duration,
    /// How long is watched after that.
    pub aftermath: Duration,
}

/// 100 tasks, 20 of them untouched; 100 faults in 150 s.
pub const WHOLE: Scale = Scale {
    faults: (100, Duration::from_secs(150)),
    quiet: (2, 10),
    rolling: (4, 18),
    scaled: (4, 12),
    pause: Duration::from_secs(2),
    within: Duration::from_secs(5),
    aftermath: Duration::from_secs(13),
};
/// The same for a machine that has little time. How long things take is no matter there.
pub const SLICE: Scale = Scale {
    faults: (8, Duration::from_secs(10)),
    quiet: (1, 8),
    rolling: (2, 6),
    scaled: (1, 4),
    pause: Duration::from_secs(2),
    within: NEVER,
    aftermath: Duration::from_secs(3),
};

/// Whoever is not ready by then never will be.
const NEVER: Duration = Duration::from_secs(60);
const REVIVE_EVERY: Duration = Duration::from_millis(250);
const SCALED: &str = "scaled";

/// One run.
pub async fn run(seed: u64, scale: &Scale) -> Verdict {
    let shape = Shape { etcd: 3, servers: 2, agents: 4 };
    let mut stand = Stand::start(shape).await;
    let (_, mark) = stand.mark();
    let quiet = names("quiet", scale.quiet.0);
    let rolling = names("rolling", scale.rolling.0);
    let recorder = Recorder::start(&mark, most(scale, &quiet, &rolling));
    let sizes = quiet.iter().map(|name| (name.clone(), scale.quiet.1));
    let sizes = sizes.chain(rolling.iter().map(|name| (name.clone(), scale.rolling.1)));
    for (name, count) in sizes.chain([(SCALED.to_owned(), scale.scaled.1)]) {
        let made = stand.client.apply(&workload::sleepers(&name, count, 1, &mark), NEVER).await;
        assert!(matches!(made, super::client::Outcome::Acknowledged { .. }), "{name}: {made:?}");
    }
    let ready = until_as_wanted(&stand.client, &recorder, NEVER).await;
    assert!(ready.is_ok(), "nothing was harmed yet: {ready:?}\n{}", stand.last_words());
    let untouched: Vec<Life> =
        recorder.record().alive().filter(|life| quiet.contains(&life.task.job)).cloned().collect();
    assert_eq!(untouched.len(), scale.quiet.0 * scale.quiet.1, "all untouched tasks run");

    let plan = Plan {
        rolling,
        count: scale.rolling.1,
        pause: scale.pause,
        scaled: (SCALED.to_owned(), scale.scaled.0..scale.scaled.1 + 1),
        note_pause: scale.pause / 8,
    };
    let writers = Writers::start(&stand.client, &plan, &mark, seed);
    let Shape { etcd, servers, agents } = shape;
    let size = Size { etcd, servers, agents, faults: scale.faults.0, over: scale.faults.1 };
    let mut torment = Torment::new(&recorder, &schedule::faults(seed, &size));
    torment.run(&mut stand, &writers).await;
    let written = writers.stop().await;
    let convergence = until_as_wanted(&stand.client, &recorder, NEVER.max(scale.within)).await;
    let convergence = convergence.map(|_| torment.last_end().elapsed());
    torment.watch(&mut stand, scale.aftermath).await;

    let jobs = workload::jobs(&stand.client).await.unwrap_or_default();
    let evidence = Evidence {
        record: &recorder.record(),
        untouched: &untouched,
        faults: &torment.faults,
        written: &written,
        jobs: &jobs,
        convergence,
        within: scale.within,
        ends: &torment.ends,
        panics: &panics(&stand),
    };
    let verdict = evidence.verdict();
    super::keep::logs(&stand, &verdict, &format!("chaos-{seed}"));
    verdict
}

/// How many processes a job may have at once: one that nobody changes as many as it has instances, and while an update
/// goes on those that begin and those that end beside those that stay.
fn most(scale: &Scale, quiet: &[String], rolling: &[String]) -> BTreeMap<String, usize> {
    let quiet = quiet.iter().map(|name| (name.clone(), scale.quiet.1));
    let rolling = rolling.iter().map(|name| (name.clone(), scale.rolling.1 + 2 * PARALLEL));
    quiet.chain(rolling).chain([(SCALED.to_owned(), 2 * scale.scaled.1)]).collect()
}

fn names(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{of}-{number}")).collect()
}

/// Lines of logs that tell of a panic.
pub fn panics(stand: &Stand) -> Vec<String> {
    let logs = stand.logs();
    let lines = logs.iter().flat_map(|(name, log)| log.lines().map(move |line| (name, line)));
    lines
        .filter(|(_, line)| line.contains("panicked"))
        .map(|(name, line)| format!("{name}: {line}"))
        .collect()
}

/// Does what the schedule says, and keeps what it saw.
struct Torment {
    began: Instant,
    /// Counted from when the recorder began, as all that is told.
    faults: Vec<Fault>,
    /// What ended by itself, and when.
    ends: Vec<(Duration, String)>,
}

impl Torment {
    fn new(recorder: &Recorder, planned: &[Fault]) -> Torment {
        let past = recorder.began.elapsed();
        let shift = |fault: &Fault| Fault { begins: fault.begins + past, ends: fault.ends + past, ..*fault };
        Torment { began: recorder.began, faults: planned.iter().map(shift).collect(), ends: Vec::new() }
    }

    async fn run(&mut self, stand: &mut Stand, writers: &Writers) {
        let begins = self.faults.iter().map(|fault| (fault.begins, true, fault.victim, fault.harm));
        let ends = self.faults.iter().map(|fault| (fault.ends, false, fault.victim, fault.harm));
        let mut steps: Vec<(Duration, bool, Victim, Harm)> = begins.chain(ends).collect();
        steps.sort_by_key(|(at, ..)| *at);
        let last = self.faults.last().map(|fault| fault.begins);
        for (at, is_harm, victim, harm) in steps {
            self.watch(stand, at.saturating_sub(self.began.elapsed())).await;
            if is_harm {
                stand.harm(victim, harm);
            } else {
                stand.mend(victim, harm);
            }
            if last == Some(at) {
                writers.let_it_be_the_last();
            }
        }
    }

    /// Lets time pass, and starts again whatever ends by itself.
    async fn watch(&mut self, stand: &mut Stand, lasting: Duration) {
        let until = Instant::now() + lasting;
        loop {
            let ended = stand.revive();
            self.ends.extend(ended.into_iter().map(|what| (self.began.elapsed(), what)));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(REVIVE_EVERY)).await;
        }
    }

    /// When the last fault was over.
    fn last_end(&self) -> Instant {
        self.began + self.faults.iter().map(|fault| fault.ends).max().unwrap_or_default()
    }
}
