//! The campaign's own tools, tested: a judge that sees nothing and a schedule that breaks its promises are worth nothing.

mod schedule {
    use std::time::Duration;

    use crate::campaign::schedule::{Fault, Harm, Size, Victim, everybody, faults};

    const SIZE: Size = Size { etcd: 3, servers: 2, agents: 4, faults: 100, over: Duration::from_secs(150) };

    /// How many of a kind are out of order at the moment when a fault begins.
    fn out(faults: &[Fault], at: Duration, kind: impl Fn(&Victim) -> bool) -> usize {
        faults.iter().filter(|fault| fault.begins <= at && at < fault.ends && kind(&fault.victim)).count()
    }

    #[test]
    fn a_majority_of_etcd_and_a_server_run_at_every_moment() {
        for seed in 0..200 {
            let faults = faults(seed, &SIZE);
            for Fault { begins, .. } in &faults {
                assert!(
                    out(&faults, *begins, |victim| matches!(victim, Victim::Etcd(_))) <= 1,
                    "seed {seed}"
                );
                assert!(
                    out(&faults, *begins, |victim| matches!(victim, Victim::Server(_))) <= 1,
                    "seed {seed}"
                );
            }
        }
    }

    #[test]
    fn everybody_is_hit_in_both_ways_and_nobody_twice_at_once() {
        for seed in 0..20 {
            let faults = faults(seed, &SIZE);
            assert!(faults.len() >= 95, "seed {seed} has only {} faults", faults.len());
            for victim in everybody(&SIZE) {
                let hits: Vec<&Fault> = faults.iter().filter(|fault| fault.victim == victim).collect();
                assert!(hits.windows(2).all(|two| two[0].ends < two[1].begins), "seed {seed}: {victim}");
                assert!(!hits.is_empty(), "seed {seed} leaves {victim} alone");
            }
            assert!([Harm::Kill, Harm::Pause].iter().all(|harm| faults.iter().any(|one| one.harm == *harm)));
        }
    }

    #[test]
    fn a_seed_is_one_story() {
        assert_eq!(faults(7, &SIZE), faults(7, &SIZE));
        assert_ne!(faults(7, &SIZE), faults(8, &SIZE));
    }
}

mod recorder {
    use std::{collections::BTreeMap, time::Duration};

    use crate::{
        campaign::recorder::{Record, Task, task},
        process::Identity,
    };

    fn seen(pid: u32, allocation: &str) -> (Identity, Option<Task>) {
        let environment = format!(
            "NOMAD_JOB_NAME=web\0NOMAD_ALLOC_NAME=web.main[0]\0NOMAD_ALLOC_ID={allocation}\0CAMPAIGN=/x\0VERSION=3\0"
        );
        (Identity { pid, start_time: 1 }, task(environment.as_bytes(), "/x"))
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_what_carries_the_mark_is_ours() {
        assert_eq!(task(b"CAMPAIGN=/y\0VERSION=3\0", "/x"), None);
        assert_eq!(seen(1, "a").1.map(|task| (task.name, task.version)), Some(("web.main[0]".to_owned(), 3)));
    }

    #[test]
    fn an_allocation_that_lives_twice_is_told_once() {
        let mut record = Record::default();
        record.look(at(1), &[seen(1, "a"), seen(2, "b")], &BTreeMap::new());
        assert_eq!(record.sights.len(), 0);
        record.look(at(2), &[seen(1, "a"), seen(3, "a")], &BTreeMap::new());
        record.look(at(3), &[seen(1, "a"), seen(3, "a")], &BTreeMap::new());
        assert_eq!(record.sights[0].what, "web.main[0] version 3 lives as [1, 3] at once");
        assert_eq!((record.sights.len(), record.sights[0].at), (1, at(2)));
        assert_eq!(record.alive().count(), 2);
        assert_eq!(record.lives[1].last, at(1), "the second has ended");
    }

    #[test]
    fn more_processes_than_an_update_allows_are_too_many() {
        let mut record = Record::default();
        record.look(at(1), &[seen(1, "a"), seen(2, "b")], &BTreeMap::from([("web".to_owned(), 1)]));
        assert_eq!(record.sights[0].what, "web has 2 processes at once");
    }
}

mod judge {
    use std::{collections::BTreeMap, time::Duration};

    use crate::{
        campaign::{
            judge::{Evidence, Verdict},
            recorder::{Life, Record, Task},
            schedule::{Fault, Harm, Victim},
            workload::Written,
        },
        process::Identity,
    };

    fn life(job: &str, pid: u32, version: u64, is_alive: bool) -> Life {
        let (name, allocation) = (format!("{job}.main[0]"), format!("{job}-{version}-{pid}"));
        let task = Task { job: job.to_owned(), name, allocation, version };
        let (first, last) = (Duration::from_secs(1), Duration::from_secs(9));
        Life { task, identity: Identity { pid, start_time: 1 }, first, last, is_alive }
    }

    fn judged(lives: Vec<Life>, convergence: Result<Duration, String>) -> Verdict {
        let mut record = Record::default();
        record.lives = lives;
        let seconds = Duration::from_secs;
        let faults =
            [Fault { victim: Victim::Agent(0), harm: Harm::Pause, begins: seconds(4), ends: seconds(7) }];
        let (untouched, within) = ([life("quiet", 1, 1, true)], seconds(5));
        let evidence = Evidence {
            record: &record,
            untouched: &untouched,
            faults: &faults,
            written: &Written::default(),
            jobs: &BTreeMap::new(),
            convergence,
            within,
            ends: &[],
            panics: &[],
        };
        evidence.verdict()
    }

    #[test]
    fn what_goes_on_is_well() {
        let verdict =
            judged(vec![life("quiet", 1, 1, true), life("rolling", 2, 1, false)], Ok(Duration::ZERO));
        assert_eq!(verdict.violations, Vec::<String>::new());
        assert!(verdict.totals.starts_with("1 faults; 1 of 1 untouched; 0 duplicates"), "{}", verdict.totals);
    }

    #[test]
    fn an_untouched_task_that_ended_is_told_with_the_faults_before() {
        let verdict = judged(vec![life("quiet", 1, 1, false), life("quiet", 2, 1, true)], Ok(Duration::ZERO));
        let [again, ended] = &verdict.violations[..] else { panic!("{verdict:#?}") };
        assert!(again.contains("began again as pid 2"), "{again}");
        assert!(ended.contains("9.00 s") && ended.contains("4.00 s  n0 paused for 3.00 s"), "{ended}");
        assert!(verdict.totals.contains("0 of 1 untouched"), "{}", verdict.totals);
        assert!(verdict.totals.contains("2 tasks started, 1 of them again"), "{}", verdict.totals);
    }

    #[test]
    fn what_converges_late_or_never_is_told() {
        let lives = || vec![life("quiet", 1, 1, true)];
        assert_eq!(judged(lives(), Ok(Duration::from_secs(6))).violations.len(), 1);
        assert_eq!(
            judged(lives(), Err("web: 2 of 3".to_owned())).violations,
            ["never as wanted: web: 2 of 3"]
        );
    }
}

mod workload {
    use crate::campaign::{client::Outcome, workload::Ledger};

    #[test]
    fn a_write_is_lost_if_neither_it_nor_a_doubtful_one_is_there() {
        let mut ledger = Ledger::default();
        assert!(ledger.allows(None) && !ledger.allows(Some(1)));
        ledger.write(1, &Outcome::Acknowledged { twice: false });
        ledger.write(2, &Outcome::Unknown("timed out".to_owned()));
        ledger.write(3, &Outcome::Acknowledged { twice: false });
        ledger.write(4, &Outcome::Refused("422".to_owned()));
        let allowed: Vec<u64> = (0..5).filter(|value| ledger.allows(Some(*value))).collect();
        assert_eq!((allowed, ledger.allows(None)), (vec![2, 3], false));
    }
}
