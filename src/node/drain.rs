//! Ends everything that runs, for an agent that will not come back (`dev`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::select_all;

use super::drivers::contract::{RunningTask, TaskState};
use super::drivers::{Driver, Signal};

/// How long tasks have to end by themselves.
const GRACE: Duration = Duration::from_secs(5);
/// How much longer it may take until a runtime has ended them by force.
const FORCE: Duration = Duration::from_secs(5);

/// Ends every task of every driver and removes their records. Only after the agent's loop has stopped: it would
/// start them again.
pub async fn drain_all(drivers: &BTreeMap<String, Arc<dyn Driver>>) {
    let mut events = select_all(drivers.values().map(|driver| driver.events()));
    let mut alive = 0;
    for driver in drivers.values() {
        alive += ask_all_to_end(&**driver).await;
    }
    let ends = async {
        while alive > 0 && events.next().await.is_some() {
            alive = 0;
            for driver in drivers.values() {
                alive += held(&**driver).await.iter().filter(|task| task.state == TaskState::Running).count();
            }
        }
    };
    if tokio::time::timeout(GRACE + FORCE, ends).await.is_err() {
        tracing::warn!("some tasks did not end");
    }
    for driver in drivers.values() {
        for task in held(&**driver).await {
            if let Err(error) = driver.forget(&task.id).await {
                tracing::warn!(task = %task.id, "was not forgotten: {error}");
            }
        }
    }
}

/// How many tasks were asked.
async fn ask_all_to_end(driver: &dyn Driver) -> usize {
    let mut asked = 0;
    for task in held(driver).await.into_iter().filter(|task| task.state == TaskState::Running) {
        asked += 1;
        if let Err(error) = driver.stop(&task.id, Signal::TERM, GRACE).await {
            tracing::warn!(task = %task.id, "was not stopped: {error}");
        }
    }
    asked
}

async fn held(driver: &dyn Driver) -> Vec<RunningTask> {
    driver.running().await.unwrap_or_else(|error| {
        tracing::warn!("a driver does not say what it holds: {error}");
        Vec::new()
    })
}
