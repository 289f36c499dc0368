//! Ends everything that runs, for an agent that will not come back (`dev`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use drivers::contract::{TaskState, Unavailable};
use drivers::{Driver, Signal, TaskId};

/// How long tasks have to end by themselves.
const GRACE: Duration = Duration::from_secs(5);
/// How much longer it may take until a runtime has ended them by force.
const FORCE: Duration = Duration::from_secs(5);

/// Ends every task of every driver and removes their records. Only after the agent's loop has stopped: it would
/// start them again. Answers what may run on, in words.
pub async fn drain_all(drivers: &BTreeMap<String, Arc<dyn Driver>>) -> Vec<String> {
    let mut draining = Vec::new();
    for (name, driver) in drivers {
        // A runtime that is not there holds nothing.
        if driver.fingerprint().await.detected {
            draining.push(drain(name, &**driver));
        }
    }
    futures::future::join_all(draining).await.concat()
}

async fn drain(name: &str, driver: &dyn Driver) -> Vec<String> {
    let unknown = |error| vec![format!("whatever {name} holds ({error})")];
    end_all(driver).await.map_or_else(unknown, |left| left.iter().map(ToString::to_string).collect())
}

/// Ends all tasks of a driver; the answer is those that did not end.
async fn end_all(driver: &dyn Driver) -> Result<Vec<TaskId>, Unavailable> {
    // Heard from before the first order: no end is missed.
    let mut events = driver.events();
    for id in alive(driver).await? {
        if let Err(error) = driver.stop(&id, Signal::TERM, GRACE).await {
            tracing::warn!(task = %id, "was not stopped: {error}");
        }
    }
    let ends = async {
        while alive(driver).await.is_ok_and(|alive| !alive.is_empty()) && events.next().await.is_some() {}
    };
    // Whether in time or not, what counts is who lives now.
    tokio::time::timeout(GRACE + FORCE, ends).await.ok();
    let left = alive(driver).await?;
    for task in driver.running().await? {
        if let Err(error) = driver.forget(&task.id).await {
            tracing::warn!(task = %task.id, "was not forgotten: {error}");
        }
    }
    Ok(left)
}

async fn alive(driver: &dyn Driver) -> Result<Vec<TaskId>, Unavailable> {
    let held = driver.running().await?.into_iter();
    Ok(held.filter(|task| task.state == TaskState::Running).map(|task| task.id).collect())
}
