//! How fast the real binary is, on this machine, now: `make bench`.
//!
//! Every table stands beside a floor measured in the same run, because machines differ and so do their days:
//! the same chain of writes and watches through a bare etcd, with nothing of Encamp in it.

#![expect(unreachable_pub, reason = "a benchmark exports nothing: `pub` says what its other files may use")]
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

#[expect(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/api.rs"]
mod api;
mod burst;
mod chain;
#[expect(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/cluster.rs"]
mod cluster;
#[expect(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/etcd.rs"]
mod etcd;
mod idle;
mod latency;
#[path = "../common/mounts.rs"]
mod mounts;
mod numbers;
#[path = "../e2e/ports.rs"]
mod ports;
#[path = "../e2e/process.rs"]
mod process;
mod stamp;
mod user;
#[path = "../e2e/wait.rs"]
mod wait;

use cluster::{Cluster, Shape};

/// How often the chain is measured; another number may be given: `make bench RUNS=50`.
const RUNS: usize = 500;

fn main() {
    // A measured task is this program too.
    if let Some(file) = stamp::asked(std::env::args()) {
        return stamp::run(&file);
    }
    let runs = std::env::var("RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS);
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(measure(runs));
}

async fn measure(runs: usize) {
    println!("One task by raw_exec, {runs} runs, one after the other; milliseconds from apply to");
    numbers::chain_head();
    numbers::chain_row("bare etcd chain", &chain::measure(runs).await);
    let over_etcd = Cluster::start(Shape::Etcd { agents: 1 }).await;
    numbers::chain_row("server and agent over etcd", &latency::measure(&over_etcd, runs).await);
    let dev = Cluster::start(Shape::Dev).await;
    numbers::chain_row("dev over the embedded store", &latency::measure(&dev, runs).await);
    println!("\n50 tasks by raw_exec of one job; milliseconds from apply to all visible as running");
    numbers::burst_row("server and agent over etcd", &burst::measure(&over_etcd).await);
    numbers::burst_row("dev over the embedded store", &burst::measure(&dev).await);
    drop((over_etcd, dev));
    println!("\nIdle, {} s", idle::FOR.as_secs());
    println!("{}", idle::measure(&Cluster::start(Shape::Dev).await).await);
}
