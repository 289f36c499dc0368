//! Whether all is as wanted: what runs, what is reported and what was asked for are the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    client::Client,
    recorder::{Record, Recorder},
    workload,
};

const BETWEEN: Duration = Duration::from_millis(100);

/// By job: how many instances, and at which version.
type Jobs = BTreeMap<String, (usize, Option<u64>)>;

/// Waits until all is as wanted; how long it took, or what was still wrong at the end.
pub async fn until_as_wanted(
    client: &Client,
    recorder: &Recorder,
    within: Duration,
) -> Result<Duration, String> {
    let began = Instant::now();
    loop {
        match is_as_wanted(client, recorder).await {
            Ok(()) => return Ok(began.elapsed()),
            Err(last) if began.elapsed() > within => return Err(last),
            Err(_) => tokio::time::sleep(BETWEEN).await,
        }
    }
}

async fn is_as_wanted(client: &Client, recorder: &Recorder) -> Result<(), String> {
    let jobs = workload::jobs(client).await?;
    let list = client.read("/apis/encamp.dev/v1/namespaces/default/allocations").await?;
    reported(&jobs, list["items"].as_array().map_or(&[][..], |items| &items[..]))?;
    running(&jobs, &recorder.record())
}

/// The API tells of as many healthy instances as are asked for, and of no other that runs.
fn reported(jobs: &Jobs, allocations: &[Value]) -> Result<(), String> {
    let mut serving: BTreeMap<&str, usize> = BTreeMap::new();
    for one in allocations {
        let name = one["metadata"]["name"].as_str().unwrap_or_default();
        let phase = one["status"]["phase"].as_str().unwrap_or_default();
        let is_healthy = one["status"]["healthy"] == true;
        match (one["spec"]["desired"] == "run", phase) {
            (true, "running") if is_healthy => {
                *serving.entry(one["spec"]["job"].as_str().unwrap_or_default()).or_default() += 1;
            }
            (true, _) => return Err(format!("{name} is {phase}, healthy: {is_healthy}")),
            (false, "running" | "pending") => return Err(format!("{name} is to stop and {phase}")),
            (false, _) => {}
        }
    }
    for (job, (count, _)) in jobs {
        let serves = serving.get(job.as_str()).copied().unwrap_or_default();
        if serves != *count {
            return Err(format!("{serves} of {count} instances of {job} serve"));
        }
    }
    Ok(())
}

/// Exactly the instances asked for live, each once and at the newest version.
fn running(jobs: &Jobs, record: &Record) -> Result<(), String> {
    let mut missing: BTreeSet<(String, Option<u64>)> = BTreeSet::new();
    for (job, (count, version)) in jobs {
        missing.extend((0..*count).map(|index| (format!("{job}.main[{index}]"), *version)));
    }
    for life in record.alive() {
        let (name, version) = (&life.task.name, life.task.version);
        if !missing.remove(&(name.clone(), Some(version))) {
            return Err(format!("{name} of version {version} lives (pid {})", life.identity.pid));
        }
    }
    missing
        .first()
        .map_or(Ok(()), |(name, version)| Err(format!("{name} of version {version:?} does not live")))
}
