//! Percentiles and the lines of the tables.

use std::time::Duration;

/// What one run of the chain took, from the apply on.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// Until the task's first instruction of its own.
    pub started: Duration,
    /// Until a user who watches has seen it running.
    pub visible: Duration,
}

/// Prints the head of the table of chains.
pub fn chain_head() {
    println!("{:30}{:>24}{:>28}", "", "process started", "visible as running");
    println!("{:30}{:>8}{:>8}{:>8}{:>12}{:>8}{:>8}", "", "p50", "p99", "max", "p50", "p99", "max");
}

/// Prints one line of it.
pub fn chain_row(what: &str, runs: &[Chain]) {
    let columns =
        [runs.iter().map(|run| run.started).collect(), runs.iter().map(|run| run.visible).collect()];
    let [started, visible] = columns.map(|column: Vec<Duration>| {
        let [median, high, worst] = summary(&sorted(column));
        format!("{median:>8.2}{high:>8.2}{worst:>8.2}")
    });
    println!("{what:30}{started}    {visible}");
}

/// Prints one line of the table of bursts.
pub fn burst_row(what: &str, rounds: &[Duration]) {
    let rounds = sorted(rounds.to_vec());
    let [median, _, worst] = summary(&rounds);
    println!("{what:30}best {:>6.0}   median {median:>6.0}   worst {worst:>6.0}", milliseconds(rounds[0]));
}

fn sorted(mut durations: Vec<Duration>) -> Vec<Duration> {
    durations.sort();
    durations
}

/// Median, 99th percentile (nearest rank) and greatest, in milliseconds.
fn summary(sorted: &[Duration]) -> [f64; 3] {
    let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
    [rank(50), rank(99), rank(100)].map(milliseconds)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
