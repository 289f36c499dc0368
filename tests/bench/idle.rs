//! What `encamp dev` costs while nothing happens.

use std::{fs, time::Duration};

use crate::cluster::Cluster;

/// How long it is looked at.
pub const FOR: Duration = Duration::from_secs(30);
/// Left alone before that: what a start leaves to do is done.
const SETTLE: Duration = Duration::from_secs(10);
/// The kernel counts a process's time for its readers in hundredths of a second.
const TICKS_A_SECOND: f64 = 100.0;

/// Looks at an idle cluster.
pub async fn measure(cluster: &Cluster) -> String {
    tokio::time::sleep(SETTLE).await;
    let pid = cluster.server.as_ref().expect("the server runs").id();
    let (ticks, revision) = (ticks(pid), revision(cluster).await);
    tokio::time::sleep(FOR).await;
    let seconds = FOR.as_secs_f64();
    let core = f64::from(self::ticks(pid) - ticks) / TICKS_A_SECOND / seconds * 100.0;
    let writes = f64::from(self::revision(cluster).await - revision) / seconds;
    let memory = resident_mib(pid);
    format!(
        "{core:.2} % of a core, {memory:.1} MiB resident, {writes:.2} store revisions a second (the beat is one)"
    )
}

/// User and system time of a process.
fn ticks(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the server runs");
    // The name stands in parentheses and may hold anything; 11 fields after the state come the two times.
    let fields = stat.rsplit_once(')').expect("the kernel writes the name so").1;
    let times = fields.split_whitespace().skip(11).take(2);
    times.map(|time| time.parse::<u32>().expect("the kernel counts in numbers")).sum()
}

fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells it");
    let kibibytes: f64 = line.trim_end_matches("kB").trim().parse().expect("the kernel counts in numbers");
    kibibytes / 1024.0
}

async fn revision(cluster: &Cluster) -> u32 {
    let list =
        cluster.api.list("/apis/encamp.dev/v1/namespaces/default/jobs").await.expect("the API answers");
    let revision = list["metadata"]["resourceVersion"].as_str().expect("a list has a revision");
    revision.parse().expect("a revision is a number")
}
