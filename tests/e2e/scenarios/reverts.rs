//! A version that does not work, and the way back.

use crate::{cluster::Cluster, jobs, wait};

/// A broken version with `auto_revert` is left for a new one that repeats what worked; the history tells who went back
/// and why, the next apply of the broken file is a version again, and people go back by the same way.
pub async fn a_version_that_fails_is_gone_back_from(cluster: Cluster) {
    let short = "min_healthy_time = \"200ms\"";
    let reverting = "auto_revert = true\n      healthy_deadline = \"3s\"\n      progress_deadline = \"6s\"";
    let good = jobs::pairs("pairs", 2, &cluster.witness());
    let good = good.replace(short, &format!("{short}\n      {reverting}"));
    let broken = cluster.write_job("broken", &good.replace("exec sleep 100000", "exit 1"));
    cluster.apply("pairs", &good);
    cluster.until_healthy("pairs", 2).await;
    let before = cluster.names("pairs").await;

    for left in [2, 4] {
        let run = cluster.try_run(&["run", &broken]);
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains("going back to version"), "{said}");
        wait::until(wait::ROLLOUT, "the way back to end", async || {
            let version = cluster.run(&["get", "job", "pairs", "-o", "jsonpath={.metadata.generation}"]);
            let rollout = cluster.api.latest_rollout("pairs").await?;
            let is_back = version == (left + 1).to_string() && rollout == "successful";
            if is_back { Ok(()) } else { Err(format!("version {version} is {rollout}")) }
        })
        .await;
        cluster.until_healthy("pairs", 2).await;
        let history = cluster.run(&["job", "history", "-p", "-version", &(left + 1).to_string(), "pairs"]);
        assert!(history.contains("deployment controller went back to version"), "{history}");
        assert!(history.contains(&format!("from {left}: group")), "{history}");
    }
    let after = cluster.names("pairs").await;
    assert!(after.intersection(&before).count() >= 1, "{before:?} {after:?}");
    assert!(!after.iter().any(|name| name.contains("-v2.") || name.contains("-v4.")), "{after:?}");

    let larger = cluster.write_job("larger", &good.replace("memory = 16", "memory = 17"));
    cluster.run(&["run", &larger]);
    let unknown = cluster.try_run(&["job", "revert", "pairs", "77"]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("no version 77 is remembered; there are 1, 2"), "{said}");
    let back = cluster.run(&["job", "revert", "-why", "it was small", "pairs", "1"]);
    assert!(back.contains("goes back to version 1, as version 7"), "{back}");
    let history = cluster.run(&["job", "history", "pairs"]);
    assert!(history.contains("encamp: back to 1 from 6"), "{history}");
    let again = cluster.try_run(&["job", "revert", "pairs", "1"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("version 1 is what the job is to do already, as version 7"), "{said}");
}
