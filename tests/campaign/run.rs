//! The campaigns that torment real processes: `make campaign chaos`, `make campaign liveness`.
//!
//! `SEED` is the first seed, `RUNS` how many follow each other, `CASE` one case of
//! `liveness`, `SLICE=1` the small runs of `chaos` that the end-to-end tests make. The last line is the
//! result and the totals for `tests/track-record.md`. The end-to-end tests run a slice of both.

#![expect(unreachable_pub, reason = "a campaign exports nothing: `pub` says what its other files may use")]
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

#[expect(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "mod.rs"]
mod campaign;
#[expect(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/etcd.rs"]
mod etcd;
#[path = "../common/mounts.rs"]
mod mounts;
#[path = "../e2e/ports.rs"]
mod ports;
#[path = "../e2e/process.rs"]
mod process;
#[expect(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/wait.rs"]
mod wait;

use std::{process::ExitCode, str::FromStr, time::Instant};

use campaign::{
    chaos,
    judge::Verdict,
    liveness::{self, Case},
};

/// How many seeds of `chaos` make one piece.
const RUNS: u64 = 5;

fn main() -> ExitCode {
    // Cargo itself adds `--bench`.
    let name = std::env::args().skip(1).find(|word| !word.starts_with("--"));
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let verdicts = match name.as_deref() {
        Some("chaos") => runtime.block_on(all_of_chaos()),
        Some("liveness") => runtime.block_on(all_of_liveness()),
        other => {
            println!("there is no campaign {other:?} here: chaos, liveness");
            return ExitCode::FAILURE;
        }
    };
    let broken = verdicts.iter().filter(|verdict| !verdict.violations.is_empty()).count();
    let result =
        if broken == 0 { "passed".to_owned() } else { format!("{broken} of {} failed", verdicts.len()) };
    let totals: Vec<&str> = verdicts.iter().map(|verdict| verdict.totals.as_str()).collect();
    println!("{result} | {}", totals.join(" · "));
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn all_of_chaos() -> Vec<Verdict> {
    let first = asked("SEED").unwrap_or(1);
    let scale = if asked::<u8>("SLICE").is_some() { &chaos::SLICE } else { &chaos::WHOLE };
    let mut verdicts = Vec::new();
    for seed in first..first + asked("RUNS").unwrap_or(RUNS) {
        let began = Instant::now();
        let verdict = chaos::run(seed, scale).await;
        tell(&format!("seed {seed}"), began, &verdict);
        verdicts.push(verdict);
    }
    verdicts
}

async fn all_of_liveness() -> Vec<Verdict> {
    let wanted: Option<String> = asked("CASE");
    let is_wanted = |case: &Case| wanted.as_ref().is_none_or(|name| *name == format!("{case:?}"));
    let mut verdicts = Vec::new();
    for case in Case::ALL.into_iter().filter(is_wanted) {
        let began = Instant::now();
        let verdict = liveness::run(case, liveness::AFTERMATH).await;
        tell(&format!("{case:?}"), began, &verdict);
        verdicts.push(verdict);
    }
    verdicts
}

fn asked<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn tell(what: &str, began: Instant, verdict: &Verdict) {
    let result = if verdict.violations.is_empty() { "well" } else { "BROKEN" };
    println!("{what}: {result} in {} s: {}", began.elapsed().as_secs(), verdict.totals);
    verdict.violations.iter().for_each(|story| println!("  {story}"));
}
