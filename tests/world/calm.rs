//! Stories without faults.

use std::time::Duration;

use plan::view::JobRef;
use schemas::key::Key;
use schemas::report::{AllocationReport, ClientState};
use serde_json::json;

use crate::faults::Sabotage;
use crate::stage::{Broken, Stage};
use crate::story;
use crate::user::{Wish, job};

const SOON: Duration = Duration::from_secs(120);

/// Tells a story of one server and two nodes that has no fault.
fn tell(seed: u64, happen: impl AsyncFnOnce(&mut Stage) -> Result<(), Broken>) {
    let told = story::told(
        || Stage::new(seed, (1, 2), Sabotage::None),
        async |stage| {
            stage.pass(Duration::from_secs(10)).await?;
            happen(stage).await
        },
    );
    assert!(told.is_ok(), "seed {seed}: {}", told.unwrap_err());
}

/// Somebody asks for something, and it becomes so.
async fn grant(stage: &mut Stage, wish: Wish) -> Result<(), Broken> {
    stage.ask(wish);
    stage.pass(Duration::from_secs(1)).await?;
    stage.converge(SOON).await
}

#[test]
fn a_job_lives_grows_changes_and_goes() {
    tell(1, async |stage| {
        for wish in [
            Wish::submit(&job("web", "service", 3, 0)),
            Wish::scale("web", 5),
            Wish::submit(&job("web", "service", 5, 1)),
            Wish::change("web", &json!({"stop": true})),
            Wish::change("web", &json!({"stop": false})),
            Wish::submit(&job("sums", "batch", 2, 0)),
            Wish::submit(&job("logs", "system", 1, 0)),
            Wish::delete("web"),
        ] {
            grant(stage, wish).await?;
        }
        stage.be_silent().await
    });
}

/// I2: an update takes no more than it may.
#[test]
fn an_update_keeps_enough_healthy() {
    tell(2, async |stage| {
        grant(stage, Wish::submit(&job("web", "service", 5, 0))).await?;
        stage.ask(Wish::submit(&job("web", "service", 5, 1)));
        stage.pass(Duration::from_secs(1)).await?;
        let mut changed = 0;
        for _ in 0..120 {
            stage.pass(Duration::from_millis(500)).await?;
            let view = stage.checker.view();
            let web = JobRef { namespace: "default".into(), job: "web".into() };
            let reports = view.indexes.placements_of_job(&web).filter_map(|key| view.indexes.report(key));
            let is_well = |report: &&AllocationReport| {
                report.state == ClientState::Running && report.healthy == Some(true)
            };
            let healthy: Vec<u64> = reports.filter(is_well).map(|report| report.spec).collect();
            assert!(healthy.len() >= 3, "I2: {healthy:?}\n{}", stage.trace.tail(40));
            let newest = view.jobs.get(&Key::job("default", "web")).unwrap().version;
            changed = healthy.iter().filter(|version| **version == newest).count();
        }
        assert_eq!(changed, 5, "all were updated\n{}", stage.trace.tail(40));
        Ok(())
    });
}

/// Rules about neighbours move what has too many of them, and only that.
#[test]
fn neighbours_that_may_not_be_together_part() {
    tell(4, async |stage| {
        let mut web = job("web", "service", 2, 0);
        web["spec"]["constraints"] = json!([{"attribute": "${node.unique.name}", "value": "n1"}]);
        grant(stage, Wish::submit(&web)).await?;
        let on = |stage: &Stage| -> Vec<Key> {
            let view = stage.checker.view();
            let web = JobRef { namespace: "default".into(), job: "web".into() };
            let placed = view.indexes.placements_of_job(&web).filter(|key| !view.indexes.is_gone(key));
            placed.cloned().collect()
        };
        let before = on(stage);
        let apart = json!({"constraints": [{"operator": "distinct_hosts"}]});
        grant(stage, Wish::change("web", &apart)).await?;
        let after = on(stage);
        let nodes: Vec<&str> = after.iter().map(|key| key.segment(1)).collect();
        assert_eq!(nodes, ["n1", "n2"], "{after:?}\n{}", stage.trace.tail(40));
        assert!(before.contains(&after[0]), "{before:?} {after:?}\n{}", stage.trace.tail(40));
        stage.be_silent().await
    });
}

/// What does not work is gone back from once, as a version of its own, as often as it is asked for; what people asked
/// for meanwhile counts.
#[test]
fn a_version_that_fails_is_gone_back_from() {
    tell(5, async |stage| {
        let reverts = |stage: &Stage| -> Vec<(u64, u64, u64)> {
            let versions = stage.checker.view().versions.under(&["versions", "default", "beta"]);
            let told = versions.filter_map(|(_, stored)| {
                let revert = stored.value.revert.as_ref()?;
                Some((stored.value.number, revert.from, revert.to))
            });
            let mut told: Vec<_> = told.collect();
            told.sort_unstable();
            told
        };
        grant(stage, Wish::submit(&job("beta", "service", 2, 0))).await?;
        for _ in 0..2 {
            stage.ask(Wish::submit(&job("beta", "service", 2, 3)));
            stage.pass(Duration::from_secs(1)).await?;
            stage.converge(Duration::from_secs(400)).await?;
        }
        assert_eq!(reverts(stage), [(3, 2, 1), (5, 4, 3)], "{}", stage.trace.tail(40));
        stage.be_silent().await
    });
}

/// The same name again and again, each time before anybody has tidied up after the last.
async fn live_again_and_again(stage: &mut Stage) -> Result<(), Broken> {
    for life in 0..8 {
        stage.ask(Wish::create(&job("web", "service", 3, life % 2)));
        stage.pass(Duration::from_millis(700)).await?;
        stage.ask(Wish::delete("web"));
        stage.pass(Duration::from_millis(100 * u64::from(life))).await?;
    }
    // While the last one goes, a new one is refused.
    for _ in 0..30 {
        stage.ask(Wish::create(&job("web", "batch", 2, 0)));
        stage.pass(Duration::from_secs(1)).await?;
    }
    stage.converge(SOON).await?;
    stage.be_silent().await
}

#[test]
fn a_name_lives_again_and_again() {
    for seed in 0..10 {
        tell(seed, live_again_and_again);
    }
}
