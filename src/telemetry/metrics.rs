//! Every metric of the process, with its name and labels.

use std::sync::LazyLock;

use prometheus::{
    HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, register_histogram_vec,
    register_int_counter, register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};

/// Seconds from 50 µs to 5 s: a plan takes microseconds, a commit through a busy etcd a second.
const SECONDS: &[f64] = &[0.000_05, 0.000_2, 0.001, 0.002, 0.005, 0.01, 0.03, 0.1, 0.3, 1.0, 5.0];

/// Differences found between the cache and the store.
pub static CACHE_DIFFERENCES: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("encamp_cache_differences_total", "Keys in which the cache differed from the store")
        .expect("registered once")
});

/// Documents that are there and cannot be read.
pub static UNREADABLE_DOCUMENTS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "encamp_unreadable_documents",
        "Documents of the store that cannot be read, by kind; `unknown` counts keys of kinds that this version lacks",
        &["kind"]
    )
    .expect("registered once")
});

/// How long deciding took.
pub static PLAN_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        "encamp_controller_plan_seconds",
        "Time a controller took to plan one root",
        &["controller"],
        SECONDS.to_vec()
    )
    .expect("registered once")
});

/// How long writing took.
pub static COMMIT_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        "encamp_controller_commit_seconds",
        "Time the store took to commit one step",
        &["controller"],
        SECONDS.to_vec()
    )
    .expect("registered once")
});

/// What was not written, and why.
pub static COMMIT_FAILURES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "encamp_controller_commit_failures_total",
        "Steps that were not committed",
        &["controller", "reason"]
    )
    .expect("registered once")
});

/// How many roots wait.
pub static QUEUE_ROOTS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!("encamp_controller_queue_roots", "Roots that wait to be planned", &["controller"])
        .expect("registered once")
});

/// Whether the brake on mass loss holds.
pub static BRAKE_HOLDS: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("encamp_brake_holds", "1 while many nodes are silent and the brake holds, else 0")
        .expect("registered once")
});

/// How many silent nodes are not given up yet.
pub static BRAKE_WAITING: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("encamp_brake_waiting_nodes", "Silent nodes that the brake keeps from being given up")
        .expect("registered once")
});

/// How large etcd's file is, and how much of it is used; its quota limits the file.
pub static ETCD_BYTES: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!("encamp_etcd_bytes", "Bytes of etcd's file, and those in use", &["kind"])
        .expect("registered once")
});

/// Up to where etcd's history was forgotten by this process.
pub static ETCD_COMPACTED: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("encamp_etcd_compacted_revision", "The revision this process last compacted etcd to")
        .expect("registered once")
});

/// How much may still be made new before the reserve of the store begins.
pub static STORE_GROWTH_BYTES: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("encamp_store_growth_bytes", "Bytes that may be made new before the store is full")
        .expect("registered once")
});

/// Whether nothing new is taken any more.
pub static STORE_FULL: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("encamp_store_full", "1 while the store refuses what makes it larger, else 0")
        .expect("registered once")
});

/// How much later than it should the tick of a lane came.
pub static LANE_DELAY: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        "encamp_lane_delay_seconds",
        "How late the ticks of this server's threads come",
        &["lane"],
        SECONDS.to_vec()
    )
    .expect("registered once")
});

/// How often the threads of a lane stood still for a second or more.
pub static LANE_STALLS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "encamp_lane_stalls_total",
        "How often the threads of this server stood still for a second or more",
        &["lane"]
    )
    .expect("registered once")
});

/// What runs without a placement.
pub static ORPHANS: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("encamp_orphans", "Allocations that agents run without a placement")
        .expect("registered once")
});

/// Nodes that take nothing from this store.
pub static NODES_ABROAD: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("encamp_nodes_abroad", "Nodes that follow another store than this one")
        .expect("registered once")
});

/// All metrics in Prometheus' text format.
pub fn render() -> String {
    let families = prometheus::gather();
    prometheus::TextEncoder::new().encode_to_string(&families).unwrap_or_default()
}
