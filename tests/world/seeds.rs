//! Many seeds, the seeds that once found something, and the seeds asked for.
//!
//! `WORLD_SEED=7` tells one seed in full, `WORLD_SEEDS=1000..2000` a range; the chapters share them out.
//! `WORLD_TRACE=FILE` keeps the last story, whatever came of it.

use crate::chaos::tell;
use crate::faults::Sabotage;

/// Which seeds every run tells.
const SEEDS: std::ops::Range<u64> = 0..320;
/// How many tests tell them, so that all cores have something to do.
const CHAPTERS: u64 = 8;
/// Every so many seeds, one is told twice.
const TWICE: usize = 20;

/// The seeds of a chapter.
fn seeds(chapter: u64) -> Vec<u64> {
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed is a number");
    let asked = |name: &str| std::env::var(name).ok();
    let range = match (asked("WORLD_SEED"), asked("WORLD_SEEDS")) {
        (Some(seed), _) => number(&seed)..number(&seed) + 1,
        (None, Some(range)) => {
            let (first, end) = range.split_once("..").expect("WORLD_SEEDS is FIRST..END");
            number(first)..number(end)
        }
        (None, None) => SEEDS,
    };
    range.filter(|seed| seed % CHAPTERS == chapter).collect()
}

/// Tells seeds; fails with the first story that breaks a rule, and the numbers of all.
fn all_are_well(seeds: &[u64]) {
    let told = seeds.iter().map(|seed| (*seed, tell(*seed, Sabotage::None)));
    let failures: Vec<(u64, String)> = told.filter_map(|(seed, told)| Some((seed, told.err()?))).collect();
    let numbers: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
    if let Some((seed, why)) = failures.first() {
        panic!("seeds {numbers:?} fail; WORLD_SEED={seed} tells:\n{why}");
    }
}

macro_rules! chapters {
    ($($name:ident: $number:expr),*) => { $(
        #[test]
        fn $name() {
            all_are_well(&seeds($number));
        }
    )* };
}

chapters! {
    chapter_1: 0, chapter_2: 1, chapter_3: 2, chapter_4: 3,
    chapter_5: 4, chapter_6: 5, chapter_7: 6, chapter_8: 7
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
    for seed in SEEDS.step_by(TWICE) {
        assert_eq!(tell(seed, Sabotage::None), tell(seed, Sabotage::None), "seed {seed}");
    }
}
