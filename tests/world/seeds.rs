//! Many seeds, the seeds that once found something, and one seed asked for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::chaos::tell;
use crate::faults::Sabotage;

/// How many seeds every run tells.
const SEEDS: u64 = 18;
/// How many threads tell them.
const THREADS: usize = 2;

/// Tells seeds on all threads; gives the failures in order.
pub(crate) fn tell_all(seeds: &[u64], sabotage: Sabotage) -> Vec<(u64, String)> {
    let (next, failures) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(seed) =
                    seeds.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap())
                {
                    if let Err(why) = tell(*seed, sabotage) {
                        failures.lock().unwrap().push((*seed, why));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    failures
}

fn all_are_well(seeds: &[u64]) {
    let failures = tell_all(seeds, Sabotage::None);
    let numbers: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
    if let Some((seed, why)) = failures.first() {
        panic!("seeds {numbers:?} fail; WORLD_SEED={seed} tells:\n{why}");
    }
}

#[test]
fn many_seeds() {
    if let Ok(seed) = std::env::var("WORLD_SEED") {
        let seed = seed.parse().expect("WORLD_SEED is a number");
        let told = tell(seed, Sabotage::None);
        assert!(told.is_ok(), "seed {seed}: {}", told.unwrap_err());
        return;
    }
    let seeds: Vec<u64> = (0..SEEDS).collect();
    all_are_well(&seeds);
}

#[test]
fn seeds_that_once_found_something() {
    let seeds: Vec<u64> = include_str!("seeds")
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| line.parse().expect("a number"))
        .collect();
    all_are_well(&seeds);
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in [3, 4, 5] {
        assert_eq!(tell(seed, Sabotage::None), tell(seed, Sabotage::None), "seed {seed}");
    }
}
